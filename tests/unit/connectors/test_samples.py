"""The files that other systems send, and what they must become: every line of the expected outcomes of files."""

import json
from typing import Any, Final

import msgspec
import pytest

from schemas.report import Report
from services.connectors import ucdp
from services.connectors.fault_sentences import tell_fault
from services.connectors.model import AdapterMap, RefusedRow, RefusedRowError, ReportDraft, RowContext, WithdrawnReport
from services.connectors.payloads import SOURCES, AdapterKind, read_payload
from services.ingest.domain import identify
from tests.unit.connectors.form_samples import KOBO, ODK, USHAHIDI
from tests.unit.connectors.reading import SAMPLES, outcomes, sample

HXL_TABLES: Final = AdapterMap(choices={"act": {"Tir de mortier": "mortar", "Frappe aérienne": "airstrike"}})
EXPECTED: Final = [json.loads(line) for line in (SAMPLES / "expected.jsonl").read_text("utf-8").splitlines()]
FILES: Final = {
    "acled_rows.csv": "synthetic",
    "acled_api_page.json": "synthetic",
    "acled_deleted_page.json": "synthetic",
    "hxl_incidents.csv": "synthetic",
    "ucdp_api_page.json": "derived",
}
#: Submissions, each with the tables of its form.
FORMS: Final[dict[str, tuple[AdapterKind, RowContext]]] = {
    "kobo_rest_service_body.json": ("kobo", KOBO),
    "kobo_api_page_after_edit.json": ("kobo", KOBO),
    "odk_odata_page.json": ("odk", ODK),
    "ushahidi_webhook_body.json": ("ushahidi", USHAHIDI),
}
#: Held against the page of the release before it, below.
RELEASE: Final = "ucdp_candidate_next_release.csv"


def meaning(report: dict[str, Any]) -> bytes:
    """Blanks within a name aside: the samples keep two, reports one."""
    place = {**report["location"], "place": " ".join(report["location"].get("place", "").split()) or None}
    return identify(msgspec.convert({**report, "location": place}, Report))


@pytest.mark.parametrize("name", FILES)
def test_every_row_becomes_what_is_expected(name: str) -> None:
    wanted = [line for line in EXPECTED if line["sample"] == name]
    found = list(outcomes(sample(name), HXL_TABLES if name.startswith("hxl") else AdapterMap()))
    assert len(found) == len(wanted)
    for outcome, line in zip(found, wanted, strict=True):
        match outcome:
            case ReportDraft(report=report):
                assert report["external_id"] == line["report"]["external_id"]
                assert meaning(report) == meaning(line["report"]), (report, line["report"])
            case WithdrawnReport(external_id=external_id):
                assert external_id == line["retract"]
            case _:
                assert "refused" in line


@pytest.mark.parametrize("name", FORMS)
def test_every_submission_becomes_what_is_expected(name: str) -> None:
    kind, context = FORMS[name]
    wanted = [line for line in EXPECTED if line["sample"] == name]
    found = [one.outcome for one in read_payload(kind, json.loads(sample(name)), context)]
    assert len(found) == len(wanted)
    for outcome, line in zip(found, wanted, strict=True):
        match outcome:
            case ReportDraft(report=report):
                assert report["external_id"] == line["report"]["external_id"]
                assert meaning(report) == meaning(line["report"]), (report, line["report"])
            case WithdrawnReport(external_id=external_id):
                assert external_id == line["retract"]
            case RefusedRow(faults=(fault,)):
                assert line["refused"].startswith("location: 152.02, -73.85")
                assert (fault.code, fault.cell) == ("nowhere", "152.02, -73.85")
            case _:
                pytest.fail(str(outcome))


def test_every_line_of_what_is_expected_is_held_against_its_sample() -> None:
    assert {line["sample"] for line in EXPECTED} == {*FILES, *FORMS, RELEASE}
    assert sum(line["sample"] == RELEASE for line in EXPECTED) == 1


def test_an_announcement_is_told_as_one() -> None:
    [refused] = [o for o in outcomes(sample("acled_rows.csv")) if isinstance(o, RefusedRow)]
    assert refused.external_id == "acled-SYR900007"
    assert "This is an announcement, not an incident" in tell_fault(refused.faults[0], "en")


def test_a_word_that_no_table_knows_is_refused_by_name_and_never_other() -> None:
    [refused] = [o for o in outcomes(sample("hxl_incidents.csv"), HXL_TABLES) if isinstance(o, RefusedRow)]
    assert tell_fault(refused.faults[0], "en") == (
        "column #event+type, “Autre chose”: No table knows this value; add it to choices.act of the map."
    )


def test_sums_by_year_are_refused_as_a_whole() -> None:
    with pytest.raises(RefusedRowError) as refused:
        list(outcomes(sample("hxl_aggregate_deaths_by_year_admin1_bgd.csv")))
    assert [fault.code for fault in refused.value.faults] == ["only_years"]


def release(drafts: list[ReportDraft]) -> tuple[set[str], set[str]]:
    return {draft.external_id for draft in drafts}, {draft.cells["date_end"][:7] for draft in drafts}


def test_what_a_newer_release_lacks_is_withdrawn_and_what_it_revised_is_a_revision() -> None:
    before = [o for o in outcomes(sample("ucdp_api_page.json")) if isinstance(o, ReportDraft)]
    after = [o for o in outcomes(sample(RELEASE)) if isinstance(o, ReportDraft)]
    kept = {draft.external_id: draft.cells["date_end"][:7] for draft in before}
    gone = [withdrawn.external_id for withdrawn in ucdp.find_missing(kept, *release(after))]
    assert gone == [line["retract"] for line in EXPECTED if line["sample"] == RELEASE]
    old = {draft.external_id: meaning(draft.report) for draft in before}
    changed = [draft.external_id for draft in after if old.get(draft.external_id) != meaning(draft.report)]
    assert changed == ["ucdp-216581"]


def test_what_a_release_does_not_cover_is_not_withdrawn() -> None:
    after = [o for o in outcomes(sample(RELEASE)) if isinstance(o, ReportDraft)]
    assert list(ucdp.find_missing({"ucdp-1": "2015-07", "acled-SYR1": "2016-03"}, *release(after))) == []


TERMS: Final = AdapterMap(terms="no_redistribution")


@pytest.mark.parametrize("name", [name for name in FILES if name != "acled_deleted_page.json"])
def test_the_terms_of_a_source_travel_along_with_each_row_of_a_file(name: str) -> None:
    tables = msgspec.structs.replace(HXL_TABLES if name.startswith("hxl") else AdapterMap(), terms=TERMS.terms)
    drafts = [outcome for outcome in outcomes(sample(name), tables) if isinstance(outcome, ReportDraft)]
    assert drafts
    assert {draft.report["source"]["terms"] for draft in drafts} == {"no_redistribution"}


@pytest.mark.parametrize("name", FORMS)
def test_the_terms_of_a_source_travel_along_with_each_submission_also_when_it_is_read_again(name: str) -> None:
    kind, context = FORMS[name]
    context = msgspec.structs.replace(context, tables=msgspec.structs.replace(context.tables, terms=TERMS.terms))
    records = list(read_payload(kind, json.loads(sample(name)), context))
    again = [SOURCES[kind].read(record.kept, context) for record in records]
    drafts = [one for one in (*again, *(record.outcome for record in records)) if isinstance(one, ReportDraft)]
    assert {draft.report["source"]["terms"] for draft in drafts} <= {"no_redistribution"}
    assert len(drafts) == 2 * sum(isinstance(record.outcome, ReportDraft) for record in records)
