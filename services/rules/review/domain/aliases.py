"""Names that an operator mapped, as aliases of the registry."""

from collections.abc import Mapping

from msgspec.structs import replace

from schemas.decisions import AliasPeriod
from schemas.registry import Alias, Party, Resource
from services.rules.registry.domain.resources import Key, Resources


def with_aliases(resources: Resources, names: Mapping[str, str], period: AliasPeriod) -> dict[Key, Resource]:
    """Each name (reported name: party id) as an alias of its party for that time, unless it is one already."""
    edited = dict(resources)
    for name, id in names.items():
        party, alias = edited.get(("parties", id)), _alias(name, period)
        if isinstance(party, Party) and alias not in party.aliases:
            edited["parties", id] = replace(party, aliases=(*party.aliases, alias))
    return edited


def without_aliases(resources: Resources, names: Mapping[str, str], period: AliasPeriod) -> dict[Key, Resource]:
    """As before :func:`with_aliases`; an alias that was changed meanwhile stays."""
    edited = dict(resources)
    for name, id in names.items():
        party, alias = edited.get(("parties", id)), _alias(name, period)
        if isinstance(party, Party):
            edited["parties", id] = replace(party, aliases=tuple(one for one in party.aliases if one != alias))
    return edited


def _alias(name: str, period: AliasPeriod) -> Alias | str:
    """As the registry writes it: a name alone where it counts at any time."""
    if period.start is None and period.end is None:
        return name
    return Alias(name, period.start, period.end)
