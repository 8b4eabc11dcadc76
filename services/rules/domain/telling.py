"""What an alert tells beyond its assessment, so that whoever delivers it needs no registry."""

from collections.abc import Iterator
from typing import Final

from schemas.assessments import AlertTexts, Assessment
from schemas.vocabulary import LANGUAGES
from services.rules.domain.alerting import Surroundings, reasons_of
from services.rules.domain.evaluate import Judge
from services.rules.domain.model import Names, Registry
from services.rules.domain.sentences import named

#: English stands in the reasons themselves.
TRANSLATED: Final = tuple(language for language in LANGUAGES if language != "en")


def surroundings_of(judge: Judge, assessment: Assessment) -> Surroundings:
    """The areas that the place touches, the reasons in the other languages, the names of all that is mentioned."""
    areas = judge.areas_of(assessment.place)
    reasons = reasons_of(assessment)
    named_things = dict(_mentioned(judge.registry, assessment, areas))
    return Surroundings(
        areas=areas,
        texts={
            language: AlertTexts("", tuple(judge.render(reason, language) for reason in reasons))
            for language in TRANSLATED
        },
        names={
            language: {id: named(names, id, language) for id, names in named_things.items()} for language in LANGUAGES
        },
        timezone=judge.registry.timezone,
    )


def _mentioned(registry: Registry, assessment: Assessment, areas: tuple[str, ...]) -> Iterator[tuple[str, Names]]:
    for actor in (*assessment.perpetrators, *assessment.targets):
        for id in (actor.party, *actor.coalitions):
            if id is not None and id in registry.parties:
                yield id, registry.parties[id].names
    for id in areas:
        if id in registry.areas:
            yield id, registry.areas[id].names
    for finding in assessment.findings:
        if finding.truce in registry.truces:
            yield finding.truce, registry.truces[finding.truce].names
