"""Ids that the registry does not have are refused with the nearest one, and never one that was just made."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import RegistryChanged
from schemas.topics import REGISTRY
from services.notify.domain.known import KnownIds, Named
from services.notify.use_cases.known import Registry
from tests.unit.notify.desk import Desk, running

MADE = {"truces": ["aleppo-calm", "latakia-calm"], "areas": ["aleppo-city"], "parties": ["opposition", "civilians"]}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running(tmp_path) as opened:
        await change(desk=opened, ids=[(kind, id) for kind in MADE for id in MADE[kind]])
        yield opened


async def change(desk: Desk, ids: list[tuple[Any, str]], version: int = 1, *, there: bool = True) -> None:
    """Put changes of the registry on the log, as rules does."""
    body = {"id": "x"} if there else None
    at = "2016-05-08T12:00:00Z"
    await desk.runtime.bus.publish(
        [
            encode(
                REGISTRY, RegistryChanged(kind, id, version, at, body, False), key=f"{kind}/{id}",
                id=f"{version}-{kind}/{id}", time=at,
            )
            for kind, id in ids
        ]
    )  # fmt: skip


def draft(**filter: Any) -> dict[str, Any]:
    return {"name": "Desk", "channel": {"type": "webhook", "url": "http://127.0.0.1:9/x"}, "filter": filter}


def silence(*matchers: dict[str, Any]) -> dict[str, Any]:
    return {"matchers": list(matchers), "ends_at": "2016-05-08T13:00:00Z", "reason": "exercise"}


async def errors(desk: Desk, method: str, path: str, body: Any) -> dict[str, str]:
    answer = await desk.call(method, path, body)
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


async def test_ids_that_the_registry_does_not_have_are_named_with_the_nearest(desk: Desk) -> None:
    wrong = draft(truces=["aleppo-calm", "alepo-calm"], areas=["Aleppo-City"], parties=["oposition"])
    found = await errors(desk, "POST", "/v1/subscriptions", wrong)
    assert list(found) == ["/filter/truces/1", "/filter/areas/0", "/filter/parties/0"]
    for pointer, near in zip(found, ("aleppo-calm", "aleppo-city", "opposition"), strict=True):
        assert f"nearest is '{near}'" in found[pointer]
    assert (await desk.get("/v1/subscriptions"))["items"] == []
    meant = await desk.call("POST", "/v1/subscriptions?allow_unknown=true", wrong)
    assert meant.status_code == 201
    assert (await desk.call("POST", "/v1/subscriptions?allow_unknown=perhaps", wrong)).status_code == 400
    path = f"/v1/subscriptions/{meant.json()['id']}"
    assert (await desk.call("PATCH", path, {"name": "What stood there may stay"})).status_code == 200
    assert list(await errors(desk, "PATCH", path, {"filter": {"truces": ["latakia"]}})) == ["/filter/truces/0"]


async def test_a_silence_of_an_unknown_id_is_refused_and_an_expression_is_not(desk: Desk) -> None:
    wrong = {"name": "party", "value": "opositon"}
    right = [{"name": "truce", "value": "aleppo-calm"}, {"name": "act", "value": "arrest"}]
    found = await errors(desk, "POST", "/v1/silences", silence(*right, wrong))
    assert list(found) == ["/matchers/2/value"]
    assert "'opposition'" in found["/matchers/2/value"]
    for path, body in (
        ("/v1/silences", silence(*right)),
        ("/v1/silences", silence({"name": "area", "value": "nowhere.*", "is_regex": True})),
        ("/v1/silences?allow_unknown=true", silence(wrong)),
    ):
        assert (await desk.call("POST", path, body)).status_code == 201


async def test_an_id_is_known_as_soon_as_it_is_on_the_log_and_no_longer_once_it_was_deleted(desk: Desk) -> None:
    for version in range(2, 12):
        await change(desk, [("truces", f"new-{version}")], version)
        assert (await desk.call("POST", "/v1/subscriptions", draft(truces=[f"new-{version}"]))).status_code == 201
    await change(desk, [("truces", "new-5")], 12, there=False)
    assert not desk.service.state["registry"].known.find_unknown([Named("", "areas", "aleppo-city")])
    await errors(desk, "POST", "/v1/subscriptions", draft(truces=["not-there"]))  # reads all there is
    assert list(await errors(desk, "POST", "/v1/subscriptions", draft(truces=["new-5"]))) == ["/filter/truces/0"]


async def test_nothing_is_refused_while_the_registry_is_empty_or_cannot_be_read(tmp_path: Path) -> None:
    async with running(tmp_path) as desk:
        assert (await desk.call("POST", "/v1/subscriptions", draft(truces=["any"]))).status_code == 201

    async def behind() -> bool:
        return False

    known = KnownIds()
    known.apply("truces", "aleppo-calm", 1, there=True)
    assert await Registry(known, behind).find_faults([Named("/filter/truces/0", "truces", "just-made")]) == []


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 9), st.booleans())), st.randoms())
def test_changes_lead_to_the_same_in_any_order(changes: list[tuple[str, int, bool]], random: Any) -> None:
    newest = {(id, version): there for id, version, there in changes}  # one version says one thing of an id
    one, other = KnownIds(), KnownIds()
    told = [(id, version, there) for (id, version), there in newest.items()]
    for known in (one, other):
        for id, version, there in told:
            known.apply("parties", id, version, there=there)
        random.shuffle(told)
    asked = [Named("", "parties", id) for id in ("a", "b")]
    assert one.find_unknown(asked) == other.find_unknown(asked)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=80, unique=True), st.text(max_size=20))
def test_the_nearest_is_one_that_is_there_and_an_id_itself_where_it_is(ids: list[str], asked: str) -> None:
    known = KnownIds()
    for id in ids:
        known.apply("areas", id, 1, there=True)
    assert known.nearest("areas", asked) in ids
    assert known.nearest("areas", ids[0].swapcase()) is not None
