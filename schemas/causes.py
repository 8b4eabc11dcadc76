"""Why something was decided: the author of an act, and the cause of an assessment or alert."""

from typing import Literal

import msgspec

CauseKind = Literal["report", "registry", "decision", "link"]


class Actor(msgspec.Struct, frozen=True):
    """The author of an act: id and name of the key. Null for the system itself, which is named by its part."""

    key: str | None
    name: str


class Cause(msgspec.Struct, frozen=True):
    """Why an incident was assessed: a report, a change of the registry, an operator's decision, or a link.

    ``by`` is the operator; null for a report, whose source the assessment names. ``reason`` is the one that was given:
    that of a retraction, of a change, of a decision. ``resources`` are what changed (``truces/aleppo-calm``).
    ``registry_version`` is the version that a change of the registry made; of other causes, the one that was judged by
    (null in assessments made before causes were kept, all of which a report caused).
    """

    kind: CauseKind = "report"
    by: Actor | None = None
    reason: str | None = None
    resources: tuple[str, ...] = ()
    registry_version: int | None = None
