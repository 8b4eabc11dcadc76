"""The bulletin of a period: what was judged of the incidents that touch it, as tables in one language.

Casualties are as claimed. Reports that are linked as one event count once, between their lowest and highest claim.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.instants import parse_instant
from schemas.vocabulary import OUTCOMES, Language
from schemas.wording.lines import clean
from schemas.wording.words import Words, words, zone_label

#: From this score on two reports tell of one event (judgement.md 18).
STRONG: Final = 0.8
Assessment = Mapping[str, Any]
Cell = str | int | None


@dataclass(frozen=True, slots=True)
class ReportedPeriod:
    """``[start, end)`` in microseconds UTC, shown in ``zone``."""

    start: int
    end: int
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class BulletinData:
    """The answers of the server: the assessments of the period, the names of resources by language, and the windows of
    each truce that meet the period."""

    assessments: Sequence[Assessment]
    names: Mapping[str, Mapping[str, str]]
    windows: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class BulletinTable:
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """In the language's own words; ``incidents`` are those of the lists, one row each, for other programs."""

    language: Language
    title: str
    lead: str
    tables: Sequence[BulletinTable]
    notes: Sequence[str]
    incidents: BulletinTable


def make_bulletin(given: BulletinData, period: ReportedPeriod, language: Language) -> Bulletin:
    """Retracted reports are left out."""
    return _BulletinWriter(given, period, words(language)).write()


class _BulletinWriter:
    def __init__(self, given: BulletinData, period: ReportedPeriod, say: Words) -> None:
        self._all = [one for one in given.assessments if all(r["code"] != "retracted" for r in one["reasons"])]
        self._all.sort(key=lambda one: (one["occurred"]["from"], one["incident_id"]))
        self._given, self._period, self._say = given, period, say

    def write(self) -> Bulletin:
        say, period = self._say, self._period
        violations = self._of("violation")
        tolls = [say.say("bulletin.reports"), say.say("bulletin.killed"), say.say("bulletin.injured")]
        tables = [
            BulletinTable(
                say.say("bulletin.summary"),
                [say.say("field.verdict"), *tolls],
                [[say.name("verdict", verdict), *_counts(self._of(verdict))] for verdict in OUTCOMES],
            ),
            BulletinTable(
                say.say("bulletin.by_truce"),
                [say.say("field.truces"), say.say("bulletin.windows"), *tolls],
                [
                    [self._name(truce), self._windows(windows), *_counts(_violating(violations, truce))]
                    for truce, windows in sorted(self._given.windows.items())
                ],
            ),
            *(self._grouped(key, header, by, violations, tolls) for key, header, by in self._groupings()),
            self._listed("bulletin.violations", violations),
            self._listed("bulletin.undetermined", self._of("undetermined")),
        ]
        label = zone_label(period.start, period.zone)
        spoken = [say.moment(edge, period.zone) for edge in (period.start, period.end)]
        lead = say.say("day.span", first=spoken[0], last=spoken[1])
        notes = [say.say("truce.zone", zone=label), say.say("bulletin.note")]
        return Bulletin(say.language, say.say("bulletin.title"), lead, tables, notes, self._incidents())

    def _of(self, verdict: str) -> list[Assessment]:
        return [one for one in self._all if one["verdict"] == verdict]

    def _groupings(self) -> Iterator[tuple[str, str, Callable[[Assessment], Iterable[str]]]]:
        say = self._say
        yield (
            "bulletin.by_party",
            "field.perpetrators",
            lambda one: {self._party(p) for p in one["perpetrators"]} or {say.say("unknown_party")},
        )
        yield "bulletin.by_act", "field.act", lambda one: [say.name("act", one["act"])]

    def _grouped(
        self,
        key: str,
        header: str,
        by: Callable[[Assessment], Iterable[str]],
        of: Sequence[Assessment],
        tolls: list[str],
    ) -> BulletinTable:
        """Most frequent first."""
        groups: dict[str, list[Assessment]] = {}
        for one in of:
            for name in by(one):
                groups.setdefault(name, []).append(one)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        rows = [[name, *_counts(members)] for name, members in ordered]
        return BulletinTable(self._say.say(key), [self._say.say(header), *tolls], rows)

    def _listed(self, key: str, of: Sequence[Assessment]) -> BulletinTable:
        fields = (
            "occurred",
            "place",
            "act",
            "perpetrators",
            "targets",
            "certainty",
            "severity",
            "casualties",
            "source",
        )
        say = self._say
        rows = [
            [
                self._moment(one["occurred"]["from"]), self._place(one["place"]), say.name("act", one["act"]),
                self._parties(one["perpetrators"]), self._parties(one["targets"]),
                say.name("certainty", one["certainty"]), say.name("severity", one["severity"]),
                self._casualties(one["casualties"]), self._source(one["source"]),
            ]
            for one in of
        ]  # fmt: skip
        return BulletinTable(say.say(key), [say.say(f"field.{field}") for field in fields], rows)

    def _incidents(self) -> BulletinTable:
        header = (
            "incident_id", "verdict", "certainty", "severity", "from", "to", "act", "place", "perpetrators", "targets",
            "truces", "killed", "injured", "source", "grade",
        )  # fmt: skip
        rows = [
            [
                one["incident_id"], one["verdict"], one["certainty"], one["severity"], one["occurred"]["from"],
                one["occurred"]["to"], one["act"], self._place(one["place"]), _ids(one["perpetrators"]),
                _ids(one["targets"]), ";".join(_carrying(one)), one["casualties"].get("killed"),
                one["casualties"].get("injured"), one["source"]["name"], one["source"].get("grade"),
            ]
            for one in self._all
        ]  # fmt: skip
        return BulletinTable("", header, rows)

    def _name(self, resource: str) -> str:
        names = self._given.names.get(resource, {})
        return clean(names.get(self._say.language) or names.get("en") or resource)

    def _party(self, one: Mapping[str, Any]) -> str:
        return (
            self._name(one["party"]) if one["party"] else self._say.say("unknown_name", reported=clean(one["reported"]))
        )

    def _parties(self, several: Sequence[Mapping[str, Any]]) -> str:
        return self._say.join([self._party(one) for one in several]) or self._say.say("unknown_party")

    def _place(self, place: Mapping[str, Any]) -> str:
        if place.get("name"):
            return clean(place["name"])
        if place.get("area"):
            return self._name(place["area"])
        if place.get("lat") is not None:
            return f"{place['lat']:.4f}, {place['lon']:.4f}"
        return self._say.say("unknown_place")

    def _moment(self, text: str) -> str:
        return self._say.moment(parse_instant(text), self._period.zone)

    def _windows(self, windows: Sequence[Mapping[str, Any]]) -> str:
        say = self._say
        told = []
        for window in windows:
            start = self._moment(window["from"])
            line = (
                say.say("window.open", start=start)
                if window["to"] is None
                else say.say("window.closed", start=start, end=self._moment(window["to"]))
            )
            is_disputed = any(stretch["disputed"] for stretch in window["stretches"])
            told.append(f"{line} ({say.say('console.disputed')})" if is_disputed else line)
        return "; ".join(told) or say.say("none")

    def _casualties(self, claimed: Mapping[str, int | None]) -> str:
        kinds = ("killed", "injured")
        return self._say.join([self._say.count(kind, n) for kind in kinds if (n := claimed.get(kind)) is not None])

    def _source(self, source: Mapping[str, Any]) -> str:
        name = clean(source["name"])
        grade = source.get("grade")
        return self._say.say("source_graded", name=name, grade=grade) if grade else name


