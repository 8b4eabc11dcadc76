"""The registry's names as ingest knows them, for the sentences of an assessment in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from schemas import codec
from schemas.assessments import Assessment, Reason
from schemas.envelope import Event
from schemas.vocabulary import Language
from schemas.wording.reasons import Narrator, retell
from services.platform.clock import LocalTime

FOLLOWER: Final = "ingest.names"


class NamedThing(msgspec.Struct, frozen=True):
    """A party, an area or a truce, by its names; ``version`` is the registry's that says so."""

    names: Mapping[Language, str]
    version: int


class _Properties(msgspec.Struct, frozen=True):
    name: dict[Language, str] = {}


class _Body(msgspec.Struct):
    """As much of a resource as names it: areas are features, whose names are among their properties."""

    name: dict[Language, str] = {}
    properties: _Properties = _Properties()


class _Changed(msgspec.Struct):
    id: str
    version: int
    body: _Body | None


@dataclass(slots=True)
class KnownNames:
    """A directory of names that follows the log. What is deleted keeps its last name: older reasons speak of it."""

    local: LocalTime
    parties: dict[str, NamedThing] = field(default_factory=dict)
    areas: dict[str, NamedThing] = field(default_factory=dict)
    truces: dict[str, NamedThing] = field(default_factory=dict)

    @property
    def timezone(self) -> str:
        return self.local.zone.key

    async def follow(self, event: Event) -> None:
        """Take the names of a changed resource. Raises UnreadableEventError."""
        kind = event.key.partition("/")[0]
        known = {"parties": self.parties, "areas": self.areas, "truces": self.truces}.get(kind)
        if known is None:
            return
        change = codec.decode_as(event, _Changed)
        before = known.get(change.id)
        # The log may repeat itself: what an older version said is not said again.
        if change.body is not None and (before is None or change.version >= before.version):
            known[change.id] = NamedThing(change.body.name or change.body.properties.name, change.version)


def tell(assessment: bytes, names: KnownNames, language: Language) -> bytes:
    """An assessment as it is kept, with its sentences in that language; one of an unforeseen shape as it stands."""
    narrator = Narrator(names)

    def told(reason: Reason, language: Language) -> str:
        return narrator.tell(reason.code, reason.fact, language)

    try:
        return msgspec.json.encode(retell(msgspec.json.decode(assessment, type=Assessment), told, language))
    except msgspec.ValidationError:
        return assessment
