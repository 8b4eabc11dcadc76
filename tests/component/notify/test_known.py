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
from services.notify.domain.known import KnownIds, NamedId
from services.notify.use_cases.known import KnownRegistry
from tests.component.notify.running import RunningNotify, running_notify
from tests.parts.mail import Mailbox, ReceivedMail
from tests.parts.receiver import Receiver

MADE = {"truces": ["aleppo-calm", "latakia-calm"], "areas": ["aleppo-city"], "parties": ["opposition", "civilians"]}


@pytest.fixture
async def notify(tmp_path: Path) -> AsyncIterator[RunningNotify]:
    async with running_notify(tmp_path) as opened:
        await change(notify=opened, ids=[(kind, id) for kind in MADE for id in MADE[kind]])
        yield opened


async def change(
    notify: RunningNotify,
    ids: list[tuple[Any, str]],
    version: int = 1,
    *,
    there: bool = True,
    at: str = "2016-05-08T12:00:00Z",
) -> None:
    """Put changes of the registry on the log, as rules does."""
    body = {"id": "x"} if there else None
    await notify.runtime.bus.publish(
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


async def errors(notify: RunningNotify, method: str, path: str, body: Any) -> dict[str, str]:
    answer = await notify.call(method, path, body)
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


async def test_ids_that_the_registry_does_not_have_are_named_with_the_nearest(notify: RunningNotify) -> None:
    wrong = draft(truces=["aleppo-calm", "alepo-calm"], areas=["Aleppo-City"], parties=["oposition"])
    found = await errors(notify, "POST", "/v1/subscriptions", wrong)
    assert list(found) == ["/filter/truces/1", "/filter/areas/0", "/filter/parties/0"]
    for pointer, near in zip(found, ("aleppo-calm", "aleppo-city", "opposition"), strict=True):
        assert f"nearest is '{near}'" in found[pointer]
    assert (await notify.get("/v1/subscriptions"))["items"] == []
    meant = await notify.call("POST", "/v1/subscriptions?allow_unknown=true", wrong)
    assert meant.status_code == 201
    assert (await notify.call("POST", "/v1/subscriptions?allow_unknown=perhaps", wrong)).status_code == 400
    path = f"/v1/subscriptions/{meant.json()['id']}"
    assert (await notify.call("PATCH", path, {"name": "What stood there may stay"})).status_code == 200
    assert list(await errors(notify, "PATCH", path, {"filter": {"truces": ["latakia"]}})) == ["/filter/truces/0"]


async def test_a_silence_of_an_unknown_id_is_refused_and_an_expression_is_not(notify: RunningNotify) -> None:
    wrong = {"name": "party", "value": "opositon"}
    right = [{"name": "truce", "value": "aleppo-calm"}, {"name": "act", "value": "arrest"}]
    found = await errors(notify, "POST", "/v1/silences", silence(*right, wrong))
    assert list(found) == ["/matchers/2/value"]
    assert "'opposition'" in found["/matchers/2/value"]
    for path, body in (
        ("/v1/silences", silence(*right)),
        ("/v1/silences", silence({"name": "area", "value": "nowhere.*", "is_regex": True})),
        ("/v1/silences?allow_unknown=true", silence(wrong)),
    ):
        assert (await notify.call("POST", path, body)).status_code == 201


async def test_an_id_is_known_as_soon_as_it_is_on_the_log_and_no_longer_once_it_was_deleted(
    notify: RunningNotify,
) -> None:
    for version in range(2, 12):
        await change(notify, [("truces", f"new-{version}")], version)
        assert (await notify.call("POST", "/v1/subscriptions", draft(truces=[f"new-{version}"]))).status_code == 201
    await change(notify, [("truces", "new-5")], 12, there=False)
    assert not notify.service.state["registry"].known.find_unknown([NamedId("", "areas", "aleppo-city")])
    await errors(notify, "POST", "/v1/subscriptions", draft(truces=["not-there"]))  # reads all there is
    assert list(await errors(notify, "POST", "/v1/subscriptions", draft(truces=["new-5"]))) == ["/filter/truces/0"]


async def test_nothing_is_refused_while_the_registry_is_empty_or_cannot_be_read(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        assert (await notify.call("POST", "/v1/subscriptions", draft(truces=["any"]))).status_code == 201

    async def behind() -> bool:
        return False

    known = KnownIds()
    known.apply("truces", "aleppo-calm", 1, there=True)
    assert await KnownRegistry(known, behind).find_faults([NamedId("/filter/truces/0", "truces", "just-made")]) == []


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 9), st.booleans())), st.randoms())
def test_changes_lead_to_the_same_in_any_order(changes: list[tuple[str, int, bool]], random: Any) -> None:
    newest = {(id, version): there for id, version, there in changes}  # one version says one thing of an id
    one, other = KnownIds(), KnownIds()
    told = [(id, version, there) for (id, version), there in newest.items()]
    for known in (one, other):
        for id, version, there in told:
            known.apply("parties", id, version, there=there)
        random.shuffle(told)
    asked = [NamedId("", "parties", id) for id in ("a", "b")]
    assert one.find_unknown(asked) == other.find_unknown(asked)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=80, unique=True), st.text(max_size=20))
