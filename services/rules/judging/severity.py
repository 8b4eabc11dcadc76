"""The severity of an incident, whatever the verdict. Source: judgement.md, "Severity"."""

from functools import lru_cache
from typing import Final

from schemas.report import Report
from schemas.vocabulary import ACT_GROUPS, Severity
from services.rules.judging.names import normalise

#: Whole words, singular or plural, after normalising: a campaign is no camp.
_SITE_WORDS: Final = frozenset(
    form for word in ("hospital", "clinic", "school", "camp", "convoy") for form in (word, word + "s")
)
_MANY: Final = 10


def severity_of(report: Report) -> Severity:
    """A count that the source leaves open counts as none."""
    killed = report.casualties.killed or 0
    injured = report.casualties.injured or 0
    site = hits_protected_site(report)
    if killed >= _MANY or (site and killed) or report.act == "chemical":
        return "Extreme"
    if killed or injured >= _MANY or site:
        return "Severe"
    if injured or report.act in ACT_GROUPS["heavy_weapons"]:
        return "Moderate"
    return "Minor"


def hits_protected_site(report: Report) -> bool:
    """The sites that the report lists, a target named as such a site, or the convoy that an attack on aid implies."""
    return bool(report.sites) or report.act == "attack_on_aid" or any(map(_names_site, report.targets))


@lru_cache(maxsize=8_192)
def _names_site(target: str) -> bool:
    return not _SITE_WORDS.isdisjoint(normalise(target).split())
