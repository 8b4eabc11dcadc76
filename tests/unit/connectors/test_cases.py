"""Inputs that users met with other systems: each is read, or refused by the cell and what is wanted."""

import gzip

import pytest

from services.connectors.decoding import Encoding
from services.connectors.file_facts import FileKind, ReadingOptions
from services.connectors.files import open_file
from services.connectors.model import AdapterMap, RefusedRow, RefusedRowError, ReportDraft, RowFault
from tests.unit.connectors.reading import case, outcomes, report, sample, told

OURS = (
    "external_id,occurred.date,act,location.place,source.name\n"
    "a,2016-05-08,shelling,حلب,Desk\n"
    "b,2016-05-09,mortar,درعا,Desk\n"
)


def refused_whole(data: bytes, options: ReadingOptions = ReadingOptions()) -> tuple[RowFault, ...]:
    with pytest.raises(RefusedRowError) as refused:
        outcomes(data, options=options)
    return refused.value.faults


# --- separators, decimal commas (15)


@pytest.mark.parametrize("name", ["15-semicolon.csv", "15-semicolon-decimal-comma.csv"])
def test_a_file_separated_by_semicolons_is_read_with_its_decimal_commas(name: str) -> None:
    [one] = outcomes(case(name))
    assert report(one)["location"] == {"lat": 36.214, "lon": 37.166, "radius_km": 1}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_separator_is_found_out(separator: str) -> None:
    opened = open_file(OURS.replace(",", separator).encode())
    assert (opened.facts.separator, opened.facts.kind, opened.facts.header_line) == (separator, "reports", 1)


def test_a_separator_may_be_said_as_excel_does() -> None:
    found = outcomes(("sep=;\r\n" + OURS.replace(",", ";")).encode())
    assert [report(one)["external_id"] for one in found] == ["a", "b"]


def test_commas_within_texts_do_not_make_columns() -> None:
    text = OURS.replace(",", ";").replace("Desk", "one, two, three, four, five, six, seven")
    assert open_file(text.encode()).facts.separator == ";"


# --- encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "windows-1256"])
def test_names_come_out_the_same_from_every_encoding(encoding: str) -> None:
    assert outcomes(OURS.encode(encoding)) == outcomes(OURS.encode())


def test_a_packed_file_is_the_file() -> None:
    assert outcomes(gzip.compress(OURS.encode())) == outcomes(OURS.encode())


def test_a_damaged_character_refuses_its_row_alone() -> None:
    first, second = outcomes(OURS.encode().replace("حلب".encode(), "حلب".encode()[:-1]))
    assert told(first)[0].startswith("column location.place, “\u200eحل?")
    assert "Some characters cannot be read." in told(first)[0]
    assert isinstance(second, ReportDraft)


@pytest.mark.parametrize("encoding", ["windows-1252", "windows-1251"])
def test_an_encoding_may_be_said(encoding: Encoding) -> None:
    assert open_file(OURS.encode("windows-1256"), ReadingOptions(encoding=encoding)).facts.encoding == encoding


# --- what Excel does (17, 19, 20)


def test_ids_that_excel_shortened_are_refused_wherever_they_stand() -> None:
    found = outcomes(case("17-excel-ids.csv"))
    assert [told(one) for one in found] == [
        [
            "column external_id, “2.01605E+13”: A spreadsheet has shortened this id. "
            "Give the column the format “text” and enter the ids again."
        ]
    ] * 3


def test_an_id_twice_with_other_content_is_refused_twice() -> None:
    found = outcomes(OURS.replace("b,2016", "a,2016").encode())
    assert [[fault.code for fault in one.faults] for one in found if isinstance(one, RefusedRow)] == [
        ["repeated_id"],
        ["repeated_id"],
    ]


def test_a_row_twice_is_the_same_report_twice() -> None:
    first = OURS.splitlines()[1]
    found = outcomes(f"{OURS}{first}\n".encode())
    assert report(found[0]) == report(found[2])


@pytest.mark.parametrize("id", ["0042", "20160508001", "1.0", "007-A", "9007199254740993", "12345678901234567890123"])
def test_an_id_is_kept_exactly_as_it_stands(id: str) -> None:
    first, _ = outcomes(OURS.replace("a,2016", f"{id},2016").encode())
    assert report(first)["external_id"] == id


def test_empty_columns_and_rows_at_the_end_are_passed_over() -> None:
    [one] = outcomes(case("19-trailing-empty-columns.csv"))
    assert report(one)["external_id"] == "19-a"


