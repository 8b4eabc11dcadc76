"""A server of data for adapters to poll: the APIs of ACLED and UCDP as far as lists go, and plain files.

It lives in threads of its own, pages its lists, filters them as it is asked to, refuses a wrong key, and remembers what
it was asked.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

ACLED: Final = "/api/acled/read"
ACLED_DELETED: Final = "/api/deleted/read"
ACLED_LOGIN: Final = "/oauth/token"
UCDP: Final = "/api/gedevents/26.0.3"
PAGE: Final = 2
KEY: Final = "a key for a day"
LOGIN: Final = "analyst@example.org:a long password"


@dataclass
class DataServer:
    """``lists`` are the records of each API, ``files`` the bytes of each path. Keys are wanted where ``closed``."""

    closed: bool = False
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def url(self, path: str) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def has(self, path: str, records: Sequence[Mapping[str, Any]]) -> None:
        """From now on the list at ``path`` is these."""
        self.lists[path] = [dict(record) for record in records]

    def answer(self, target: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self.asked.append(target)
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path in self.files:
            return 200, self.files[parts.path]
        if parts.path not in self.lists:
            return 404, b""
        if parts.path == UCDP:
            return self._ucdp(query, headers)
        if self.closed and headers.get("authorization") != f"Bearer {KEY}":
            return 401, b'{"status": 401, "success": false}'
        return self._acled(parts.path, query)

    def log_in(self, body: str) -> tuple[int, bytes]:
        """ACLED's key for a user and a password."""
        form = {name: values[0] for name, values in parse_qs(body).items()}
        wanted = {"username": LOGIN.partition(":")[0], "password": LOGIN.partition(":")[2]}
        if form != {**wanted, "grant_type": "password", "client_id": "acled"}:
            return 400, b'{"error": "invalid_grant"}'
        return 200, json.dumps({"token_type": "Bearer", "expires_in": 86400, "access_token": KEY}).encode()

    def _acled(self, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        name = "timestamp" if path == ACLED else "deleted_timestamp"
        since = int(query.get(name, "0"))
        found = [record for record in self.lists[path] if int(record[name]) >= since]
        start = (int(query.get("page", "1")) - 1) * PAGE
        page = found[start : start + PAGE]
        return 200, json.dumps({"status": 200, "success": True, "count": len(page), "data": page}).encode()

    def _ucdp(self, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self.closed and headers.get("x-ucdp-access-token") != KEY:
            return 401, b"{}"
        found = self.lists[UCDP]
        number = int(query.get("page", "0"))
        more = (number + 1) * PAGE < len(found)
        # As a server behind a proxy writes it, which does not know its own address.
        link = f"http://inside.invalid{UCDP}?pagesize={PAGE}&page={number + 1}" if more else ""
        page = found[number * PAGE : (number + 1) * PAGE]
        return 200, json.dumps({"TotalCount": len(found), "NextPageUrl": link, "Result": page}).encode()

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(*server.answer(self.path, {name.lower(): value for name, value in self.headers.items()}))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._reply(*(server.log_in(body) if self.path == ACLED_LOGIN else (404, b"")))

            def _reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
