"""An alert beyond its assessment, so that notify needs no registry to deliver it."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from schemas.assessments import AlertTexts, Assessment
from schemas.vocabulary import LANGUAGES
from schemas.wording.reasons import named
from services.rules.assessing.domain.alerting import Surroundings, reasons_of
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import CompiledRegistry, Names

#: The reasons themselves hold the English sentence.
TRANSLATED: Final = tuple(language for language in LANGUAGES if language != "en")
_KEPT: Final = 4_096


class AlertWording:
    """The words of one version of the registry. Most alerts mention the same names: these are cached."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._names = lru_cache(maxsize=_KEPT)(self._name)

    def surroundings_of(self, assessment: Assessment) -> Surroundings:
        """The areas that the place touches, the reasons in the other languages, the names of all that is mentioned."""
        areas = self._judge.areas_of(assessment.place)
        sentences = [self._judge.translate(reason, TRANSLATED) for reason in reasons_of(assessment)]
        parties = [
            id for actor in (*assessment.perpetrators, *assessment.targets) for id in (actor.party, *actor.coalitions)
        ]
        return Surroundings(
            areas=areas,
            texts={
                language: AlertTexts("", tuple(each[n] for each in sentences)) for n, language in enumerate(TRANSLATED)
            },
            names=self._names(tuple(parties), areas, tuple(finding.truce for finding in assessment.findings)),
            timezone=self._judge.registry.timezone,
        )

    def _name(
        self, parties: tuple[str | None, ...], areas: tuple[str, ...], truces: tuple[str, ...]
    ) -> dict[str, dict[str, str]]:
        """By language and id; in languages other than English only what has a name of its own in them."""
        things = dict(_named(self._judge.registry, parties, areas, truces))
        names: dict[str, dict[str, str]] = {"en": {id: named(of, id, "en") for id, of in things.items()}}
        for language in TRANSLATED:
            names[language] = {id: of[language] for id, of in things.items() if language in of}
        return names


def _named(
    registry: CompiledRegistry, parties: tuple[str | None, ...], areas: tuple[str, ...], truces: tuple[str, ...]
) -> Iterator[tuple[str, Names]]:
    for ids, known in ((parties, registry.parties), (areas, registry.areas), (truces, registry.truces)):
        for id in ids:
            if id is not None and id in known:
                yield id, known[id].names