def test_blanks_are_cut_and_the_rest_is_refused_with_what_is_wanted() -> None:
    first, second, third = outcomes(case("20-spaces-and-excel-dates.csv"))
    assert report(first)["external_id"] == "20-a"
    assert told(second) == [
        "column occurred.date, “08/05/2016”: A day is wanted: year, month and day. For example: 2016-05-08."
    ]
    assert sorted(told(third)) == [
        "column act, “Shelling”: This value is not allowed here. The nearest allowed value is shelling.",
        "column casualties.killed, “1,234”: A whole number is wanted, without a separator of thousands. "
        "For example: 1234.",
        "column source.grade, “c3”: A grade is wanted: a capital letter from A to F and a digit from 1 to 6. "
        "The nearest allowed value is C3. For example: C3.",
    ]


@pytest.mark.parametrize("cell", ["nan", "NaN", "NULL", "null", "-", "—", "n/a", " "])
def test_a_cell_that_says_nothing_is_empty(cell: str) -> None:
    first, _ = outcomes(OURS.replace("حلب,Desk\nb", f"{cell},Desk\nb").encode())
    assert told(first) == [
        "column location: A place is required: latitude and longitude, an area, or the name of a place."
    ]


def test_a_column_twice_is_refused_with_the_whole_file() -> None:
    faults = refused_whole(OURS.replace("location.place", "act").encode())
    assert faults == (RowFault("repeated_column", "act"),)


def test_a_column_that_no_field_has_is_told_with_the_nearest() -> None:
    first, _ = outcomes(OURS.replace("source.name", "source.nam").encode())
    assert "There is no field of this name. The nearest allowed value is source.name." in told(first)[-1]


# --- files of others (24, 25, 27, 28)


def test_an_answer_of_the_ucdp_api_is_read() -> None:
    [one] = outcomes(case("24-ucdp-api.json"))
    assert report(one)["external_id"] == "ucdp-920007"


def test_an_export_of_acled_is_read() -> None:
    [one] = outcomes(case("25-acled.csv"))
    found = report(one)
    assert (found["external_id"], found["act"], found["targets"]) == (
        "acled-TST00001",
        "shelling",
        ["Civilians (Syria)", "civilians"],
    )


def test_a_file_with_hashtags_is_read_by_them() -> None:
    [one] = outcomes(case("27-hxl.csv"))
    found = report(one)
    assert (found["external_id"], found["act"], found["perpetrators"]) == ("hxl-27", "shelling", ["rebels"])
    assert found["casualties"] == {"killed": 1}


def test_json_with_a_byte_order_mark_is_read() -> None:
    [one] = outcomes(case("28-bom-body.json"))
    assert report(one)["external_id"] == "28"


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        (b'"external_id": 20160508', "column external_id, “20160508”: Text is wanted, in quotation marks."),
        (b'"perpetrators": "rebels"', "column perpetrators, “rebels”: A list is wanted, in square brackets."),
        (b'"aggregate": "x"', "column aggregate, “x”: true or false is wanted. For example: true."),
    ],
)
def test_json_of_the_wrong_type_is_told_in_plain_words(field: bytes, sentence: str) -> None:
    body = (
        b'{"external_id": "a", "occurred": {"date": "2016-05-08"}, "act": "shelling", "location": {"place": "Aleppo"}'
    )
    name = field.split(b":")[0]
    whole = body.replace(b'"external_id": "a"', field) if name == b'"external_id"' else body + b", " + field
    [one] = outcomes(whole + b', "source": {"name": "Desk"}}')
    assert told(one) == [sentence]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (sample("acled_rows.csv"), "acled"),
        (sample("acled_api_page.json"), "acled"),
        (sample("acled_deleted_page.json"), "acled"),
        (sample("ucdp_api_page.json"), "ucdp"),
        (sample("ucdp_candidate_next_release.csv"), "ucdp"),
        (sample("hxl_incidents.csv"), "hxl"),
        (OURS.encode(), "reports"),
        (b'[{"external_id": "a"}]', "reports"),
        (b'{"external_id": "a"}\n{"external_id": "b"}\n', "reports"),
    ],
)
def test_the_file_shows_what_it_is(data: bytes, kind: FileKind) -> None:
    assert open_file(data).facts.kind == kind


@pytest.mark.parametrize("data", [b"who,where\nx,y\n", b'[{"who": "x"}]', b"\x00\x01\x02", b"<html></html>"])
def test_a_file_of_no_known_kind_is_refused_once_with_its_columns(data: bytes) -> None:
    [fault] = refused_whole(data)
    assert fault.code == "unknown_kind"


@pytest.mark.parametrize("data", [b"[]", b'{"Result": [], "TotalCount": 0}', b'{"data": [], "success": true}'])
def test_a_page_of_nothing_is_refused_and_never_a_success(data: bytes) -> None:
    [fault] = refused_whole(data)
    assert fault.code == "nothing_read"


def test_a_file_of_a_kind_that_lacks_its_columns_is_refused_once() -> None:
    faults = refused_whole(OURS.encode(), ReadingOptions(kind="ucdp"))
    assert {fault.code for fault in faults} == {"no_column"}
    assert "date_start" in {fault.column for fault in faults}


