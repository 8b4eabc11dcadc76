"""What an alert tells beyond its assessment, so that whoever delivers it needs no registry."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from schemas.assessments import AlertTexts, Assessment
from schemas.vocabulary import LANGUAGES
from services.rules.domain.alerting import Surroundings, reasons_of
from services.rules.domain.evaluate import Judge
from services.rules.domain.model import Names, Registry
from services.rules.domain.sentences import named

#: English stands in the reasons themselves.
TRANSLATED: Final = tuple(language for language in LANGUAGES if language != "en")
_KEPT: Final = 4_096


class Teller:
    """Tells by one judge. Most alerts mention what others mentioned: what is made of that is kept."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._names = lru_cache(maxsize=_KEPT)(self._name)

    def surroundings_of(self, assessment: Assessment) -> Surroundings:
        """The areas that the place touches, the reasons in the other languages, the names of all that is mentioned."""
        areas = self._judge.areas_of(assessment.place)
        told = [self._judge.translate(reason, TRANSLATED) for reason in reasons_of(assessment)]
        parties = [
            id for actor in (*assessment.perpetrators, *assessment.targets) for id in (actor.party, *actor.coalitions)
        ]
        return Surroundings(
            areas=areas,
            texts={
                language: AlertTexts("", tuple(sentences[n] for sentences in told))
                for n, language in enumerate(TRANSLATED)
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
    registry: Registry, parties: tuple[str | None, ...], areas: tuple[str, ...], truces: tuple[str, ...]
) -> Iterator[tuple[str, Names]]:
    for ids, known in ((parties, registry.parties), (areas, registry.areas), (truces, registry.truces)):
        for id in ids:
            if id is not None and id in known:
                yield id, known[id].names
