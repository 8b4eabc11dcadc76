"""The content of a message to a person, before it is rendered as a letter or for a chat."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Tone:
    """The colour of the bar and the badge, in light and dark mode. White text is readable on both."""

    light: str
    dark: str


TONES: Final[dict[str, Tone]] = {
    "Extreme": Tone("#7a1020", "#a5293c"),
    "Severe": Tone("#b3261e", "#c2453e"),
    "Moderate": Tone("#b45309", "#b0620f"),
    "Minor": Tone("#7a6410", "#80701f"),
    "calm": Tone("#1f5fbf", "#2f6fcb"),
    "over": Tone("#566272", "#5d6a7b"),
}


@dataclass(frozen=True, slots=True)
class DigestRow:
    """One alert of a digest."""

    headline: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class MessagePage:
    """The content of a message. Its texts contain no control characters; ``tone`` is a key of :data:`TONES`."""

    subject: str
    title: str
    preview: str
    tone: str = "calm"
    badge: str = ""
    lead: tuple[str, ...] = ()
    button: tuple[str, str] | None = None
    changes: tuple[tuple[str, str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()
    rows: tuple[DigestRow, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    footer: str = ""
