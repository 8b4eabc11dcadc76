"""A server of forms for adapters to poll: KoboToolbox, ODK Central, Ushahidi, as far as their lists go.

It lives in threads of its own, keeps submissions by the path of their list, pages them, filters them as it is asked
to, refuses a wrong token, and remembers what it was asked.
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, quote, urlsplit

PAGE: Final = 2
KOBO: Final = "/api/v2/assets/aTruceForm0000000001/data/"
ODK: Final = "/v1/projects/1/forms/truce.svc/Submissions"
USHAHIDI: Final = "/api/v3/posts"


@dataclass
class FormServer:
    """``token`` as the Authorization header has it; None: any. ``failing``: a status that every request gets."""

    token: str | None = None
    failing: int | None = None
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    asked: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def url(self, path: str) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def has(self, path: str, *records: Mapping[str, Any]) -> None:
        """From now on the list at ``path`` is these."""
        self.lists[path] = [dict(record) for record in records]

    def answer(self, target: str, token: str | None) -> tuple[int, bytes]:
        self.asked.append(target)
        if self.failing is not None:
            return self.failing, b"out of order"
        if self.token not in (None, token):
            return 401, b"{}"
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        records = [one for one in self.lists[parts.path] if _wanted(one, query)]
        start = int(query.get("start", "0"))
        rest = f"&start={start + PAGE}" if start + PAGE < len(records) else ""
        kept = "&".join(f"{name}={quote(value)}" for name, value in query.items() if name != "start")
        # As a server behind a proxy writes it, which does not know its own address.
        link = f"http://inside.invalid{parts.path}?{kept}{rest}" if rest else None
        return 200, json.dumps(_page(parts.path, records[start : start + PAGE], link)).encode()

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = server.answer(self.path, self.headers.get("authorization"))
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


def _wanted(record: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    if "query" in query:
        return str(record["_submission_time"]) > str(json.loads(query["query"])["_submission_time"]["$gt"])
    if "$filter" in query:
        system = record["__system"]
        since = re.findall(r"gt (\S+)", query["$filter"])[0]
        return any(str(system[name] or "") > since for name in ("submissionDate", "updatedAt"))
    if "updated_after" in query:
        return int(record["updated"]) > int(query["updated_after"])
    return True


def _page(path: str, records: Sequence[Any], link: str | None) -> dict[str, Any]:
    if path == ODK:
        return {"value": records, **({} if link is None else {"@odata.nextLink": link})}
    return {"count": len(records), "next": link, "previous": None, "results": records}
