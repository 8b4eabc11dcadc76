"""Submissions of field forms become the reports that they mean, whatever way they come."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import Report
from services.connectors.answers import flatten, read_point
from services.connectors.kobo import read_kobo_rows
from services.connectors.model import (
    NotYetReport,
    NumberedOutcome,
    RefusedRow,
    ReportDraft,
    RowContext,
    RowOutcome,
    WithdrawnReport,
)
from services.connectors.odk import flatten_xml, read_odk_rows
from services.connectors.payloads import SERVERS, AdapterKind, read_payload
from tests.unit.connectors.form_samples import (
    CHOICES,
    KOBO,
    KOBO_FIELDS,
    KOBO_REPORT,
    ODK,
    ODK_CREATED,
    ODK_PAGE,
    ODK_REJECTED,
    ODK_REPORT,
    PERSONAL,
    USHAHIDI,
    USHAHIDI_BODY,
    USHAHIDI_REPORT,
    context,
    kobo_edited,
    kobo_submission,
    odk_entry,
)


def read(kind: AdapterKind, payload: Any, tables: RowContext) -> list[RowOutcome]:
    """The outcome of each record, which is the same for what is kept of it."""
    found = list(read_payload(kind, payload, tables))
    server = SERVERS[kind]
    for one in found:
        again = server.read(one.kept, tables)
        if isinstance(one.outcome, ReportDraft):
            assert again == one.outcome
        assert not [value for value in PERSONAL if value in repr(one.kept)]
    return [one.outcome for one in found]


def read_kobo(payload: Any, tables: RowContext) -> Iterator[NumberedOutcome]:
    return (NumberedOutcome(0, outcome) for outcome in read("kobo", payload, tables))


def read_odk(payload: Any, tables: RowContext) -> Iterator[NumberedOutcome]:
    return (NumberedOutcome(0, outcome) for outcome in read("odk", payload, tables))


def read_ushahidi(payload: Any, tables: RowContext) -> Iterator[NumberedOutcome]:
    return (NumberedOutcome(0, outcome) for outcome in read("ushahidi", payload, tables))


def only(outcomes: Iterator[NumberedOutcome]) -> RowOutcome:
    (found,) = outcomes
    return found.outcome


def meant(outcome: RowOutcome) -> Report:
    assert isinstance(outcome, ReportDraft), outcome
    return msgspec.convert(outcome.report, Report)


def report(wanted: dict[str, Any], **changes: Any) -> Report:
    return msgspec.convert({**wanted, **changes}, Report)


def test_what_kobos_rest_service_posts_is_its_report() -> None:
    assert meant(only(read_kobo(kobo_submission(), KOBO))) == report(KOBO_REPORT)


def test_kobos_page_after_an_edit_has_the_same_id_and_what_was_edited() -> None:
    page = {"count": 1, "next": None, "previous": None, "results": [kobo_edited()]}
    wanted = report(KOBO_REPORT, casualties={"killed": 3}, source={"name": "field form", "grade": "B2"})
    found = only(read_kobo(page, KOBO))
    assert meant(found) == wanted
    before = only(read_kobo(kobo_submission(), KOBO))
    assert isinstance(found, ReportDraft)
    assert isinstance(before, ReportDraft)
    assert int(found.mark) > int(before.mark)


@pytest.mark.parametrize(("status", "grade"), [("approved", "B2"), ("on_hold", "B4"), ("not_reviewed", "B3")])
def test_a_review_at_kobo_is_the_second_part_of_the_grade(status: str, grade: str) -> None:
    submission = kobo_submission(_validation_status={"uid": f"validation_status_{status}", "timestamp": 5})
    assert meant(only(read_kobo(submission, KOBO))).source.grade == grade


def test_what_kobo_did_not_approve_is_withdrawn() -> None:
    submission = kobo_submission(_validation_status={"uid": "validation_status_not_approved", "timestamp": 1456700000})
    wanted = WithdrawnReport("kobo-aTruceForm0000000001-990001", "not approved at the source", "1456700000")
    assert only(read_kobo(submission, KOBO)) == wanted


@pytest.mark.parametrize("wrap", [lambda s: {"submission": s}, lambda s: {"data": json.dumps(s)}])
def test_a_body_in_one_key_is_unwrapped(wrap: Any) -> None:
    assert meant(only(read_kobo(wrap(kobo_submission()), KOBO))) == report(KOBO_REPORT)


def test_without_a_mapped_time_the_start_counts_and_neither_today_nor_the_submission() -> None:
    fields = {path: question for path, question in KOBO_FIELDS.items() if path != "occurred"}
    found = only(read_kobo(kobo_submission(today="2016-02-27"), context(fields)))
    assert meant(found) == report(KOBO_REPORT, occurred="2016-02-28T14:20:11.000+02:00")


def test_without_a_mapped_place_kobos_geolocation_counts() -> None:
    fields = {path: question for path, question in KOBO_FIELDS.items() if path != "location"}
    assert meant(only(read_kobo(kobo_submission(), context(fields)))) == report(KOBO_REPORT)


def test_a_coarse_fix_has_its_radius_in_km() -> None:
    found = meant(only(read_kobo(kobo_submission(**{"incident/where": "32.6 36.1 0 4200"}), KOBO)))
    assert found.location.radius_km == 4.2


def test_a_choice_that_no_table_knows_is_refused_by_name() -> None:
    outcome = only(read_kobo(kobo_submission(**{"incident/what": "shell", "incident/by": "martians"}), KOBO))
    assert isinstance(outcome, RefusedRow)
    assert [(f.code, f.column, f.cell, f.detail) for f in outcome.faults] == [
        ("not_in_table", "incident/what", "shell", "choices.act"),
        ("not_in_table", "incident/by", "martians", "choices.perpetrators"),
    ]


def test_of_several_choices_the_unknown_one_is_named() -> None:
    outcome = only(read_kobo(kobo_submission(**{"incident/against": "opposition martians"}), KOBO))
    assert isinstance(outcome, RefusedRow)
    assert [fault.cell for fault in outcome.faults] == ["martians"]


def test_every_fault_of_a_submission_is_told_at_once() -> None:
    bad = {"incident/when": "yesterday", "incident/killed": "2.5", "incident/where": "152.02 -73.85 0 5"}
    outcome = only(read_kobo(kobo_submission(**bad), KOBO))
    assert isinstance(outcome, RefusedRow)
    assert {(fault.code, fault.column) for fault in outcome.faults} == {
        ("not_a_time", "incident/when"), ("not_a_count", "incident/killed"), ("nowhere", "incident/where"),
    }  # fmt: skip


def test_what_a_form_does_not_answer_is_required_by_name() -> None:
    cut = kobo_submission(**{"incident/what": "", "incident/where": "", "_geolocation": [None, None],
                             "incident/place_name": "nan"})  # fmt: skip
    outcome = only(read_kobo(cut, KOBO))
    assert isinstance(outcome, RefusedRow)
    assert [(fault.code, fault.column) for fault in outcome.faults] == [
        ("empty", "incident/what"), ("no_place", "incident/where"),
    ]  # fmt: skip


def test_names_make_parties_of_actors() -> None:
    tables = context(KOBO_FIELDS, choices={}, names={"syrian_government": "syria"})
    found = meant(only(read_kobo(kobo_submission(), tables)))
    assert (found.perpetrators, found.targets) == (("syria",), ("opposition", "civilians"))


def test_an_export_with_labels_reads_a_cell_as_one_choice_blanks_and_all() -> None:
    choices = {**CHOICES, "act": {"Mortar fire": "mortar"}, "perpetrators": {"The Syrian army": "Syrian government"}}
    row = {
        "start": "2016-02-28T14:20:11.000+02:00", "When": "2016-02-28", "What": "Mortar fire", "By": "The Syrian army",
        "Where": "32.61889 36.10213 540 12.5", "_Where_latitude": "32.61889", "_id": "990001",
        "_submitted_by": "collector_7", "_validation_status": "On hold", "_index": "1",
    }  # fmt: skip
    fields = {"occurred": "When", "act": "What", "perpetrators": "By", "location": "Where"}
    tables = context(fields, choices=choices, form="aTruceForm0000000001")
    found = meant(only(read_kobo_rows([(2, row)], tables)))
    assert found == report(
        {
            "external_id": "kobo-aTruceForm0000000001-990001", "occurred": {"date": "2016-02-28"}, "act": "mortar",
            "location": {"lat": 32.61889, "lon": 36.10213, "radius_km": 0.1}, "perpetrators": ["Syrian government"],
            "source": {"name": "aTruceForm0000000001", "grade": "B4"},
        }
    )  # fmt: skip


def test_an_export_with_names_splits_the_choices_that_the_table_knows() -> None:
    fields = {"occurred": "When", "act": "What", "perpetrators": "Who", "location": "Where"}
    row = {"When": "2016-05-08", "What": "shelling", "Who": "state rebels", "Where": "36.2 37.1 0 4.9", "_id": "1001"}
    tables = context(fields, choices={"perpetrators": {"state": "Syrian government", "rebels": "opposition"}})
    assert meant(only(read_kobo_rows([(2, row)], tables))).perpetrators == ("Syrian government", "opposition")


def test_the_answers_of_a_repeat_are_gathered() -> None:
    nested = {"a": [{"a/b": [{"a/b/c": "1"}, {"a/b/c": "2"}]}, {"a/b": [{"a/b/c": "3"}]}], "g": {"q": 4}}
    assert flatten(nested) == {"a/b/c": ["1", "2", "3"], "g/q": 4}


def test_a_single_field_with_several_answers_is_refused() -> None:
    repeated = kobo_submission(**{"incident/killed": None, "dead": [{"dead/n": "1"}, {"dead/n": "2"}]})
    outcome = only(read_kobo(repeated, context({**KOBO_FIELDS, "casualties.killed": "dead/n"})))
    assert isinstance(outcome, RefusedRow)
    assert [fault.column for fault in outcome.faults] == ["dead/n"]


def test_a_page_of_odata_gives_a_report_two_withdrawals_and_a_refusal() -> None:
    first, rejected, deleted, nowhere = (found.outcome for found in read_odk(ODK_PAGE, ODK))
    assert meant(first) == report(ODK_REPORT)
    assert [type(one) for one in (rejected, deleted)] == [WithdrawnReport, WithdrawnReport]
    assert isinstance(rejected, WithdrawnReport)
    assert rejected.external_id.endswith("0002")
    assert isinstance(nowhere, RefusedRow)
    assert [(f.code, f.column, f.cell) for f in nowhere.faults] == [("nowhere", "where", "152.02, -73.85")]


def test_a_webhook_of_odk_gives_the_same_report_as_its_list() -> None:
    assert meant(only(read_odk(ODK_CREATED, ODK))) == meant(only(read_odk({"value": [odk_entry(1)]}, ODK)))


def test_a_rejection_by_webhook_withdraws_and_another_review_waits_for_the_list() -> None:
    assert isinstance(only(read_odk(ODK_REJECTED, ODK)), WithdrawnReport)
    approved = {**ODK_REJECTED, "data": {"reviewState": "approved"}}
    assert isinstance(only(read_odk(approved, ODK)), NotYetReport)
    entity = {"type": "entity.update.version", "id": "uuid:1", "data": {"label": "a person"}}
    assert isinstance(only(read_odk(entity, ODK)), NotYetReport)


@pytest.mark.parametrize(("review", "grade"), [("approved", "B2"), ("hasIssues", "B4"), ("received", "B3")])
def test_a_review_at_odk_is_the_second_part_of_the_grade(review: str, grade: str) -> None:
    assert meant(only(read_odk({"value": [odk_entry(1, reviewState=review)]}, ODK))).source.grade == grade


def test_a_row_of_odks_export_is_the_same_report() -> None:
    row = {
        "SubmissionDate": "2016-03-04T08:01:00.000Z", "occurred": "2016-03-04T09:30:00.000+02:00", "what": "shelling",
        "where-Latitude": "34.7308", "where-Longitude": "36.7178", "where-Altitude": "490", "where-Accuracy": "8",
        "place_name": "Homs", "by": "syrian_government", "against": "opposition", "killed": "0", "injured": "4",
        "account": "SYNTHETIC. Artillery.", "KEY": ODK_CREATED["id"], "SubmitterName": "Collector 12",
        "DeviceID": "collect:PSEUDONYM", "ReviewState": "", "Edits": "0",
    }  # fmt: skip
    assert meant(only(read_odk_rows([(2, row)], ODK))) == report(ODK_REPORT)


@pytest.mark.parametrize(
    "xml", ["<data><a>", '<!DOCTYPE d [<!ENTITY a "b">]><d>&a;</d>', "<d>" * 100_000, "<d>" * 60 + "</d>" * 60, ""]
)
def test_a_submission_that_is_no_plain_xml_is_refused(xml: str) -> None:
    outcome = only(read_odk({**ODK_CREATED, "data": {"xml": xml}}, ODK))
    assert isinstance(outcome, RefusedRow)
    assert outcome.external_id == ODK_REPORT["external_id"]


def test_groups_in_xml_have_the_paths_that_they_have_in_odata() -> None:
    xml = (
        "<data xmlns='http://opendatakit.org/submissions'><g><q>1</q><q>2</q></g><r><x>a</x></r><r><x>b</x></r></data>"
    )
    assert flatten_xml(xml) == {"g/q": ["1", "2"], "r/x": ["a", "b"]}


def test_a_published_post_is_its_report() -> None:
    assert meant(only(read_ushahidi(json.loads(USHAHIDI_BODY), USHAHIDI))) == report(USHAHIDI_REPORT)


def test_a_draft_is_nothing_yet_and_an_archived_post_is_withdrawn() -> None:
    post = json.loads(USHAHIDI_BODY)
    assert isinstance(only(read_ushahidi({**post, "status": "draft"}, USHAHIDI)), NotYetReport)
    wanted = WithdrawnReport("ushahidi-demo.example-4711", "archived at the source", "1457000600")
    assert only(read_ushahidi({**post, "status": "archived"}, USHAHIDI)) == wanted


def test_a_post_of_the_web_has_another_grade_and_a_page_gives_each_post() -> None:
    page = {"count": 2, "results": [{**json.loads(USHAHIDI_BODY), "id": id, "source": None} for id in (1, 2)]}
    assert [meant(found.outcome).source.grade for found in read_ushahidi(page, USHAHIDI)] == ["D4", "D4"]


def test_no_personal_value_is_read_even_where_a_table_asks_for_it() -> None:
    asked = {"description": "username", "language": "deviceid", "location.place": "_submitted_by"}
    outcomes = [
        only(read_kobo(kobo_submission(), context({**KOBO_FIELDS, **asked}))),
        *(one.outcome for one in read_odk(ODK_PAGE, context({**ODK.tables.fields, "description": "deviceId"}))),
        only(read_odk(ODK_CREATED, context({**ODK.tables.fields, "description": "deviceid"}))),
        only(read_ushahidi(json.loads(USHAHIDI_BODY), context({**USHAHIDI.tables.fields, "description": "contact"}))),
    ]
    told = repr(outcomes)
    assert [value for value in PERSONAL if value in told] == []


@pytest.mark.parametrize(
    ("written", "wanted"),
    [("36.2 37.1 0 0", (36.2, 37.1, 0.1)), ("36.2 37.1", (36.2, 37.1, 0.1)), ([36.2, 37.1], (36.2, 37.1, 0.1)),
     ({"type": "Point", "coordinates": [37.1, 36.2]}, (36.2, 37.1, 0.1)),
     ({"lat": 36.2, "lon": 37.1}, (36.2, 37.1, 0.1)),
     ("36,2 37,1", None), ("", None), ({"type": "Point", "coordinates": "x"}, None), ("36.2", None)],
)  # fmt: skip
def test_a_place_is_read_in_each_form(written: Any, wanted: Any) -> None:
    assert read_point(written) == wanted


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["_id", "__id", "id", "data", "xml", "value", "results", "values", "status", "__system"])
        | st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(JSON_VALUES, st.sampled_from(sorted({*KOBO_FIELDS.values(), "_geolocation", "_validation_status", "_id"})))
def test_no_payload_makes_a_connector_raise(payload: Any, question: str) -> None:
    post = {**json.loads(USHAHIDI_BODY), "values": payload, "updated": payload}
    entry = {**odk_entry(1), "where": payload, "__system": payload}
    tables: dict[AdapterKind, RowContext] = {"kobo": KOBO, "odk": ODK, "ushahidi": USHAHIDI}
    for kind, chosen in tables.items():
        server = SERVERS[kind]
        for one in (payload, kobo_submission(**{question: payload}), {"value": [entry]}, post):
            list(read_payload(kind, one, chosen))
            for record in server.split(one):
                server.changed_at(record)
            server.next_page(one)
