"""The faults that the check of a report finds, as faults of the columns that they were read from."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, get_args

from schemas.vocabulary import ACTS, Claim, Site
from services.connectors.fault_sentences import nearest
from services.connectors.model import FaultCode, RefusedRow, ReportDraft, RowFault
from services.connectors.reports import report_paths

#: A fault of a field: its JSON pointer, and a sentence for developers.
FieldFault = tuple[str, str]
_GRADES: Final = tuple(f"{letter}{digit}" for letter in "ABCDEF" for digit in range(1, 7))
_VALUES: Final[dict[str, Sequence[str]]] = {
    "/act": ACTS,
    "/claims": get_args(Claim),
    "/sites": get_args(Site),
}
#: By the field: what is wanted there, with an example.
_WANTED: Final[dict[str, tuple[FaultCode, str]]] = {
    "/occurred": ("not_a_time", "2016-05-08T14:00:00+03:00"),
    "/occurred/from": ("not_a_time", "2016-05-08T14:00:00+03:00"),
    "/occurred/to": ("not_a_time", "2016-05-08T16:00:00+03:00"),
    "/occurred/date": ("not_a_date", "2016-05-08"),
    "/location": ("no_place", ""),
    "/location/lat": ("not_a_latitude", "36.214"),
    "/location/lon": ("not_a_longitude", "37.166"),
    "/location/radius_km": ("not_a_radius", "1.5"),
    "/casualties/killed": ("not_a_count", "1234"),
    "/casualties/injured": ("not_a_count", "1234"),
    "/source/grade": ("not_a_grade", "C3"),
    "/aggregate": ("not_true_or_false", "true"),
}
#: By a part of the sentence, before the field is looked at.
_BY_SENTENCE: Final[tuple[tuple[str, FaultCode], ...]] = (
    ("is required", "empty"),
    ("missing required field", "empty"),
    ("is not a known field", "unknown_column"),
    ("in the future", "in_the_future"),
    ("is before from", "ends_before_it_begins"),
    ("needs lat and lon", "no_place"),
    ("must hold a letter or a digit", "no_name"),
    ("of length <=", "too_long"),
    ("Expected `array`, got", "not_a_list"),
)


def explain_faults(draft: ReportDraft, faults: Iterable[FieldFault]) -> RefusedRow:
    """The refusal of a draft for faults of its fields."""
    return RefusedRow(tuple(_explain(draft, pointer, detail) for pointer, detail in faults), draft.external_id)


def check_draft(draft: ReportDraft, find_faults: Callable[[object], Iterable[FieldFault]]) -> ReportDraft | RefusedRow:
    """The draft itself, or its refusal; ``find_faults`` is the check that ingest makes of every report."""
    faults = list(find_faults(draft.report))
    return explain_faults(draft, faults) if faults else draft


def _explain(draft: ReportDraft, pointer: str, detail: str) -> RowFault:
    field = "/".join(part for part in pointer.split("/") if not part.isdigit())
    column = _column(draft, pointer)
    cell = draft.cells.get(column, _given(draft.report, pointer))
    code = next((code for part, code in _BY_SENTENCE if part in detail), None)
    wanted, example = _WANTED.get(field, ("not_text" if "Expected `str`, got" in detail else "not_valid", ""))
    if code == "unknown_column":
        return RowFault(code, column, None, pointer, nearest=nearest(column, tuple(report_paths())))
    if code == "empty" and field == "/location":
        return RowFault("no_place", column, cell, pointer)
    if code is not None:
        return RowFault(code, column, cell, pointer, example if code == "empty" else "")
    if field in _VALUES:
        like = nearest(cell or "", _VALUES[field])
        return RowFault("not_allowed", column, cell, pointer, nearest=like, allowed=tuple(_VALUES[field]))
    if field == "/source/grade":
        return RowFault(wanted, column, cell, pointer, example, nearest=nearest(cell or "", _GRADES))
    return RowFault(wanted, column, cell, pointer, example, detail=detail if wanted == "not_valid" else "")


def _column(draft: ReportDraft, pointer: str) -> str:
    """The column of a field, or of what holds it; its path where it was read from none."""
    at = pointer
    while at:
        if at in draft.columns:
            return draft.columns[at]
        at = at.rpartition("/")[0]
    return pointer[1:].replace("/", ".")


def _given(report: object, pointer: str) -> str | None:
    value = report
    for part in pointer.split("/")[1:]:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return None if value is None or isinstance(value, dict | list) else str(value)
