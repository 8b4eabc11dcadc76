"""Aleppo, 4 to 10 May 2016, as it was announced: each step with the windows, verdicts and mails that follow it.

The facts are those of the worked example (``deploy/scenarios/syria_2016``). Made up are the reports, rebel against
rebel, so that only the local calm forbids it, and the withdrawal of an announcement with its own withdrawal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.scenario import registry_document

Json = dict[str, Any]

CALM: Final = "aleppo-calm"
READER: Final = "desk@example.org"
SUBSCRIPTION: Final[Json] = {
    "name": "Aleppo desk",
    "channel": {"type": "email", "to": READER},
    "filter": {"truces": [CALM]},
    "verified": True,
}


def opening_registry() -> Json:
    """The worked example as it stood before anything was announced of Aleppo."""
    document = registry_document()
    for truce in document["truces"]:
        if truce["id"] == CALM:
            truce["announcements"] = []
    return document


def _report(external_id: str, occurred: str, **more: Any) -> Json:
    return {
        "external_id": external_id, "occurred": occurred, "act": "armed_clash",
        "location": {"place": f"eastern Aleppo ({external_id})", "lat": 36.2, "lon": 37.18, "radius_km": 1.0},
        "perpetrators": ["Jaysh al-Islam"], "targets": ["Rahman Corps"],
        "source": {"name": "local monitor", "grade": "C3"}, **more,
    }  # fmt: skip


_FIRST: Final = _report("first", "2016-05-04T14:00:00+03:00")
_EXTENDED: Final = _report("extended", "2016-05-07T10:00:00+03:00")
_GAP: Final = _report("gap", "2016-05-10T00:30:00+03:00")
_LAST: Final = _report("last", "2016-05-10T08:00:00+03:00")
_LATE: Final = _report("late", "2016-05-05T12:00:00+03:00")


def _announced(id: str) -> Json:
    (truce,) = (one for one in registry_document()["truces"] if one["id"] == CALM)
    (said,) = (one for one in truce["announcements"] if one["id"] == id)
    return dict(said)


def _withdrawal(id: str, of: str, at: str) -> Json:
    return {"id": id, "issuer": "syrian-government", "action": "withdraw", "withdraws": of, "announced_at": at}


@dataclass(frozen=True)
class Step:
    """``at`` a moment (UTC) somebody reports, or announces; then the windows of the calm, as start, end and the
    announcements; the verdicts so far, with the certainty of a violation; and the mails that were sent for it: the
    status and the report."""

    at: str
    told: str
    report: Json | None = None
    announcement: Json | None = None
    windows: tuple[tuple[str, str, tuple[str, ...]], ...] | None = None
    verdicts: Mapping[str, str] | None = None
    mails: tuple[tuple[str, str], ...] = ()


_ARMY: Final = ("05-04T22:00", "05-06T22:00", ("army-20160504",))
_WITH_RUSSIA: Final = ("05-04T22:00", "05-06T22:00", ("army-20160504", "russia-20160504"))
_AGREED: Final = ("05-03T21:01", "05-06T22:00", ("army-20160504", "russia-20160504", "us-20160504"))
_SECOND: Final = ("05-06T21:01", "05-09T21:01", ("russia-20160506",))
_THIRD: Final = ("05-09T22:00", "05-11T21:00", ("army-20160509",))

STORY: Final = (
    Step("05-04T17:00", "nothing is announced when the first clash is reported", report=_FIRST, windows=(),
         verdicts={"first": "not_covered"}),
    Step("05-04T17:30", "the army declares 48 hours from 5 May 01:00", announcement=_announced("army-20160504"),
         windows=(_ARMY,), verdicts={"first": "not_covered"}),
    Step("05-04T18:00", "Russia says until midnight on 6 May", announcement=_announced("russia-20160504"),
         windows=(_WITH_RUSSIA,), verdicts={"first": "not_covered"}),
    Step("05-04T19:00", "the United States: in effect since 00:01, after the fact",
         announcement=_announced("us-20160504"), windows=(_AGREED,), verdicts={"first": "violation Possible"},
         mails=(("raised", "first"),)),
    Step("05-06T20:00", "Russia extends it in the city", announcement=_announced("russia-20160506"),
         windows=(_AGREED, _SECOND), verdicts={"first": "violation Possible"}),
    Step("05-07T09:00", "a clash within the extension", report=_EXTENDED,
         verdicts={"first": "violation Possible", "extended": "violation Likely"}, mails=(("raised", "extended"),)),
    Step("05-08T09:00", "two were killed in it", report=_EXTENDED | {"casualties": {"killed": 2}},
         verdicts={"first": "violation Possible", "extended": "violation Likely"}, mails=(("updated", "extended"),)),
    Step("05-09T22:00", "half an hour after the lapse", report=_GAP,
         verdicts={"first": "violation Possible", "extended": "violation Likely", "gap": "not_covered"}),
    Step("05-10T06:00", "a clash while nothing is known to be in force", report=_LAST,
         verdicts={"first": "violation Possible", "extended": "violation Likely", "gap": "not_covered",
                   "last": "not_covered"}),
    Step("05-10T07:00", "the army's extension, announced the evening before, is entered after the lapse",
         announcement=_announced("army-20160509"), windows=(_AGREED, _SECOND, _THIRD),
         verdicts={"first": "violation Possible", "extended": "violation Likely", "gap": "not_covered",
                   "last": "violation Likely"}, mails=(("raised", "last"),)),
    Step("05-10T08:00", "a report from 5 May arrives late", report=_LATE,
         verdicts={"first": "violation Possible", "extended": "violation Likely", "gap": "not_covered",
                   "last": "violation Likely", "late": "violation Likely"}, mails=(("raised", "late"),)),
    Step("05-10T09:00", "the army's extension is withdrawn",
         announcement=_withdrawal("army-withdraws", "army-20160509", "2016-05-10T09:00:00Z"),
         windows=(_AGREED, _SECOND),
         verdicts={"first": "violation Possible", "extended": "violation Likely", "gap": "not_covered",
                   "last": "not_covered", "late": "violation Likely"}, mails=(("cancelled", "last"),)),
    Step("05-10T10:00", "the withdrawal was the mistake",
         announcement=_withdrawal("army-insists", "army-withdraws", "2016-05-10T10:00:00Z"),
         windows=(_AGREED, _SECOND, _THIRD),
         verdicts={"first": "violation Possible", "extended": "violation Likely", "gap": "not_covered",
                   "last": "violation Likely", "late": "violation Likely"}, mails=(("raised", "last"),)),
)  # fmt: skip


def tell_windows(answer: list[Json]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """The windows of an answer as a step has them."""
    return tuple((one["from"][5:16], str(one["to"])[5:16], tuple(one["announcements"])) for one in answer)


def tell_verdicts(assessments: Mapping[str, Json]) -> dict[str, str]:
    """The current assessments by the reports' ids, as a step has them."""
    return {
        id: one["verdict"] + (f" {one['certainty']}" if one["verdict"] == "violation" else "")
        for id, one in assessments.items()
    }


def tell_mail(subject: str) -> tuple[str, str]:
    """The status and the report of a mail, by its subject."""
    status = next((word for word in ("updated", "cancelled") if subject.lower().startswith(word)), "raised")
    return status, subject.partition("eastern Aleppo (")[2].partition(")")[0]
