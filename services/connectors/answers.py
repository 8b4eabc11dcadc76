"""The answers of a form as a report, by the operator's tables: questions to fields, choices to words, names to parties.

Used for KoboToolbox, ODK and Ushahidi alike. An answer is text as a form sends it, a number, a list of either, or a
place: ``lat lon altitude accuracy`` as text (accuracy in metres), GeoJSON, ``{lat, lon}``, ``[lat, lon]``.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, get_args

from schemas.instants import format_instant
from schemas.local_time import read_moment
from schemas.report import MAX_RADIUS_KM
from schemas.vocabulary import Act, Claim, Site
from services.connectors.fault_sentences import nearest
from services.connectors.model import FaultCode, RefusedRowError, ReportDraft, RowContext, RowFault

#: Written where nothing is known, in any case.
EMPTY: Final = frozenset({"", "-", "nan", "null", "none", "n/a", "na"})
#: The words of the contract, where a field takes no others.
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "act": get_args(Act),
    "claims": get_args(Claim),
    "sites": get_args(Site),
}
LISTS: Final = ("perpetrators", "targets", "sites", "claims")
COUNTS: Final = ("casualties.killed", "casualties.injured")
TEXTS: Final = ("description", "language", "source.name", "source.grade", "source.url")
PLACES: Final = ("location", "location.lat", "location.lon", "location.place", "location.radius_km", "location.area")
TIMES: Final = ("occurred", "occurred.date", "occurred.from", "occurred.to")
#: Every path of ours that a table of fields may map.
PATHS: Final = (*TIMES, *PLACES, "act", *LISTS, *COUNTS, *TEXTS, "evidence", "aggregate")
#: A choice as a form names it: select_multiple joins several by blanks.
_CHOICE: Final = re.compile(r"[a-z0-9_.\-]+")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]00:00(?::00(?:\.0+)?)?)?")
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")
#: The words for true and false, in small letters.
TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
MIN_RADIUS_KM: Final = 0.1

Answers = Mapping[str, Any]


def is_empty(value: Any) -> bool:
    """Whether an answer says nothing."""
    if isinstance(value, str):
        return value.strip().casefold() in EMPTY
    return value is None or (isinstance(value, list | dict) and not value)


def flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Each question by its path, ``group/question``. The answers of a repeat become a list, in order; a place and a
    list of plain values stay as they are."""
    found: dict[str, Any] = {}
    for path, value in _leaves(record, prefix):
        add_answer(found, path, value)
    return found


class _Several(list[Any]):
    """Answers to one question that were gathered, in order."""


def add_answer(answers: dict[str, Any], path: str, value: Any) -> None:
    """Add an answer; a second one to the same question makes a list of them."""
    before = answers.get(path)
    if isinstance(before, _Several):
        before.append(value)
    elif path in answers:
        answers[path] = _Several([before, value])
    else:
        answers[path] = value


