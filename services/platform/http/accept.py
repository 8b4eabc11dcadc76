"""Headers that say what a client would rather have: Accept, Accept-Encoding (RFC 9110, 12.4.2 and 12.5)."""

from typing import Final

from services.platform.http.reply import JSON_TYPE

#: Parts of one header that are looked at.
MAX_PARTS: Final = 50


def read_weights(value: str) -> dict[str, float]:
    """The weight of each part of the header, in lower case without its parameters; 1 where it has none, 0 where its
    weight cannot be read."""
    weights = {}
    for part in value.lower().split(",")[:MAX_PARTS]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name:
            weights[name] = _weight(parameters)
    return weights


def prefers(accept: str, *kinds: str) -> bool:
    """Whether an Accept header names one of ``kinds`` and would have it no less than JSON; ``*/*`` alone means JSON."""
    weights = read_weights(accept)
    asked = max(weights.get(kind, 0.0) for kind in kinds)
    return asked > 0 and asked >= weights.get(JSON_TYPE, 0.0)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(text)
            except ValueError:
                return 0.0
    return 1.0
