"""ACLED, UCDP, HXL files and tables as lists that are read again and again, from local imitations of their APIs."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openpyxl
import pytest

from tests.component.ingest.running import RunningIngest, running_ingest
from tests.component.ingest.test_adapters import poll, shown, stored
from tests.parts.data_server import ACLED, ACLED_DELETED, KEY, LOGIN, UCDP, DataServer
from tests.unit.connectors.reading import sample

HXL: Final = "/incidents.csv"
TABLE: Final = "/patrols.xlsx"
HXL_ACTS: Final = {"act": {"Tir de mortier": "mortar", "Frappe aérienne": "airstrike"}}


@pytest.fixture
def source() -> Iterator[DataServer]:
    with DataServer() as server:
        yield server


def events(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of ACLED's page, with some changed, by their number from 0."""
    found: list[dict[str, Any]] = json.loads(sample("acled_api_page.json"))["data"]
    return [{**one, **(changes[number] if number < len(changes) else {})} for number, one in enumerate(found)]


def releases() -> list[dict[str, Any]]:
    """Events of UCDP that ended before the present of the tests."""
    found: list[dict[str, Any]] = json.loads(sample("ucdp_api_page.json"))["Result"]
    return [one for one in found if one["date_end"] < "2016-05"]


def workbook(*rows: tuple[Any, ...]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


async def put(ingest: RunningIngest, kind: str, url: str, token: str | None = None, **changes: Any) -> None:
    polled = {"url": url, "every": "PT10S", "full_every": "PT1M", "token": token}
    body = {"kind": kind, "partner": "Analysts", "poll": polled, **changes}
    answer = await ingest.operator.put("/v1/adapters/data", json=body)
    assert answer.is_success, answer.text


async def state(ingest: RunningIngest) -> dict[str, Any]:
    return await shown(ingest, "data")


async def counts(ingest: RunningIngest) -> tuple[int, int, int]:
    found = await state(ingest)
    assert found["failing"] is None
    return found["read"], found["refused"], found["withdrawn"]


async def test_acled_is_read_by_pages_then_by_timestamp_and_in_full_again(
    ingest: RunningIngest, source: DataServer
) -> None:
    source.has(ACLED, events())
    await put(ingest, "acled", source.url(ACLED) + "?country=Syria")
    await poll(ingest)
    assert await counts(ingest) == (3, 0, 0)
    assert [target.partition("?")[2] for target in source.asked] == [
        "country=Syria", "country=Syria&page=2", "country=Syria&page=3",
    ]  # fmt: skip
    later = {"fatalities": 5, "timestamp": 1700000500}
    source.has(ACLED, events({}, later))
    await poll(ingest, after_s=11)
    found = await stored(ingest, "acled-SYR900002")
    assert (found["revision"], found["report"]["casualties"]) == (2, {"killed": 5})
    assert (await stored(ingest, "acled-SYR900001"))["revision"] == 1
    assert "timestamp=16999999" in source.asked[3]
    # The full pass finds what was deleted, and undoes nothing.
    source.has(ACLED, events({}, later)[:2])
    await poll(ingest, after_s=70)
    assert (await stored(ingest, "acled-SYR900003"))["state"] == "retracted"
    assert (await stored(ingest, "acled-SYR900002"))["revision"] == 2


async def test_deletions_of_acled_are_retractions(ingest: RunningIngest, source: DataServer) -> None:
    source.has(ACLED, events())
    await put(ingest, "acled", source.url(ACLED))
    await poll(ingest)
    source.has(ACLED_DELETED, [{"event_id_cnty": "SYR900002", "deleted_timestamp": 1700009999}])
    body = {"kind": "acled", "partner": "Analysts", "poll": {"url": source.url(ACLED_DELETED), "every": "PT10S"}}
    assert (await ingest.operator.put("/v1/adapters/deleted", json=body)).is_success
    await poll(ingest)
    assert (await stored(ingest, "acled-SYR900002"))["state"] == "retracted"
    # What the list had before the deletion does not bring it back.
    await poll(ingest, after_s=70)
    assert (await stored(ingest, "acled-SYR900002"))["state"] == "retracted"


async def test_acled_is_asked_for_a_key_by_user_and_password(ingest: RunningIngest, source: DataServer) -> None:
    source.closed = True
    source.has(ACLED, events())
    for token, failing in ((LOGIN, False), (KEY, False), (LOGIN + "!", True), ("another key", True)):
        await put(ingest, "acled", source.url(ACLED), token)
        await poll(ingest)
        assert ((await state(ingest))["failing"] is not None) == failing, token
    source.lists[ACLED] = []
    source.closed = False
    await poll(ingest, after_s=11)
    assert (await state(ingest))["failing"] is None


async def test_a_cursor_of_acled_survives_a_restart(tmp_path: Path, source: DataServer) -> None:
    source.has(ACLED, events())
    async with running_ingest(tmp_path) as ingest:
        await put(ingest, "acled", source.url(ACLED))
        await poll(ingest)
    async with running_ingest(tmp_path) as ingest:
        await poll(ingest, after_s=11)
        assert "timestamp=" in source.asked[-1]
        assert (await stored(ingest, "acled-SYR900001"))["revision"] == 1


async def test_ucdp_is_read_by_its_links_with_its_own_header_and_revisions_are_found(
    ingest: RunningIngest, source: DataServer
) -> None:
    source.closed = True
    known = releases()
    source.has(UCDP, known)
    await put(ingest, "ucdp", source.url(UCDP), KEY)
    await poll(ingest)
    assert await counts(ingest) == (len(known), 0, 0)
    assert len(source.asked) == -(-len(known) // 2)
    edited, gone, *rest = known
    source.has(UCDP, [{**edited, "best": 9}, *rest])
    await poll(ingest, after_s=11)
    assert (await stored(ingest, f"ucdp-{edited['id']}"))["report"]["casualties"] == {"killed": 9}
    assert (await stored(ingest, f"ucdp-{gone['id']}"))["state"] == "retracted"
    assert (await stored(ingest, f"ucdp-{rest[0]['id']}"))["revision"] == 1


async def test_a_release_of_ucdp_withdraws_nothing_of_the_months_that_it_does_not_cover(
    ingest: RunningIngest, source: DataServer
) -> None:
    source.has(UCDP, releases())
    await put(ingest, "ucdp", source.url(UCDP))
    await poll(ingest)
    march = [one for one in releases() if one["date_end"].startswith("2016-03")]
    source.has(UCDP, march)
    await poll(ingest, after_s=11)
    assert (await counts(ingest))[2] == 0


async def test_a_file_with_hashtags_is_read_whole_and_skipped_while_it_is_the_same(
    ingest: RunningIngest, source: DataServer
) -> None:
    source.files[HXL] = sample("hxl_incidents.csv")
    await put(ingest, "hxl", source.url(HXL), choices=HXL_ACTS)
    await poll(ingest)
    assert await counts(ingest) == (2, 1, 0)
    await poll(ingest, after_s=11)
    assert (await counts(ingest))[0] == 2
    [letter] = (await ingest.operator.get("/v1/dead-letters")).json()["items"]
    assert "Autre chose" in letter["reason"]
    lines = sample("hxl_incidents.csv").decode().splitlines(keepends=True)
    source.files[HXL] = "".join(lines[:3] + lines[4:]).encode()
    await poll(ingest, after_s=11)
    assert (await counts(ingest))[2] == 1
    # The table is completed, and the letter read again.
    acts = {"act": {**HXL_ACTS["act"], "Autre chose": "other"}}
    await put(ingest, "hxl", source.url(HXL), choices=acts)
    assert (await ingest.operator.post(f"/v1/dead-letters/{letter['id']}/retry")).is_success
    await ingest.run_loops()
    assert (await ingest.operator.get("/v1/dead-letters")).json()["items"] == []


async def test_a_workbook_is_read_by_the_operators_columns_and_the_others_are_never_stored(
    ingest: RunningIngest, source: DataServer
) -> None:
    header = ("No", "Day", "What", "Place", "Reporter")
    source.files[TABLE] = workbook(
        header, ("P1", "2016-02-28", "mortar", "Ariha", "Amina Q."), ("P2", "x", "fire", "", "")
    )
    fields = {"external_id": "No", "occurred": "Day", "act": "What", "location.place": "Place"}
    await put(ingest, "table", source.url(TABLE), fields=fields, choices={"act": {"mortar": "mortar"}}, form="Patrols")
    await poll(ingest)
    assert await counts(ingest) == (1, 1, 0)
    assert (await stored(ingest, "P1"))["report"]["act"] == "mortar"
    letters = json.dumps((await ingest.operator.get("/v1/dead-letters")).json())
    assert "P2" in letters
    assert "Amina" not in letters + json.dumps(await stored(ingest, "P1"))
    source.files[TABLE] = workbook(header, ("P1", "2016-02-28", "mortar", "Saraqib", "Amina Q."))
    await poll(ingest, after_s=11)
    assert (await stored(ingest, "P1"))["revision"] == 2


async def test_a_file_from_which_nothing_can_be_read_says_why_and_withdraws_nothing(
    ingest: RunningIngest, source: DataServer
) -> None:
    source.files[HXL] = sample("hxl_incidents.csv")
    await put(ingest, "hxl", source.url(HXL), choices=HXL_ACTS)
    await poll(ingest)
    for body in (sample("hxl_aggregate_deaths_by_year_admin1_bgd.csv"), b"", b"\x00\x01", b"<html>"):
        source.files[HXL] = body
        await poll(ingest, after_s=11)
        found = await state(ingest)
        assert found["failing"]["reason"]
        assert found["withdrawn"] == 0


async def test_a_file_may_be_posted_and_previewed_too(ingest: RunningIngest, source: DataServer) -> None:
    await put(ingest, "hxl", source.url(HXL), choices=HXL_ACTS, secret="a long secret")
    answer = await ingest.operator.post("/v1/adapters/data/preview", content=sample("hxl_incidents.csv"))
    assert [one["status"] for one in answer.json()["results"]] == [202, 202, 422]
    assert answer.json()["unknown"] == [{"field": "act", "value": "Autre chose", "count": 1}]
    posted = await ingest.client(None).post(
        "/v1/inbound/data", content=sample("hxl_incidents.csv"), headers={"x-trucewatch-secret": "a long secret"}
    )
    assert [one["status"] for one in posted.json()["results"]] == [202, 202, 422]


async def test_private_networks_are_refused_and_what_is_not_mapped_by_hand_is_said(ingest: RunningIngest) -> None:
    for kind, changes, pointer in (
        ("acled", {"poll": {"url": "http://10.1.2.3/api/acled/read"}}, "/poll/url"),
        ("acled", {"fields": {"act": "sub_event_type"}}, "/fields/act"),
        ("hxl", {"fields": {"claims": "#x"}}, "/fields/claims"),
        ("table", {"fields": {"nothing": "A"}}, "/fields/nothing"),
    ):
        body = {"kind": kind, "partner": "Analysts", **changes}
        answer = await ingest.operator.put("/v1/adapters/data", json=body)
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
