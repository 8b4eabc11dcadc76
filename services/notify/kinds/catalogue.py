"""All kinds of messages, by name. A new kind has a module of its own and is registered here."""

from collections.abc import Callable
from typing import Final, get_args

from schemas.vocabulary import AlertStatus
from services.notify.kinds.alert import ALERT
from services.notify.kinds.challenge import CHALLENGE
from services.notify.kinds.confirmation import CONFIRM, CONSENT
from services.notify.kinds.digest import DIGEST
from services.notify.kinds.heartbeat import HEARTBEAT
from services.notify.kinds.kind import Kind
from services.notify.kinds.notice import NOTICE
from services.notify.kinds.test import TEST
from services.notify.kinds.truce_notice import TRUCE_NOTICES

ALERT_STATUSES: Final[tuple[AlertStatus, ...]] = get_args(AlertStatus)
_kinds: Final[dict[str, Kind]] = {}


def register(*kinds: Kind) -> None:
    """Add kinds. Raises ValueError for a name that is taken, or a kind without a body and a page."""
    for kind in kinds:
        if kind.name in _kinds:
            raise ValueError(f"the kind {kind.name} is registered already")
        if not kind.bodies and kind.page is None:
            raise ValueError(f"the kind {kind.name} has neither a body nor a page")
        _kinds[kind.name] = kind


def unregister(kind: Kind) -> None:
    del _kinds[kind.name]


def find_kind(name: str) -> Kind:
    """The kind of a stored message. A kind of another release cannot be written: each attempt fails."""
    return _kinds.get(name) or Kind(name)


def names_of(wanted: Callable[[Kind], bool]) -> frozenset[str]:
    """The names of the kinds for which ``wanted`` holds."""
    return frozenset(name for name, kind in _kinds.items() if wanted(kind))


def message_types() -> list[str]:
    """Every type that a message may have, sorted."""
    return sorted({kind.type(status) for kind in _kinds.values() for status in ALERT_STATUSES})


register(ALERT, DIGEST, HEARTBEAT, CHALLENGE, TEST, CONFIRM, CONSENT, NOTICE, *TRUCE_NOTICES.values())
