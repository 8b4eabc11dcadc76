"""The registry over HTTP. Source: the contract, "Registry (rules)"."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from schemas.events import KeyChanged
from schemas.vocabulary import Role
from services.platform.db.engine import Database
from services.platform.http.middleware import install_problems
from services.platform.security.keys import KeyRing, hash_secret
from services.platform.settings.config import embedded_url
from services.rules.judging.model import CompiledRegistry
from services.rules.registry.api import build_registry_router
from services.rules.registry.sql import SqlRegistry
from services.rules.registry.sql_history import SqlRegistryHistory
from services.rules.registry.use_cases import Flip, RegistryCache, Snapshot
from tests.fakes import DrivenClock
from tests.scenario import registry_document
from tests.tables import create_tables
from tests.unit.rules.registry_samples import announcement, area, document, party, truce

Json = dict[str, Any]
CALM = truce("calm", announcement("d", "declare", "01 00", starts_at="2016-05-01", ends_at="2016-05-03"))
NEXT = announcement("x", "extend", "02 00", "russia", duration="PT24H")


@dataclass
class Api:
    """The routes over one database, asked with the key of a role; ``flips`` is what a preview would find."""

    client: httpx.AsyncClient
    clock: DrivenClock
    flips: list[Flip] = field(default_factory=list)
    adopted: list[int] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: Any = None, role: str = "operator", **headers: str
    ) -> httpx.Response:
        sent = {"authorization": f"Bearer {role}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes | str):
            return await self.client.request(method, path, content=body, headers=sent)
        return await self.client.request(method, path, json=body, headers=sent)

    async def adopt(self, snapshot: Snapshot) -> None:
        self.adopted.append(snapshot.version)

    async def find_flips(self, registry: CompiledRegistry, limit: int) -> tuple[Sequence[Flip], int]:
        return self.flips[:limit], len(self.flips)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    database, clock = Database(embedded_url(tmp_path)), DrivenClock()
    create_tables(database.engine)
    app = FastAPI()
    install_problems(app)
    app.state.keys = KeyRing(clock)
    roles: tuple[Role, ...] = ("partner", "monitor", "operator")
    for role in roles:
        app.state.keys.apply(KeyChanged(role, f"our {role}", role, hash_secret(role), "2016-01-01T00:00:00Z"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rules") as client:
        made, store = Api(client, clock), SqlRegistry(database)
        app.include_router(
            build_registry_router(
                store, RegistryCache(), clock, made.find_flips, SqlRegistryHistory(database), made.adopt
            )
        )
        yield made
    await database.close()


@pytest.fixture
async def loaded(api: Api) -> Api:
    """With three parties, two areas and one truce, at version 1."""
    assert (await api.ask("PUT", "/v1/registry", document(truces=[CALM]))).status_code == 200
    return api


async def version(api: Api) -> int:
    return int((await api.ask("GET", "/v1/registry")).headers["registry-version"])


def errors(answer: httpx.Response) -> dict[str, str]:
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


async def test_the_worked_example_is_put_and_comes_back(api: Api) -> None:
    answer = await api.ask("PUT", "/v1/registry", registry_document())
    assert answer.json()["registry_version"] == 1
    assert answer.headers["etag"] == '"1"'
    assert api.adopted == [1]
    back = await api.ask("GET", "/v1/registry")
    again = await api.ask("PUT", "/v1/registry", back.json())
    assert again.json() == {"registry_version": 1, "reassessment": None, "resource": None, "changes": []}
    assert api.adopted == [1]


async def test_a_document_may_be_yaml(api: Api) -> None:
    text = b"version: 1\ntimezone: UTC\nparties:\n  - {id: no, kind: state, name: {en: Norway}}\n"
    answer = await api.ask("PUT", "/v1/registry", text, content_type="application/yaml; charset=utf-8")
    assert answer.status_code == 200
    assert (await api.ask("GET", "/v1/parties/no")).json()["name"] == {"en": "Norway"}


async def test_faults_of_yaml_have_their_line(api: Api) -> None:
    text = b"version: 1\ntimezone: Mars\nparties:\n  - {id: a, kind: state, name: {en: A}}\n  - {id: a, kind: x}\n"
    answer = await api.ask("PUT", "/v1/registry", text, content_type="application/yaml")
    assert [(e["pointer"], e["line"]) for e in answer.json()["errors"]] == [("/parties/1/name", 5), ("/timezone", 2)]


async def test_every_fault_of_a_document_at_once_where_it_was_sent(api: Api) -> None:
    value = document(parties=[party("z", member_of=["y"]), party("a"), party("z")], presence=[{"party": "a"}])
    value["areas"]["features"] = []
    answer = await api.ask("PUT", "/v1/registry", value)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(errors(answer)) == {"/parties/0/member_of/0", "/parties/2/id", "/presence/0/area", "/presence/0/control"}
    assert await version(api) == 0


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 5000])
async def test_what_is_no_json_is_400(api: Api, body: bytes) -> None:
    for path in ("/v1/registry", "/v1/parties/a"):
        assert (await api.ask("PUT", path, body)).status_code == 400


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(loaded: Api) -> None:
    loaded.flips = [Flip("inc", "violation", "not_covered")]
    value = document(truces=[{**CALM, "kind": "nationwide"}])
    value["parties"].append(party("un"))
    answer = (await loaded.ask("PUT", "/v1/registry?dry_run=true", value)).json()
    assert [(c["resource"], c["op"]) for c in answer["changes"]] == [("parties/un", "add"), ("truces/calm", "replace")]
    assert answer["changes"][0]["before"] is None
    assert answer["changes"][0]["after"]["id"] == "un"
    assert answer["changes"][1]["before"]["kind"] == "local"
    assert answer["flips"] == [{"incident_id": "inc", "from": "violation", "to": "not_covered"}]
    assert (answer["flip_count"], answer["truncated"]) == (1, False)
    assert await version(loaded) == 1
    assert loaded.adopted == [1]


async def test_a_dry_run_shows_the_windows_before_and_after(loaded: Api) -> None:
    answer = (await loaded.ask("POST", "/v1/truces/calm/announcements?dry_run=true", NEXT)).json()
    (calm,) = answer["windows"]
    before, after = ([(w["from"], w["to"]) for w in calm[side]] for side in ("before", "after"))
    assert calm["truce"] == "calm"
    assert before == [("2016-04-30T21:00:00Z", "2016-05-02T21:00:00Z")]
    assert after == [*before, ("2016-05-02T21:00:00Z", "2016-05-03T21:00:00Z")]


async def test_the_windows_of_a_truce_are_shown_where_only_an_area_of_it_changes(loaded: Api) -> None:
    value = {
        **area("city"),
        "geometry": {**area("city")["geometry"], "coordinates": [[[36, 33], [37, 33], [37, 35], [36, 33]]]},
    }
    answer = (await loaded.ask("PUT", "/v1/areas/city?dry_run=true", value)).json()
    assert [w["truce"] for w in answer["windows"]] == ["calm"]
    assert (await loaded.ask("PUT", "/v1/parties/un?dry_run=true", party("un"))).json()["windows"] == []


async def test_the_history_of_a_truce_is_a_list_with_author_reason_and_what_changed(loaded: Api) -> None:
    await loaded.ask("POST", "/v1/truces/calm/announcements?reason=Call+from+Geneva", NEXT)
    newest, first = (await loaded.ask("GET", "/v1/truces/calm/history")).json()["items"]
    assert (newest["registry_version"], newest["op"], newest["reason"]) == (2, "replace", "Call from Geneva")
    assert (newest["by"]["name"], newest["action"]) == ("our operator", "truces.announced")
    assert newest["changes"] == [{"field": "/announcements/x", "after": NEXT}]
    assert newest["valid"] == {"from": "2016-05-02T21:00:00Z", "to": "2016-05-03T21:00:00Z"}
    assert [[a["announcement"] for a in w] for w in newest["windows"]["after"]] == [["d"], ["x"]]
    assert (first["op"], first["windows"]["before"], first["changes"][0]["field"]) == ("add", [], "")
    assert "before" not in first["changes"][0]


async def test_the_history_of_the_registry_names_every_version(loaded: Api) -> None:
    await loaded.ask("PUT", "/v1/parties/un?reason=It+joined", party("un"))
    await loaded.ask("DELETE", "/v1/parties/un")
    items = (await loaded.ask("GET", "/v1/registry/history")).json()["items"]
    assert [(i["registry_version"], i["action"], i["reason"], i["change_count"]) for i in items] == [
        (3, "parties.deleted", None, 1),
        (2, "parties.put", "It joined", 1),
        (1, "registry.replaced", None, 7),
    ]
    assert items[1]["changes"] == [{"resource": "parties/un", "op": "add"}]
    as_of = items[1]["recorded_at"]
    stood = (await loaded.ask("GET", f"/v1/registry/history?as_of={as_of}&order=version")).json()["items"]
    assert [i["registry_version"] for i in stood] == [1, 2]
    assert (await loaded.ask("GET", "/v1/parties/un/history")).json()["items"][0]["op"] == "remove"
    assert (await loaded.ask("GET", "/v1/parties/eu/history")).status_code == 404


async def test_a_stale_dry_run_is_refused_too_and_says_the_version(loaded: Api) -> None:
    await loaded.ask("POST", "/v1/truces/calm/announcements", NEXT)
    for query in ("", "?dry_run=true"):
        answer = await loaded.ask("PUT", f"/v1/registry{query}", document(truces=[CALM]), if_match='"1"')
        assert answer.status_code == 412
        assert "version 2" in answer.json()["detail"]
    assert (await loaded.ask("PUT", "/v1/registry?dry_run=true", document(), if_match='"2"')).status_code == 200


async def test_as_it_stood_without_a_time_a_truce_has_all_its_windows(loaded: Api) -> None:
    stood = (await loaded.ask("GET", "/v1/registry/history")).json()["items"][0]["recorded_at"]
    loaded.clock.instant += 60_000_000
    await loaded.ask("POST", "/v1/truces/calm/announcements", NEXT)
    (calm,) = (await loaded.ask("GET", f"/v1/truces?as_of={stood}")).json()["items"]
    assert [w["announcements"] for w in calm["windows"]] == [["d"]]
    calm = (await loaded.ask("GET", "/v1/truces/calm?as_of=2099-01-01T00:00:00Z")).json()
    assert [w["announcements"] for w in calm["windows"]] == [["d"], ["x"]]
    assert "windows" not in (await loaded.ask("GET", "/v1/truces/calm")).json()


async def test_a_reason_is_kept_and_one_that_is_too_long_is_refused(loaded: Api) -> None:
    assert (await loaded.ask("PUT", "/v1/parties/un?reason=It+joined", party("un"))).status_code == 201
    answer = await loaded.ask("DELETE", f"/v1/parties/un?reason={'x' * 1_001}")
    assert (answer.status_code, list(errors(answer))) == (400, ["/reason"])


async def test_a_dry_run_tells_when_there_are_more_flips_than_it_shows(loaded: Api) -> None:
    loaded.flips = [Flip(f"inc{n}", "violation", "excluded") for n in range(1_200)]
    answer = (await loaded.ask("PUT", "/v1/registry?dry_run=true", document())).json()
    assert (len(answer["flips"]), answer["flip_count"], answer["truncated"]) == (1_000, 1_200, True)


async def test_a_resource_is_added_replaced_kept_and_removed(loaded: Api) -> None:
    body = {"kind": "other", "name": {"en": "UN"}}
    added = await loaded.ask("PUT", "/v1/parties/un", body)
    assert (added.status_code, added.headers["location"], added.json()["resource"]["id"]) == (
        201,
        "/v1/parties/un",
        "un",
    )
    same = await loaded.ask("PUT", "/v1/parties/un", {**body, "id": "un"})
    assert (same.status_code, same.headers["registry-version"]) == (200, "2")
    replaced = await loaded.ask("PUT", "/v1/parties/un", {**body, "umbrella": True})
    assert (replaced.status_code, replaced.headers["registry-version"]) == (200, "3")
    removed = await loaded.ask("DELETE", "/v1/parties/un")
    assert (removed.status_code, removed.json()) == (
        200, {"registry_version": 4, "reassessment": None, "resource": None}
    )  # fmt: skip
    assert (await loaded.ask("GET", "/v1/parties/un")).status_code == 404
    assert (await loaded.ask("DELETE", "/v1/parties/un")).status_code == 404
    assert loaded.adopted == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("areas/east", area("east")),
        ("places/homs", {"id": "homs", "name": "Homs", "lat": 34.7, "lon": 36.7, "radius_km": 5.0}),
        ("presence/p1", {"id": "p1", "party": "army", "area": "city", "control": "held"}),
        ("truces/other", truce("other")),
    ],
)
async def test_every_kind_is_put_read_listed_and_removed(loaded: Api, path: str, body: Json) -> None:
    assert (await loaded.ask("PUT", f"/v1/{path}", body)).status_code == 201
    kind, id = path.split("/")
    found = (await loaded.ask("GET", f"/v1/{path}")).json()
    assert found["id"] == id
    assert (await loaded.ask("PUT", f"/v1/{path}", found)).headers["registry-version"] == "2"
    assert found in (await loaded.ask("GET", f"/v1/{kind}")).json()["items"]
    assert (await loaded.ask("DELETE", f"/v1/{path}")).status_code == 200


async def test_faults_of_a_resource_point_into_it(loaded: Api) -> None:
    answer = await loaded.ask("PUT", "/v1/truces/new", {**truce("new"), "area": "nowhere", "guarantors": ["x"]})
    assert answer.status_code == 422
    assert set(errors(answer)) == {"/area", "/guarantors/0"}
    answer = await loaded.ask("PUT", "/v1/areas/city", {**area("city"), "geometry": {"type": "Point"}})
    assert set(errors(answer)) == {"/geometry/type"}
    answer = await loaded.ask("PUT", "/v1/parties/army", {**party("navy")})
    assert set(errors(answer)) == {"/id"}


async def test_an_id_left_to_the_address_must_be_one_all_the_same(loaded: Api) -> None:
    held = {"party": "army", "area": "city", "control": "held"}
    for body in (held, {**held, "id": None}):
        answer = await loaded.ask("PUT", "/v1/presence/no%20id%F0%9F%92%A3", body)
        assert answer.status_code == 422
        assert set(errors(answer)) == {"/id"}
    assert (await loaded.ask("PUT", "/v1/presence/p1", {**held, "id": None})).json()["resource"]["id"] == "p1"


async def test_what_is_referred_to_is_not_removed(loaded: Api) -> None:
    answer = await loaded.ask("DELETE", "/v1/areas/city")
    assert answer.status_code == 409
    assert [e["detail"] for e in answer.json()["errors"]] == ["truces/calm/area refers to it"]
    answer = await loaded.ask("DELETE", "/v1/parties/army")
    assert [e["detail"] for e in answer.json()["errors"]] == ["truces/calm/announcements/0/issuer refers to it"]
    assert await version(loaded) == 1


async def test_an_announcement_is_added_and_the_windows_that_follow_are_told(loaded: Api) -> None:
    answer = await loaded.ask("POST", "/v1/truces/calm/announcements", NEXT)
    assert answer.status_code == 201
    assert answer.json()["registry_version"] == 2
    assert [a["id"] for a in answer.json()["resource"]["announcements"]] == ["d", "x"]
    assert [(w["from"], w["to"]) for w in answer.json()["windows"]] == [
        ("2016-04-30T21:00:00Z", "2016-05-02T21:00:00Z"),
        ("2016-05-02T21:00:00Z", "2016-05-03T21:00:00Z"),
    ]
    kept = (await loaded.ask("GET", "/v1/truces/calm")).json()["announcements"]
    assert [a["id"] for a in kept] == ["d", "x"]
    assert "windows" not in (await loaded.ask("GET", "/v1/truces/calm")).json()


async def test_faults_of_an_announcement_point_into_it(loaded: Api) -> None:
    for body, pointers in [
        ({**NEXT, "issuer": "nobody", "duration": "PT1M"}, {"/issuer", "/duration"}),
        ({**NEXT, "id": "d"}, {"/id"}),
        ({**NEXT, "starts_at": 7, "ends_at": "", "duration": []}, {"/starts_at", "/ends_at", "/duration"}),
        ({"id": "y"}, {"/issuer", "/action", "/announced_at"}),
    ]:
        answer = await loaded.ask("POST", "/v1/truces/calm/announcements", body)
        assert answer.status_code == 422
        assert set(errors(answer)) == pointers
    assert (await loaded.ask("POST", "/v1/truces/storm/announcements", NEXT)).status_code == 404


async def test_a_withdrawal_holds_in_recorded_time_from_then_on(loaded: Api) -> None:
    before = "2016-05-08T12:00:00Z"
    loaded.clock.instant += 1_000_000
    gone = announcement("w", "withdraw", "04 00", withdraws="d")
    assert (await loaded.ask("POST", "/v1/truces/calm/announcements", gone)).json()["windows"] == []
    at = "at=2016-05-02T00:00:00Z"
    now = (await loaded.ask("GET", f"/v1/truces/calm?{at}")).json()
    then = (await loaded.ask("GET", f"/v1/truces/calm?{at}&as_of={before}")).json()
    assert (now["in_force"], then["in_force"]) == (False, True)


async def test_windows_at_a_time_tell_what_they_rest_on_and_where_they_are_disputed(api: Api) -> None:
    await api.ask("PUT", "/v1/registry", registry_document())
    items = (await api.ask("GET", "/v1/truces?at=2016-05-04T12:00:00%2B03:00")).json()["items"]
    found = {truce["id"]: truce for truce in items}
    assert [id for id, truce in found.items() if truce["in_force"]] == ["aleppo-calm", "cessation-of-hostilities"]
    (window,) = found["aleppo-calm"]["windows"]
    assert window["announcements"] == ["army-20160504", "russia-20160504", "us-20160504"]
    assert window["disputed"] is True
    assert window["stretches"][0] == {
        "from": "2016-05-03T21:01:00Z", "to": "2016-05-06T22:00:00Z", "area": "aleppo-governorate", "disputed": True,
        "announcements": ["us-20160504"],
    }  # fmt: skip
    assert window["stretches"][1] == {
        "from": "2016-05-04T22:00:00Z", "to": "2016-05-06T21:00:00Z", "area": "aleppo-city", "disputed": False,
        "announcements": ["army-20160504", "russia-20160504", "us-20160504"],
    }  # fmt: skip
    every = (await api.ask("GET", "/v1/truces/aleppo-calm/windows")).json()
    assert len(every) == 3


async def test_the_registry_is_read_as_of_any_recorded_time(loaded: Api) -> None:
    loaded.clock.instant += 10_000_000
    await loaded.ask("PUT", "/v1/parties/un", {"kind": "other", "name": {"en": "UN"}})
    before, after = "2016-05-08T12:00:09Z", "2016-05-08T12:00:10Z"
    for path in ("/v1/parties/un", "/v1/parties", "/v1/registry"):
        then = await loaded.ask("GET", f"{path}?as_of={before}")
        now = await loaded.ask("GET", f"{path}?as_of={after}")
        assert '"UN"' not in then.text
        assert '"UN"' in now.text
        assert now.headers["registry-version"] == "2"
    assert (await loaded.ask("GET", "/v1/registry?as_of=2016-05-01T00:00:00Z")).headers["registry-version"] == "0"


@pytest.mark.parametrize(
    "query",
    [
        "as_of=yesterday", "as_of=2016-05-08T12:00:00", "at=now", "limit=0", "after=%25", "at=9999-12-31T23:59:59Z",
        "as_of=0001-01-01T00:00:00Z", "at=9999-12-31T00:00:00%2B00:00", "at=2016-05-08T23:59:60Z",
    ],
)  # fmt: skip
async def test_a_query_that_means_nothing_is_400(loaded: Api, query: str) -> None:
    answer = await loaded.ask("GET", f"/v1/truces?{query}")
    assert answer.status_code == 400
    assert list(errors(answer)) == [f"/{query.partition('=')[0]}"]


@pytest.mark.parametrize("at", ["0001-01-02T00:00:00Z", "9999-12-30T23:59:59.999999Z", "2016-06-30T23:59:60Z"])
async def test_windows_can_be_asked_for_at_any_time_of_the_calendar(loaded: Api, at: str) -> None:
    assert (await loaded.ask("GET", f"/v1/truces?at={at}")).status_code == 200


async def test_a_feature_as_mapping_tools_write_it_is_put_under_its_number(loaded: Api) -> None:
    ring = [[10, 10], [11, 10], [11, 11], [10, 11], [10, 10]]
    feature = {
        "type": "Feature", "id": 7, "bbox": [10, 10, 11, 11], "properties": {"name": {"en": "Zone 7"}},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip
    assert (await loaded.ask("PUT", "/v1/areas/7", feature)).status_code == 201
    kept = (await loaded.ask("GET", "/v1/areas/7")).json()
    assert (kept["id"], "bbox" in kept) == ("7", False)
    refused = await loaded.ask("PUT", "/v1/areas/8", feature)
    assert (refused.status_code, list(errors(refused))) == (422, ["/id"])


async def test_lists_come_in_pages(loaded: Api) -> None:
    seen, after = [], ""
    for _ in range(3):
        page = (await loaded.ask("GET", f"/v1/parties?limit=1{after}")).json()
        seen += [item["id"] for item in page["items"]]
        after = f"&after={page['next']}"
    assert seen == ["army", "rebels", "russia"]
    assert (page["has_more"], page["next"]) == (False, None)


async def test_a_change_made_from_an_old_version_is_412(loaded: Api) -> None:
    first = await loaded.ask("GET", "/v1/parties/army")
    await loaded.ask("PUT", "/v1/parties/un", {"kind": "other", "name": {"en": "UN"}})
    mine = {**first.json(), "umbrella": True}
    fine = await loaded.ask("PUT", "/v1/parties/army", mine, if_match=first.headers["etag"])
    assert (fine.status_code, fine.headers["etag"]) == (200, '"3"')
    stale = await loaded.ask("PUT", "/v1/parties/army", first.json(), if_match=first.headers["etag"])
    assert stale.status_code == 412
    assert (await loaded.ask("PUT", "/v1/registry", document(), if_match='"1"')).status_code == 412
    assert (await loaded.ask("PUT", "/v1/parties/army", mine, if_none_match="*")).status_code == 412
    assert (await loaded.ask("DELETE", "/v1/parties/un", if_match='"9"')).status_code == 412


async def test_what_has_not_changed_is_304(loaded: Api) -> None:
    first = await loaded.ask("GET", "/v1/parties/army")
    again = await loaded.ask("GET", "/v1/parties/army", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


async def test_every_key_reads_and_only_operators_change(loaded: Api) -> None:
    for role in ("partner", "monitor"):
        for path in ("registry", "parties", "areas", "places", "presence", "truces", "truces/calm"):
            assert (await loaded.ask("GET", f"/v1/{path}", role=role)).status_code == 200
        for method, path in [
            ("PUT", "registry"), ("PUT", "parties/un"), ("DELETE", "parties/un"), ("POST", "truces/calm/announcements"),
        ]:  # fmt: skip
            assert (await loaded.ask(method, f"/v1/{path}", {}, role=role)).status_code == 403
    assert (await loaded.ask("GET", "/v1/registry", role="nobody")).status_code == 401


WIDE = truce(
    "calm", announcement("d", "declare", "01 00", starts_at="2016-05-01", ends_at="2016-05-03", area="country")
)


async def test_a_dry_run_warns_of_an_extension_that_loses_ground_by_naming_no_area(loaded: Api) -> None:
    square = {"type": "Polygon", "coordinates": [[[30, 30], [40, 30], [40, 40], [30, 40], [30, 30]]]}
    areas = {"type": "FeatureCollection", "features": [area("city"), area("country", square)]}
    assert (await loaded.ask("PUT", "/v1/registry", document(truces=[WIDE], areas=areas))).status_code == 200
    path = "/v1/truces/calm/announcements?dry_run=true"

    async def warned(**more: str) -> list[Json]:
        found: list[Json] = (await loaded.ask("POST", path, {**NEXT, **more})).json()["warnings"]
        return found

    (warning,) = await warned()
    assert warning["pointer"] == "/area"
    assert warning["detail"].endswith("'d' holds in 'country', which is wider")
    assert [await warned(extends="d"), await warned(area="city")] == [[warning], []]
    await loaded.ask("POST", path.removesuffix("?dry_run=true"), {**NEXT, "area": "city"})
    assert await warned(id="y", announced_at="2016-05-02T09:00:00Z") == []
