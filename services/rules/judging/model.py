"""The registry as the rules read it: compiled, immutable, every reference resolved, every time an instant.

``services.rules.registry.domain.document`` makes it from the published document, and
``services.rules.judging.evaluate`` judges by it. Instants are microseconds since the epoch, UTC; intervals are
half-open ``[start, end)``, ``None`` is open.
"""

from dataclasses import dataclass, field
from typing import Literal

from shapely import MultiPolygon, Polygon

from schemas.vocabulary import Language

Names = dict[Language, str]


@dataclass(frozen=True, slots=True)
class Period:
    """Half-open; ``None`` is open on that side."""

    start: int | None = None
    end: int | None = None

    def holds(self, instant: int) -> bool:
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


ALWAYS = Period()


@dataclass(frozen=True, slots=True)
class CompiledAlias:
    name: str
    period: Period = ALWAYS


@dataclass(frozen=True, slots=True)
class PartyRef:
    """A party named in a membership, a duty or an exclusion, for a time."""

    party: str
    period: Period = ALWAYS
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class CompiledParty:
    """``cannot`` holds acts (groups expanded); ``umbrella``: the name may cover excluded groups (judgement.md 6)."""

    id: str
    kind: str
    names: Names
    aliases: tuple[CompiledAlias, ...] = ()
    member_of: tuple[PartyRef, ...] = ()
    cannot: frozenset[str] = frozenset()
    umbrella: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """``geometry`` in WGS 84 longitude, latitude; a union is already united."""

    id: str
    names: Names
    geometry: Polygon | MultiPolygon


@dataclass(frozen=True, slots=True)
class CompiledPlace:
    """One entry of the gazetteer."""

    id: str
    name: str
    lat: float
    lon: float
    radius_km: float
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledPresence:
    id: str
    party: str
    area: str
    control: Literal["present", "held"]
    period: Period = ALWAYS


@dataclass(frozen=True, slots=True)
class CompiledDuty:
    """``bound`` toward ``toward`` must not commit ``acts`` (groups expanded). ``None`` for a side is ``any``."""

    bound: tuple[PartyRef, ...] | None
    toward: tuple[PartyRef, ...] | None
    acts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Account:
    """One issuer's word on one window: where and when it holds (judgement.md 13)."""

    announcement: str
    issuer: str
    area: str
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Window:
    """A window that one ``declare`` or ``extend`` began, with every account of it; covered where any account covers."""

    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class CompiledTruce:
    id: str
    names: Names
    kind: str
    area: str
    duties: tuple[CompiledDuty, ...]
    exclusions: tuple[PartyRef, ...]
    windows: tuple[Window, ...]
    guarantors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledRegistry:
    """One version of everything; ``timezone`` is an IANA name."""

    version: int
    timezone: str
    parties: dict[str, CompiledParty] = field(default_factory=dict)
    presence: tuple[CompiledPresence, ...] = ()
    areas: dict[str, Area] = field(default_factory=dict)
    places: dict[str, CompiledPlace] = field(default_factory=dict)
    truces: dict[str, CompiledTruce] = field(default_factory=dict)