def _leaves(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        # KoboToolbox writes the whole path within a group already, ODK the last step alone.
        path = key if not prefix or key.startswith(f"{prefix}/") else f"{prefix}/{key}"
        if isinstance(value, dict) and not _is_place(value):
            yield from _leaves(value, path)
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            if all(_is_place(item) for item in value):
                yield path, value
            else:
                for item in value:
                    yield from _leaves(item, path)
        else:
            yield path, value


def _is_place(value: Mapping[str, Any]) -> bool:
    return value.get("type") == "Point" or {"lat", "lon"} <= value.keys()


class AnswerReader:
    """Reads one submission. ``labelled``: cells of an export, where a choice may be a label with blanks in it.

    Faults are gathered, so that a submission is refused once with all of them.
    """

    def __init__(self, answers: Answers, context: RowContext, *, labelled: bool = False) -> None:
        self._answers, self._tables, self._zone = answers, context.tables, context.zone
        self._labelled = labelled
        self._faults: list[RowFault] = []
        self._columns: dict[str, str] = {}
        self._cells: dict[str, str] = {}

    def draft(self, external_id: str, defaults: Mapping[str, Any], mark: str = "") -> ReportDraft:
        """The report; ``defaults`` holds what stands where nothing is mapped or answered, by our top-level names.
        Raises RefusedRowError with every fault."""
        report: dict[str, Any] = {"external_id": external_id}
        given = {
            "occurred": self._occurred(),
            "act": self._act(),
            "location": self._location(defaults.get("location")),
            **{path: self._list(path) for path in LISTS},
            "casualties": self._casualties(),
            "aggregate": self._truth("aggregate"),
            "description": self._text("description"),
            "language": self._text("language"),
            "evidence": self._items("evidence"),
            "source": self._source(defaults.get("source", {})),
        }
        for name, value in given.items():
            chosen = defaults.get(name) if value is None else value
            if chosen is not None:
                report[name] = chosen
        for name, code in (("occurred", "empty"), ("act", "empty"), ("location", "no_place")):
            if name not in report and not any(fault.pointer.startswith(f"/{name}") for fault in self._faults):
                self._fault(code, name, None)  # type: ignore[arg-type]
        if self._faults:
            raise RefusedRowError(*self._faults)
        return ReportDraft(external_id, report, mark, self._columns, self._cells)

    def _answer(self, path: str) -> Any:
        """The answer to the question mapped to ``path``; None where there is no mapping or no answer."""
        column = self._tables.fields.get(path)
        value = None if column is None else self._answers.get(column)
        if is_empty(value):
            return None
        assert column is not None
        pointer = "/" + path.replace(".", "/")
        self._columns[pointer], self._cells[column] = column, _cell(value)
        return value

    def _one(self, path: str) -> Any:
        """A single answer: of a repeat, what all its answers say."""
        value = self._answer(path)
        if not isinstance(value, list) or path == "location":
            return value
        distinct = list(dict.fromkeys(_cell(item) for item in value if not is_empty(item)))
        if len(distinct) > 1:
            self._fault("not_valid", path, value, detail="one answer is wanted, and there are several")
            return None
        return value[0] if distinct else None

    def _fault(
        self,
        code: FaultCode,
        path: str,
        value: Any,
        *,
        detail: str = "",
        example: str = "",
        allowed: Iterable[str] = (),
    ) -> None:
        cell = None if value is None else _cell(value)
        words = tuple(allowed)
        column = self._tables.fields.get(path, path)
        likeliest = "" if cell is None else nearest(cell, words)
        self._faults.append(
            RowFault(code, column, cell, "/" + path.replace(".", "/"), example, likeliest, words, detail)
        )

    def _text(self, path: str) -> str | None:
        value = self._one(path)
        return None if value is None else _cell(value).strip()

    def _items(self, path: str) -> list[str] | None:
        value = self._answer(path)
        if value is None:
            return None
        return [_cell(item).strip() for item in (value if isinstance(value, list) else [value]) if not is_empty(item)]

    def _truth(self, path: str) -> bool | None:
        value = self._one(path)
        if value is None or isinstance(value, bool):
            return value
        found = TRUTHS.get(_cell(value).strip().casefold())
        if found is None:
            self._fault("not_true_or_false", path, value)
        return found

    def _casualties(self) -> dict[str, int]:
        found = {path.removeprefix("casualties."): self._count(path) for path in COUNTS}
        return {name: number for name, number in found.items() if number is not None}

    def _count(self, path: str) -> int | None:
        value = self._one(path)
        if value is None:
            return None
        number = _number(value)
        if number is None or number < 0 or not number.is_integer():
            self._fault("not_a_count", path, value, example="3")
            return None
        return int(number)

    def _source(self, default: Mapping[str, Any]) -> dict[str, Any]:
        mapped = {path.removeprefix("source."): self._text(path) for path in TEXTS if path.startswith("source.")}
        return {**default, **{name: text for name, text in mapped.items() if text is not None}}

    def _occurred(self) -> Any:
        if (whole := self._one("occurred")) is not None:
            return self._when("occurred", whole)
        if (day := self._one("occurred.date")) is not None:
            return self._when("occurred.date", day)
        start, end = self._one("occurred.from"), self._one("occurred.to")
        if start is None or end is None:
            return None if start is None else self._when("occurred.from", start)
        first, last = self._instant("occurred.from", start), self._instant("occurred.to", end)
        return None if first is None or last is None else {"from": first, "to": last}

    def _when(self, path: str, value: Any) -> Any:
        """A day stays a day; a time keeps its offset, and one without is local."""
        text = _cell(value).strip()
        if _DAY.fullmatch(text):
            return self._day(path, text[:10], value)
        return self._instant(path, value)

    def _day(self, path: str, text: str, value: Any) -> dict[str, str] | None:
        try:
            date.fromisoformat(text)
        except ValueError:
            self._fault("not_a_date", path, value, example="2016-02-28")
            return None
        return {"date": text}

    def _instant(self, path: str, value: Any) -> str | None:
        text = _cell(value).strip().replace(" ", "T", 1)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return text
        try:
            return format_instant(read_moment(text, self._zone))
        except (ValueError, OverflowError):
            self._fault("not_a_time", path, value, example="2016-02-28T13:40:00+02:00")
            return None

    def _act(self) -> str | None:
        value = self._one("act")
        found = [] if value is None else self._chosen("act", value)
        if len(found) > 1:
            self._fault("not_valid", "act", value, detail="one act is wanted, and there are several")
        return found[0] if found else None

    def _list(self, path: str) -> list[str] | None:
        value = self._answer(path)
        if value is None:
            return None
        return list(
            dict.fromkeys(
                word
                for item in (value if isinstance(value, list) else [value])
                if not is_empty(item)
                for word in self._chosen(path, item)
            )
        )

    def _chosen(self, path: str, value: Any) -> list[str]:
        """The meaning of an answer. The whole of it is looked up before its words are: a label has blanks, and the
        choices of select_multiple are joined by them."""
        cell = _cell(value).strip()
        known = self._known(path, cell)
        if known is not None:
            return [known]
        parts = cell.split()
        looked_up = [self._known(path, part) for part in parts]
        if all(part is not None for part in looked_up):
            return [part for part in looked_up if part is not None]
        allowed = WORDS.get(path)
        if allowed is None and path not in self._tables.choices:
            plain = not self._labelled and all(_CHOICE.fullmatch(part) for part in parts)
            return [self._tables.names.get(part, part) for part in parts] if plain else [cell]
        # Some words known: the unknown ones are at fault; none known: the answer as a whole, which may be a label.
        missing = [part for part, found in zip(parts, looked_up, strict=True) if found is None]
        for one in missing if len(missing) < len(parts) else [cell]:
            self._fault(
                "not_in_table", path, one, detail=f"choices.{path}",
                allowed=[*self._tables.choices.get(path, {}), *(allowed or ())],
            )  # fmt: skip
        return []

    def _known(self, path: str, word: str) -> str | None:
        choices = self._tables.choices.get(path, {})
        if word in choices:
            return choices[word]
        allowed = WORDS.get(path)
        if allowed is not None:
            return word if word in allowed else None
        return self._tables.names.get(word)

    def _location(self, default: Any) -> dict[str, Any] | None:
        point = self._point(self._answer("location"), "location")
        if point is None and default is not None and not any(fault.pointer == "/location" for fault in self._faults):
            point = self._point(default, "location")
        lat, lon = self._degrees("location.lat", 90), self._degrees("location.lon", 180)
        found: dict[str, Any] = dict(point or {})
        if lat is not None and lon is not None:
            found.update(lat=lat, lon=lon)
        radius = self._one("location.radius_km")
        if radius is not None:
            number = _number(radius)
            if number is None or not 0 < number <= MAX_RADIUS_KM:
                self._fault("not_a_radius", "location.radius_km", radius, example="5")
            else:
                found["radius_km"] = number
        for path in ("location.place", "location.area"):
            if (text := self._text(path)) is not None:
                found[path.removeprefix("location.")] = self._tables.choices.get(path, {}).get(text, text)
        return found or None

    def _degrees(self, path: str, most: int) -> float | None:
        value = self._one(path)
        if value is None:
            return None
        number = _number(value)
        if number is None or not -most <= number <= most:
            self._fault("not_a_latitude" if most == 90 else "not_a_longitude", path, value, example="36.21")
            return None
        return number

    def _point(self, value: Any, path: str) -> dict[str, Any] | None:
        if is_empty(value):
            return None
        numbers = read_point(value)
        if numbers is None:
            self._fault("not_valid", path, value, detail="latitude and longitude are wanted, such as 36.21 37.17")
            return None
        lat, lon, radius = numbers
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            self._fault("nowhere", path, f"{lat:g}, {lon:g}")
            return None
        return {"lat": lat, "lon": lon, "radius_km": radius}


def read_point(value: Any) -> tuple[float, float, float] | None:
    """Latitude, longitude, radius in km; None for what is no point. GeoJSON has the longitude first."""
    accuracy: Any = None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and "coordinates" in value:
        pair: Sequence[Any] = value["coordinates"][1::-1] if isinstance(value["coordinates"], list) else ()
        properties = value.get("properties")
        accuracy = properties.get("accuracy") if isinstance(properties, dict) else None
    elif isinstance(value, dict):
        pair, accuracy = (value.get("lat"), value.get("lon")), value.get("accuracy")
    elif isinstance(value, list):
        pair = value[:2]
    else:
        parts = str(value).split()
        pair, accuracy = parts[:2], parts[3] if len(parts) > 3 else None
    numbers = [_number(part) for part in pair]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    metres = _number(accuracy) or 0.0
    return numbers[0], numbers[1], min(MAX_RADIUS_KM, max(MIN_RADIUS_KM, metres / 1000))


def regrade(grade: str, credibility: str | None) -> str:
    """The grade with another second part: B3 reviewed and approved is B2."""
    return grade if credibility is None else grade[0] + credibility


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    text = str(value).strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "; ".join(map(_cell, value)) if isinstance(value, list) else str(value)
