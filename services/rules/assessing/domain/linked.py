"""The reports linked with one, as its assessment takes them. Source: judgement.md 18."""

from dataclasses import dataclass
from typing import Final

from schemas.assessments import Assessment, Link


@dataclass(frozen=True, slots=True)
class Linked:
    """``links``: strongest first, none that an operator cut. ``thread``: the incidents whose alerts belong into its
    thread; ``corroborating``: those among them whose reports corroborate it. Both sorted."""

    links: tuple[Link, ...] = ()
    thread: tuple[str, ...] = ()
    corroborating: tuple[str, ...] = ()


UNLINKED: Final = Linked()


def links_differ(assessment: Assessment, linked: Linked) -> tuple[str, ...]:
    """The incidents whose links to this one are not those that its assessment was made with, sorted."""
    before, after = ({link.incident_id: link for link in links} for links in (assessment.links, linked.links))
    changed = {id for id in before.keys() | after.keys() if before.get(id) != after.get(id)}
    # Corroboration adds to a violation's certainty, and to nothing else.
    if (assessment.rules or assessment).verdict == "violation":
        changed |= set(linked.corroborating) ^ _corroborating(assessment)
    return tuple(sorted(changed))


def _corroborating(assessment: Assessment) -> set[str]:
    return {id for reason in assessment.reasons if reason.code == "corroborated" for id in reason.fact["incidents"]}