def test_the_nearest_is_one_that_is_there_and_an_id_itself_where_it_is(ids: list[str], asked: str) -> None:
    known = KnownIds()
    for id in ids:
        known.apply("areas", id, 1, there=True)
    assert known.nearest("areas", asked) in ids
    assert known.nearest("areas", ids[0].swapcase()) is not None


async def test_a_filter_that_names_what_a_change_took_away_is_shown_until_it_is_there_again(
    notify: RunningNotify,
) -> None:
    url = "http://127.0.0.1:9/x"
    made = await notify.subscribe(
        "tw_operator", name="Aleppo desk", channel={"type": "webhook", "url": url}, verified=True,
        filter={"truces": ["aleppo-calm", "latakia-calm"], "parties": ["opposition"]},
    )  # fmt: skip
    assert shown(notify) == []
    await change(
        notify, [("truces", "aleppo-calm"), ("parties", "opposition")], 2, there=False, at="2016-05-08T12:30:00Z"
    )
    await read_all(notify)
    assert shown(notify) == [
        {
            "id": made["id"],
            "name": "Aleppo desk",
            "since": "2016-05-08T12:30:00Z",
            "reason": "its filter names what the registry no longer has: truces/aleppo-calm, parties/opposition",
        }
    ]
    await change(notify, [("truces", "aleppo-calm"), ("parties", "opposition")], 3, at="2016-05-08T12:40:00Z")
    await read_all(notify)
    assert shown(notify) == []


async def test_an_id_that_the_registry_lacked_when_it_was_named_is_not_taken_away(notify: RunningNotify) -> None:
    await change(notify, [("truces", "aleppo-calm")], 2, there=False, at="2016-05-08T11:00:00Z")
    wanted = {**draft(truces=["aleppo-calm", "never-there"]), "verified": True}
    assert (
        await notify.call("POST", "/v1/subscriptions?allow_unknown=true", wanted, key="tw_operator")
    ).status_code == 201
    await change(notify, [("truces", "latakia-calm")], 3, there=False, at="2016-05-08T12:30:00Z")
    await read_all(notify)
    assert shown(notify) == []


async def read_all(notify: RunningNotify) -> None:
    """An id that is not there makes notify read the registry to its end."""
    await errors(notify, "POST", "/v1/subscriptions", draft(truces=["not-there"]))


def shown(notify: RunningNotify) -> list[dict[str, Any]]:
    return list(notify.service.status()["subscriptions"]["failing"])


async def test_the_owner_is_mailed_once_for_each_change_that_takes_away_what_a_filter_names(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Mailbox() as mailbox:
        async with running_notify(tmp_path, smtp_url=mailbox.url) as notify:
            await change(notify, [(kind, id) for kind in MADE for id in MADE[kind]])
            channel = {"type": "webhook", "url": receiver.url("/hook")}
            wanted = {"truces": ["aleppo-calm", "latakia-calm"]}
            await notify.subscribe(name="Desk", channel=channel, contact="desk@example.org", filter=wanted)
            await notify.confirm(mailbox, "desk@example.org")
            mailbox.forget()
            for version, truce in ((2, "aleppo-calm"), (3, "latakia-calm")):
                at = f"2016-05-08T12:0{version}:00Z"
                await change(notify, [("truces", truce)], version, there=False, at=at)
                await read_all(notify)
                for _ in range(2):
                    await notify.service.state["keep_alive"](notify.clock.now())
                    await notify.settle()
            first, second = mailbox.letters("desk@example.org")
            assert "Desk" in first.message["Subject"]
            assert "truces/aleppo-calm" in text_of(first)
            assert "latakia" not in text_of(first)
            assert "truces/aleppo-calm, truces/latakia-calm" in text_of(second)
            await notify.at(2 * 86_400)
            await notify.service.state["keep_alive"](notify.clock.now())
            await notify.settle()
            assert len(mailbox.letters()) == 2


def text_of(letter: ReceivedMail) -> str:
    body = letter.message.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())