def _ids(several: Sequence[Mapping[str, Any]]) -> str:
    return ";".join(one["party"] or one["reported"] for one in several)


def _carrying(one: Assessment) -> list[str]:
    """The truces whose findings carry the verdict."""
    return [finding["truce"] for finding in one["findings"] if finding["outcome"] == one["verdict"]]


def _violating(violations: Sequence[Assessment], truce: str) -> list[Assessment]:
    return [one for one in violations if truce in _carrying(one)]


def _counts(of: Sequence[Assessment]) -> list[Cell]:
    return [len(of), *(toll(of, kind) for kind in ("killed", "injured"))]


def toll(of: Sequence[Assessment], kind: str) -> str:
    """How many are claimed to be killed, or injured: a number, two with a dash between them, or nothing."""
    claims = [[n for one in event if (n := one["casualties"].get(kind)) is not None] for event in events(of)]
    told = [claim for claim in claims if claim]
    least, most = sum(map(min, told)), sum(map(max, told))
    return "" if not told else f"{least}" if least == most else f"{least}–{most}"


def events(of: Sequence[Assessment]) -> list[list[Assessment]]:
    """The reports of one event together: those that a strong link, or one that an operator confirmed, leads to."""
    by_id = {one["incident_id"]: one for one in of}
    left, found = dict(by_id), list[list[Assessment]]()
    while left:
        event, open_ends = [], [next(iter(left))]
        while open_ends:
            if (one := left.pop(open_ends.pop(), None)) is not None:
                event.append(one)
                open_ends += [link["incident_id"] for link in one["links"] if _is_strong(link)]
        found.append(event)
    return found


def _is_strong(link: Mapping[str, Any]) -> bool:
    return bool(link["score"] >= STRONG or link.get("state") == "confirmed")
