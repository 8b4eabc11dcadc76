"""Headers of a receiver's own and a user in the URL, sent beside the signature. Kept secret once they were given.

Source: the contract, "A webhook's channel may hold headers"; RFC 9110, 5 for names and values, RFC 7617 for the user.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from services.notify.domain.subscription import Channel, Webhook

MAX_HEADERS: Final = 10
MAX_NAME: Final = 100
MAX_VALUE: Final = 2_000
#: Stands for a value that is kept and not shown. Sent back, it means: as before.
HIDDEN: Final = "***"

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_USER: Final = re.compile(r"^(https?://)([^/?#@]*)@")
#: Ours to set, or the connection's.
_OURS: Final = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
        "keep-alive", "te", "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip
_OUR_PREFIXES: Final = ("webhook-", "proxy-", "sec-")


def find_header_faults(channel: Webhook) -> Iterator[tuple[str, str]]:
    """Faults of the headers, as (JSON pointer, detail) pairs."""
    if len(channel.headers) > MAX_HEADERS:
        yield "/channel/headers", f"at most {MAX_HEADERS} headers"
    seen: set[str] = set()
    for name, value in channel.headers.items():
        pointer, folded = _pointer(name), name.lower()
        if len(name) > MAX_NAME or not _NAME.fullmatch(name):
            yield pointer, f"a header's name has 1 to {MAX_NAME} letters, digits and !#$%&'*+-.^_`|~"
        elif folded in _OURS or folded.startswith(_OUR_PREFIXES):
            yield pointer, "this header is set by us or by the connection"
        elif folded in seen:
            yield pointer, "given twice; names of headers differ in more than case"
        elif folded == "authorization" and _USER.match(channel.url):
            yield pointer, "cannot be combined with a user in the URL"
        elif len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
            yield (
                pointer,
                f"a header's value has 1 to {MAX_VALUE} printable ASCII characters, no blank at its ends",
            )
        seen.add(folded)


def _pointer(name: str) -> str:
    """RFC 6901, 3."""
    return f"/channel/headers/{name.replace('~', '~0').replace('/', '~1')}"


def split_user(url: str) -> tuple[str, str | None]:
    """A URL without its user, and the value of Authorization that says the same (Basic); None where it has none."""
    found = _USER.match(url)
    if found is None:
        return url, None
    plain = url[: found.end(1)] + url[found.end() :]
    user, _, password = found[2].partition(":")
    token = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return plain, "Basic " + b64encode(token).decode("ascii")


def hide(channel: Channel) -> dict[str, Any]:
    """A channel as it is shown: no value of a header, no user."""
    shown: dict[str, Any] = msgspec.to_builtins(channel)
    if isinstance(channel, Webhook):
        shown["url"] = hide_user(channel.url)
        if channel.headers:
            shown["headers"] = dict.fromkeys(channel.headers, HIDDEN)
    return shown


def hide_user(url: str) -> str:
    return _USER.sub(rf"\g<1>{HIDDEN}@", url)


def fill_in(channel: Webhook, was: Channel | None) -> tuple[Webhook, list[tuple[str, str]]]:
    """The channel with what it left hidden as it was before, and what cannot be filled in, as faults.

    Nothing that is hidden goes to another scheme, host or port than it was given for.
    """
    before = was if isinstance(was, Webhook) and _origin(was.url) == _origin(channel.url) else None
    faults: list[tuple[str, str]] = []
    url, headers = channel.url, dict(channel.headers)
    user = _USER.match(url)
    if user is not None and user[2] == HIDDEN:
        kept = None if before is None else _USER.match(before.url)
        if kept is None:
            faults.append(("/channel/url", f"{HIDDEN} stands for a user that was given before; there is none"))
        else:
            url = url.replace(f"{HIDDEN}@", f"{kept[2]}@", 1)
    known: Mapping[str, str] = {} if before is None else {n.lower(): v for n, v in before.headers.items()}
    for name, value in channel.headers.items():
        if value == HIDDEN and name.lower() in known:
            headers[name] = known[name.lower()]
        elif value == HIDDEN:
            faults.append((_pointer(name), f"{HIDDEN} stands for a value given before; there is none"))
    return msgspec.structs.replace(channel, url=url, headers=headers), faults


def _origin(url: str) -> str:
    """Scheme, host and port, without a user."""
    plain = _USER.sub(r"\g<1>", url)
    return "/".join(re.split(r"[?#]", plain, maxsplit=1)[0].split("/", 3)[:3]).lower()
