"""How the list of each kind of server is asked for: credentials, what is new since a time, the next page."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from services.connectors.payloads import AdapterKind

#: Submissions shortly before the newest known are asked for again: a server may number what it stores out of order.
OVERLAP: Final = timedelta(minutes=1)


def credentials(kind: AdapterKind, token: str | None) -> dict[str, str]:
    """The headers that show a server's key; ``user:password`` is for Basic, and for ACLED's own login."""
    if token is None:
        return {}
    if kind == "ucdp":
        return {"x-ucdp-access-token": token}
    if ":" in token:
        return {"authorization": f"Basic {base64.b64encode(token.encode()).decode()}"}
    return {"authorization": f"Token {token}" if kind == "kobo" else f"Bearer {token}"}


def since(kind: AdapterKind, url: str, cursor: str) -> str:
    """The address of what came or changed after ``cursor``, the server's own time; of everything where it is empty."""
    earlier = _earlier(cursor)
    if not earlier:
        return url
    match kind:
        case "kobo":
            return _with(url, {"query": json.dumps({"_submission_time": {"$gt": earlier}}, separators=(",", ":"))})
        case "odk":
            wanted = f"__system/submissionDate gt {earlier} or __system/updatedAt gt {earlier}"
            return _with(url, {"$filter": wanted})
        case "ushahidi":
            return _with(url, {"updated_after": earlier})
        case "acled":
            # Both of its lists take "at or after" this time.
            deletions = urlsplit(url).path.rstrip("/").endswith("deleted/read")
            return _with(url, {"deleted_timestamp" if deletions else "timestamp": earlier})
        case _:
            return url


def login(url: str, token: str) -> tuple[str, dict[str, str]]:
    """Where ACLED gives a key for ``user:password``, and the form that is posted there. The key is good for a day."""
    user, _, password = token.partition(":")
    form = {"username": user, "password": password, "grant_type": "password", "client_id": "acled"}
    return urljoin(url, "/oauth/token"), form


def follow(url: str, link: str) -> str:
    """The next page of the list at ``url``, which stays at its host: credentials go nowhere else, and a server behind
    a proxy may not know its own address."""
    base, found = urlsplit(url), urlsplit(urljoin(url, link))
    return urlunsplit((base.scheme, base.netloc, found.path, found.query, ""))


def _with(url: str, added: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    pairs = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in added]
    query = urlencode([*pairs, *added.items()], quote_via=quote, safe="$:,")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _earlier(cursor: str) -> str:
    if cursor.isdecimal():
        return str(max(0, int(cursor) - int(OVERLAP.total_seconds())))
    try:
        moment = datetime.fromisoformat(cursor) - OVERLAP
    except (ValueError, OverflowError):
        return ""
    if moment.tzinfo is None:
        return moment.isoformat(timespec="seconds")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
