"""Every parser of the edge: whatever comes, it gives a value or the refusal that it declares, and nothing else."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request

from schemas import local_time
from schemas.examples import REPORT
from schemas.instants import parse_instant
from schemas.registry import KINDS, Kind
from schemas.zones import find_zone
from services.admin.api import read_key_request
from services.ingest.http.incidents import INCIDENTS_LIST
from services.ingest.http.intake import read_headers
from services.notify.domain.delivery import parse_retry_after
from services.notify.domain.durations import parse_duration
from services.notify.http.silences import read_silence
from services.notify.http.subscription_bodies import merge_patch, read_draft
from services.notify.http.wire import BounceReport, RecoverRequest, SpanRequest
from services.openapi.examples import BODIES
from services.platform.clock import LocalTime
from services.platform.http.access import check, read_authorization
from services.platform.http.bodies import parse, parse_json, read_encoding
from services.platform.http.lists import Listing, read_cursor, read_list
from services.platform.http.problems import Problem
from services.platform.http.query import read_flag
from services.platform.outbound.address import Policy
from services.platform.reports import read_report
from services.platform.security.keys import KeyRing, Principal
from services.rules.assessing import api as rules_api
from services.rules.registry import request_parsing as registry_requests
from services.rules.registry.domain.document import check_document
from services.rules.registry.domain.faults import InvalidRegistryError
from services.rules.registry.use_cases import Snapshot
from services.rules.registry.wire import read_announcement, read_document, read_resource
from services.rules.registry.yaml_json import UnreadableTextError, read_text, to_json
from tests.examples import examples
from tests.fakes import DrivenClock
from tests.unit.platform.hostile import bodies, mutated, texts, values

ZONE: Final = ZoneInfo("Asia/Damascus")
NOW: Final = parse_instant("2016-05-08T12:00:00Z")
MONITOR: Final = Principal("m1", "desk", "monitor")
KINDS_PUT: Final[tuple[Kind, ...]] = ("parties", "presence", "areas", "places", "truces")
SUBSCRIPTION: Final[dict[str, Any]] = {
    "name": "desk", "channel": {"type": "webhook", "url": "https://example.org/hook"},
    "filter": {"truces": ["a"], "areas": ["b"], "parties": ["c"], "acts": ["shelling"], "bbox": [35, 36, 38, 37],
               "min_severity": "Minor", "min_certainty": "Unlikely", "verdicts": ["violation"]},
    "mode": {"daily": "07:00", "timezone": "Asia/Damascus"}, "group_by": ["truce"], "group_wait": "PT30S",
    "quiet_hours": {"from": "22:00", "to": "06:00", "timezone": "Asia/Damascus", "days": ["fri"]},
    "heartbeat": "PT1H", "language": "en", "format": "json",
}  # fmt: skip
SILENCE: Final[dict[str, Any]] = {
    "matchers": [{"name": "act", "value": "shell.*", "is_regex": True, "is_equal": True}],
    "starts_at": "2016-05-08T12:00:00Z", "ends_at": "2016-05-09T12:00:00Z", "reason": "exercise", "author": "desk",
}  # fmt: skip
many = examples(80)


def gives(call: Callable[[], object], *refusals: type[Exception]) -> None:
    """A value, or a refusal. A Problem is one that a client can be blamed for, and can be written."""
    refused = _refused(call, refusals)
    if isinstance(refused, Problem):
        assert 400 <= refused.status < 500
        assert refused.response().body


def _refused(call: Callable[[], object], refusals: tuple[type[Exception], ...]) -> Exception | None:
    try:
        call()
    except refusals as error:
        return error
    return None


def asking(query: str = "", headers: list[tuple[bytes, bytes]] | None = None) -> Request:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers or [], "query_string": query.encode()}
    return Request(scope)


@pytest.mark.parametrize(
    "read",
    [
        parse_instant,
        lambda text: local_time.read_moment(text, ZONE),
        lambda text: local_time.add_duration(NOW, text, ZONE),
        find_zone,
        parse_duration,
    ],
    ids=["instant", "moment", "duration of a window", "zone", "duration"],
)
@many
@given(text=texts)
def test_times_are_read_or_refused(read: Callable[[str], object], text: str) -> None:
    gives(lambda: read(text), ValueError)


@many
@given(text=texts | st.text(alphabet="0123456789 ,:GMTMonJan", max_size=40))
def test_retry_after_of_any_receiver_is_read_or_nothing(text: str) -> None:
    gives(lambda: parse_retry_after(text, NOW))


def in_zone(request: Request) -> Request:
    """The request to an app that knows the registry's time zone."""
    app = Starlette()
    app.state.local_time = LocalTime(ZONE)
    return Request({**request.scope, "app": app})


QUERIES: Final[dict[str, Callable[[Request], object]]] = {
    "limit": lambda request: read_list(request, Listing(dict, ("id",), (str,))),
    "after": lambda request: read_list(request, Listing(dict, ("id",), (int, str))),
    "as_of": lambda request: registry_requests.instant(request, "as_of"),
    "dry_run": lambda request: read_flag(request, "dry_run"),
    "from": lambda request: read_list(in_zone(request), INCIDENTS_LIST),
    "to": lambda request: read_list(request, rules_api.ASSESSMENTS_LIST),
    "verdict": lambda request: read_list(request, rules_api.ASSESSMENTS_LIST),
}


