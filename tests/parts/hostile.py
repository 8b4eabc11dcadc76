"""Answers that break the rules of HTTP after their status line."""

from typing import Final

_LONG: Final = b"content-security-policy: " + b"default-src 'self'; " * 500 + b"\r\n"
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
#: Answers that break the rules of HTTP after their status line, by what is wrong; ``{}`` stands for the status.
HOSTILE: Final = {
    "cut in the head": b"HTTP/1.1 {} OK\r\nx-a: b",
    "cut in the body": b"HTTP/1.1 {} OK\r\ncontent-length: 50\r\n\r\nshort",
    "a header of 10,000 bytes": b"HTTP/1.1 {} OK\r\ncontent-length: 2\r\n" + _LONG + b"\r\nok",
    "a header of 100,000 bytes": b"HTTP/1.1 {} OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
    "500 headers": b"HTTP/1.1 {} OK\r\n" + b"x: y\r\n" * 500 + b"\r\n",
    "a length twice": b"HTTP/1.1 {} OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 {} OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    "a length and chunks": b"HTTP/1.1 {} OK\r\ncontent-length: 2\r\n" + _CHUNKED + b"\r\n2\r\nok\r\n0\r\n\r\n",
    "a length that is no number": b"HTTP/1.1 {} OK\r\ncontent-length: two\r\n\r\nok",
    "a chunk that is none": b"HTTP/1.1 {} OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "a header name with a blank": b"HTTP/1.1 {} OK\r\nx a: b\r\ncontent-length: 2\r\n\r\nok",
    "a header without a name": b"HTTP/1.1 {} OK\r\n: b\r\n\r\n",
    "a NUL": b"HTTP/1.1 {} OK\r\nx: \0\r\n\r\n",
    "no reason": b"HTTP/1.1 {}\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 {} OK\ncontent-length: 2\n\nok",
    "after an interim answer": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 {} OK\r\nx\r\n\r\n",
    "HTTP/1.0": b"HTTP/1.0 {} OK\r\n\r\nok",
    "a body that is not packed as it says": b"HTTP/1.1 {} OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
    "a second answer": b"HTTP/1.1 {} OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
}  # fmt: skip