def test_one_page_of_several_says_where_the_next_is() -> None:
    page = case("24-ucdp-api.json").replace(b'"NextPageUrl": ""', b'"NextPageUrl": "https://example.org/2"')
    assert open_file(page).facts.next_page == "https://example.org/2"


# --- forms, and a table of any shape, by a map (26)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (case("26-kobo-export.csv"), "kobo"),
        (case("26-kobo-webhook.json"), "kobo"),
        (sample("kobo_api_submissions.json"), "kobo"),
        (sample("kobo_rest_service_body.json"), "kobo"),
        (sample("odk_odata_page.json"), "odk"),
        (sample("ushahidi_webhook_body.json"), "ushahidi"),
    ],
)
def test_files_of_forms_show_what_they_are(data: bytes, kind: FileKind) -> None:
    assert open_file(data).facts.kind == kind


def test_an_export_of_kobotoolbox_is_read_by_a_map() -> None:
    data = case("26-kobo-export.csv").replace(b'"grp/killed"', b'"grp/killed";"act"')
    data = data.replace(b'"1";"1";"2";', b'"1";"1";"2";"mortar";')
    fields = {"occurred": "When", "location": "Where", "casualties.killed": "grp/killed", "act": "act"}
    [one] = outcomes(data, AdapterMap(fields=fields, form="patrols"))
    found = report(one)
    assert (found["external_id"], found["occurred"], found["act"], found["casualties"]) == (
        "kobo-patrols-1001",
        {"date": "2016-05-08"},
        "mortar",
        {"killed": 2},
    )


def test_a_form_without_a_map_is_refused_by_what_is_missing() -> None:
    [one] = outcomes(case("26-kobo-export.csv"))
    assert isinstance(one, RefusedRow)
    assert {fault.column for fault in one.faults} >= {"act", "location"}


def test_any_table_is_read_by_a_map() -> None:
    tables = AdapterMap(
        fields={
            "external_id": "No",
            "occurred": "When",
            "act": "What",
            "location": "GPS",
            "perpetrators": "Who",
            "casualties.killed": "Dead",
            "source.name": "From",
        },
        choices={"act": {"pilonnage": "shelling"}},
        names={"armée": "syria-gov"},
    )
    data = "No;When;What;GPS;Who;Dead;From;Remarks\n007;2016-05-08;pilonnage;36.214 37.166 0 4900;armée;2;Desk;x\n"
    [one] = outcomes(data.encode(), tables)
    assert report(one) == {
        "external_id": "007",
        "occurred": {"date": "2016-05-08"},
        "act": "shelling",
        "location": {"lat": 36.214, "lon": 37.166, "radius_km": 4.9},
        "perpetrators": ["syria-gov"],
        "casualties": {"killed": 2},
        "source": {"name": "Desk"},
    }


OF_PARTS = "#event+id,#date+occurred,#event+type,#geo+lat,#geo+lon,{killed}\n27,2016-05-08,shelling,36.2,37.1,1,2,3\n"


def test_a_count_in_parts_is_never_the_first_part_alone() -> None:
    with pytest.raises(RefusedRowError) as refused:
        outcomes(OF_PARTS.format(killed="#affected+killed+f,#affected+m+killed,#meta+note").encode())
    assert [(fault.code, fault.column) for fault in refused.value.faults] == [
        ("repeated_column", "#affected+killed+f"), ("repeated_column", "#affected+m+killed"),
    ]  # fmt: skip


def test_a_count_of_all_beside_its_parts_is_the_count() -> None:
    [one] = outcomes(OF_PARTS.format(killed="#affected+killed+f,#affected+killed+m,#affected+killed").encode())
    assert report(one)["casualties"] == {"killed": 3}
    tables = AdapterMap(fields={"casualties.killed": "#affected+killed+m"})
    [one] = outcomes(OF_PARTS.format(killed="#affected+killed+f,#affected+killed+m,#meta+note").encode(), tables)
    assert report(one)["casualties"] == {"killed": 2}


@pytest.mark.parametrize("cell", ["#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#####"])
def test_what_a_spreadsheet_could_not_work_out_is_no_name_and_no_id(cell: str) -> None:
    columns = ("external_id", "perpetrators", "location.place", "description")
    head = "external_id,occurred.date,act,location.lat,location.lon,perpetrators,location.place,source.name,description"
    cells = "a,2016-05-08,shelling,36.2,37.1,rebels,Midan,Desk,#4 of them"
    row = dict(zip(head.split(","), cells.split(","), strict=True))
    rows = [row, *({**row, column: cell} for column in columns)]
    fine, *broken = outcomes("\n".join([head, *(",".join(one.values()) for one in rows)]).encode())
    assert report(fine)["description"] == "#4 of them"
    assert [told(one)[0].partition(":")[0] for one in broken] == [f"column {name}, “{cell}”" for name in columns]