@pytest.mark.parametrize("name", QUERIES)
@many
@given(text=texts, raw=st.booleans())
def test_query_values_are_read_or_refused_with_400(name: str, text: str, raw: bool) -> None:
    query = f"{name}=" + (
        text.encode("ascii", "replace").decode() if raw else quote(text.encode("utf-8", "surrogatepass"))
    )
    refused = _refused(lambda: QUERIES[name](asking(query)), (Problem,))
    assert refused is None or (isinstance(refused, Problem) and refused.status == 400 and refused.response().body)


header_values = texts.map(lambda text: text.encode("utf-8", "surrogatepass")[:3_000]) | st.binary(max_size=60)
names = st.sampled_from(
    [b"authorization", b"content-encoding", b"content-length", b"content-type", b"idempotency-key", b"if-match",
     b"if-none-match", b"last-event-id", b"traceparent", b"odd"]
)  # fmt: skip
headers = st.lists(st.tuples(names, header_values), max_size=5)


@many
@given(given_headers=headers)
def test_headers_are_read_or_refused(given_headers: list[tuple[bytes, bytes]]) -> None:
    keys, request = KeyRing(DrivenClock()), asking("", given_headers)
    gives(lambda: read_headers(given_headers), Problem)
    gives(lambda: read_encoding(given_headers), Problem)
    gives(lambda: check(keys, read_authorization(given_headers)), Problem)
    gives(lambda: registry_requests.precondition(request, lambda _: 1)(Snapshot()), Problem)
    gives(lambda: read_cursor(request.headers.get("last-event-id"), str, int), Problem)


def body_readers() -> dict[str, tuple[Any, Callable[[bytes], object]]]:
    """The input that each parser of a body expects, and how it is called."""
    return {
        "report": (REPORT, lambda body: read_report(body, NOW, ZONE)),
        "key": ({"name": "a", "role": "partner", "expires_at": "2016-06-01T00:00:00Z"},
                lambda body: read_key_request(body, NOW)),
        "subscription": (SUBSCRIPTION, lambda body: read_draft(body, Policy(), MONITOR)),
        "patch": ({"filter": {"acts": None}, "name": "b"}, lambda body: merge_patch(SUBSCRIPTION, parse_json(body))),
        "silence": (SILENCE, lambda body: read_silence(body, MONITOR, NOW)),
        "span": ({"from": "2016-05-08T00:00:00Z", "to": "2016-05-09T00:00:00Z"}, lambda body: parse(body, SpanRequest)),
        "recover": ({"since": "2016-05-08T00:00:00Z"}, lambda body: parse(body, RecoverRequest)),
        "bounce": ({"address": "a@example.org", "type": "bounce"}, lambda body: parse(body, BounceReport)),
    }  # fmt: skip


READERS: Final = body_readers()


@pytest.mark.parametrize("name", READERS)
@many
@given(data=st.data())
def test_bodies_are_read_or_refused(name: str, data: st.DataObject) -> None:
    example, read = READERS[name]
    body = data.draw(bodies(example))
    gives(lambda: read(body), Problem)


REGISTRY: Final = (UnreadableTextError, InvalidRegistryError)


@pytest.mark.parametrize("kind", KINDS_PUT)
@many
@given(data=st.data())
def test_resources_of_the_registry_are_read_or_refused(kind: Kind, data: st.DataObject) -> None:
    body = data.draw(bodies(BODIES["put", f"/v1/{kind}/{{id}}"]))
    gives(lambda: read_resource(kind, to_json(body, "json")), *REGISTRY)
    assert kind in KINDS


@many
@given(body=mutated(BODIES["put", "/v1/registry"]) | bodies({}))
def test_documents_are_read_and_checked_or_refused(body: bytes) -> None:
    gives(lambda: check_document(read_document(to_json(body, "json"))), *REGISTRY)


@many
@given(body=bodies(BODIES["post", "/v1/truces/{id}/announcements"]))
def test_announcements_are_read_or_refused(body: bytes) -> None:
    gives(lambda: read_announcement(to_json(body, "json")), *REGISTRY)


yaml_texts = (
    st.text(alphabet="ab:-[]{}&*!|>'\"%@#,?~ \n\t0123456789.eE", max_size=80).map(str.encode)
    | values.map(str).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=80)
)


@many
@given(body=yaml_texts)
def test_yaml_is_read_or_refused(body: bytes) -> None:
    gives(lambda: read_text(body, "yaml"), *REGISTRY)


@many
@given(ring=st.lists(st.lists(st.sampled_from([0, 1, 36, 37.5, -180, 180, 181, 90, 91, 1e308, 5e-324, -0.0]),
                              min_size=0, max_size=5), max_size=8),
       kind=st.sampled_from(["Polygon", "MultiPolygon", "Point", "GeometryCollection", "polygon"]),
       closed=st.booleans())  # fmt: skip
def test_geometries_are_read_and_checked_or_refused(ring: list[list[float]], kind: str, closed: bool) -> None:
    ring = [*ring, ring[0]] if closed and ring else ring
    feature = {"type": "Feature", "id": "a", "properties": {"name": {"en": "a"}},
               "geometry": {"type": kind, "coordinates": [ring] if kind == "Polygon" else [[ring]]}}  # fmt: skip
    document = {"version": 1, "timezone": "UTC", "areas": {"type": "FeatureCollection", "features": [feature]}}
    body = msgspec.json.encode(document)
    gives(lambda: check_document(read_document(to_json(body, "json"))), *REGISTRY)
