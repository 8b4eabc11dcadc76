"""stale-report, If-Match and entity tags, as HTTP says them. Source: the contract, "Incident reports"."""

from typing import Any

import httpx
import pytest

from services.platform.http.etags import read_tags
from services.platform.http.problems import Problem
from tests.component.ingest.running import RunningIngest, report


async def correct(ingest: RunningIngest) -> list[httpx.Response]:
    """An incident with two revisions, "first" and "second"."""
    return [await ingest.partner.post("/v1/incidents", json=report(description=text)) for text in ("first", "second")]


async def test_an_old_file_sent_again_is_refused_with_the_revision_that_it_equals(ingest: RunningIngest) -> None:
    first, second = await correct(ingest)
    assert (first.headers["etag"], second.headers["etag"]) == ('"1"', '"2"')
    answer = await ingest.partner.post("/v1/incidents", json=report(description="first"))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["revision"], problem["latest"]) == ("stale-report", 1, 2)
    assert 'If-Match: "2"' in problem["detail"]
    assert (await ingest.partner.get(first.headers["location"])).json()["report"]["description"] == "second"


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('"2"', 202),
        ('"2-0a1b"', 202),
        ('"7", "2"', 202),
        ('"1"', 412),
        ('W/"2"', 412),
        ("*", 412),
        ('"x"', 412),
        ("2", 400),
        ("", 400),
        ('"2', 400),
    ],
)
async def test_if_match_decides_what_an_old_file_may_do(ingest: RunningIngest, tag: str, status: int) -> None:
    await correct(ingest)
    answer = await ingest.partner.post("/v1/incidents", json=report(description="first"), headers={"if-match": tag})
    assert answer.status_code == status, answer.text
    if status == 412:
        assert (answer.headers["etag"], answer.json()["latest"]) == ('"2"', 2)


async def test_the_tag_of_an_incident_as_it_was_read_is_good_for_if_match(ingest: RunningIngest) -> None:
    _, second = await correct(ingest)
    tag = (await ingest.partner.get(second.headers["location"])).headers["etag"]
    client, url = ingest.partner, second.headers["location"] + "/retraction"
    refused = await client.post(url, json={"reason": "wrong"}, headers={"if-match": '"1"'})
    assert refused.status_code == 412
    assert (await client.post(url, json={"reason": "wrong"}, headers={"if-match": tag})).status_code == 202
    assert (await client.post(url, json={"reason": "other"}, headers={"if-match": tag})).status_code == 412


async def test_in_a_batch_each_item_answers_for_itself(ingest: RunningIngest) -> None:
    await correct(ingest)
    batch = [report(external_id="new"), report(description="first"), report(description="second"), {"bad": 1}]
    results = (await ingest.partner.post("/v1/incidents/batch", json=batch)).json()["results"]
    assert [one["status"] for one in results] == [202, 409, 200, 422]
    stale: dict[str, Any] = results[1]["problem"]
    assert (stale["type"], stale["revision"]) == ("stale-report", 1)
    tagged = await ingest.partner.post("/v1/incidents/batch", json=batch, headers={"if-match": '"1"'})
    assert tagged.status_code == 400


async def test_an_idempotency_key_of_a_refused_report_is_free_for_the_one_that_is_meant(ingest: RunningIngest) -> None:
    await correct(ingest)
    headers = {"idempotency-key": "k"}
    assert (
        await ingest.partner.post("/v1/incidents", json=report(description="first"), headers=headers)
    ).status_code == 409
    headers["if-match"] = '"2"'
    assert (
        await ingest.partner.post("/v1/incidents", json=report(description="first"), headers=headers)
    ).status_code == 202
    assert (
        await ingest.partner.post("/v1/incidents", json=report(description="first"), headers=headers)
    ).status_code == 202


@pytest.mark.parametrize("text", ["", "x", '"a', 'a"', '"a" "b"', 'w/"a"', '"a",b', '"\n"', '"a",' * 300])
def test_what_is_no_list_of_tags(text: str) -> None:
    with pytest.raises(Problem):
        read_tags(text)


def test_lists_of_tags() -> None:
    assert read_tags('"a,b", W/"c" ,, "",*') == ['"a,b"', 'W/"c"', '""', "*"]
