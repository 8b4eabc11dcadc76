"""Incidents whose links changed since they were judged are judged again: the consumer of its own that correlation is.

An incident is linked as it is judged. The reports at the other ends of its links were judged before, or are being
judged by another process: they are owed another judgement, which follows here, from the log of assessments.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from schemas.causes import Actor, Cause
from schemas.codec import decode_as
from schemas.envelope import Event
from services.rules.assessing.domain.keeping import JudgedReport, KeyedCause
from services.rules.assessing.domain.linked import UNLINKED, links_differ
from services.rules.assessing.judge_and_keep import Judging, judge_and_keep
from services.rules.linking.use_cases import Profiles, linked_of

#: Incidents that changed the links of others, looked through at once.
SLICE: Final = 200
#: How often what a process left undone is looked for, seconds.
PERIOD_S: Final = 60


@dataclass(frozen=True, slots=True)
class Recheck:
    """An incident to be judged again where its links are not those of its assessment, since a link to ``origin``
    changed; ``by`` and ``reason`` are those of the change that this followed from."""

    origin: str
    incident_id: str
    number: int
    by: Actor | None = None
    reason: str | None = None


class JudgedReports(Protocol):
    async def reports(self, incident_ids: Collection[str]) -> Mapping[str, JudgedReport]:
        """Those of these incidents that were judged. Raises RetryLaterError."""
        ...


class Rechecks(Protocol):
    """The incidents that are owed another judgement. Each method raises RetryLaterError."""

    async def owed(self, origins: Collection[str]) -> Sequence[Recheck]: ...

    async def origins(self, limit: int) -> Sequence[str]:
        """The first incidents whose links made others be owed a judgement."""
        ...

    async def done(self, rechecks: Sequence[Recheck]) -> None:
        """They are owed no more, unless they were noted again since they were read."""
        ...


@dataclass(frozen=True, slots=True)
class RecheckParts:
    """The parts of what follows here."""

    judging: Judging
    judged: JudgedReports
    profiles: Profiles
    rechecks: Rechecks


class _Linked(msgspec.Struct):
    links: tuple[msgspec.Raw, ...] = ()


class _Assessed(msgspec.Struct):
    """An assessment, of which its links are wanted."""

    assessment: _Linked


async def recheck_assessed(events: Sequence[Event], parts: RecheckParts) -> None:
    """Judge again the incidents of these assessments, and those whose links to them changed, where their links are
    others by now. Raises RetryLaterError, UnreadableEventError."""
    linked: dict[str, bool] = {}
    for event in events:
        linked[event.key] = linked.get(event.key, False) or bool(decode_as(event, _Assessed).assessment.links)
    await recheck_links(list(linked), parts, [id for id, has_some in linked.items() if not has_some])


async def recheck_links(origins: Sequence[str], parts: RecheckParts, unlinked: Collection[str] = ()) -> None:
    """As :func:`recheck_assessed`, for incidents by their ids; ``unlinked`` were judged without links."""
    owed = await parts.rechecks.owed(origins)
    await _judge_again(list(dict.fromkeys([*origins, *(one.incident_id for one in owed)])), owed, parts, unlinked)
    await parts.rechecks.done(owed)


async def recheck_left_over(parts: RecheckParts) -> None:
    """Recheck the links of incidents that were linked and then not judged: their process ended, or a decision on them
    was not kept. Raises RetryLaterError."""
    if origins := await parts.rechecks.origins(SLICE):
        cases = [one.case.case for one in (await parts.judged.reports(origins)).values()]
        await parts.judging.linking.link(parts.judging.current.judge, cases, Cause("link"))
        await recheck_links(origins, parts)


async def _judge_again(
    incident_ids: Sequence[str], owed: Sequence[Recheck], parts: RecheckParts, unlinked: Collection[str]
) -> None:
    linked = linked_of(incident_ids, await parts.profiles.links_of(incident_ids))
    known = set(unlinked).difference(one.incident_id for one in owed)
    # Most reports are linked with none: their assessments need not be read for that.
    read = [id for id in incident_ids if id not in known or linked[id] != UNLINKED]
    judged = await parts.judged.reports(read)
    decided = {one.incident_id: one for one in owed if one.by is not None}
    # In batches by who changed the links, mostly nobody: each assessment names the others that its own changed with.
    causes: dict[Cause, list[JudgedReport]] = defaultdict(list)
    own: dict[str, KeyedCause] = {}
    for incident_id, one in judged.items():
        if others := links_differ(one.assessment, linked[incident_id]):
            cause = _cause_of(decided.get(incident_id))
            its = msgspec.structs.replace(cause, resources=tuple(f"incidents/{id}" for id in others))
            own[incident_id] = KeyedCause(its, _key(one))
            causes[cause].append(one)
    for cause, some in causes.items():
        await judge_and_keep([one.case for one in some], cause, parts.judging, own=own)


def _cause_of(decided: Recheck | None) -> Cause:
    return Cause("link") if decided is None else Cause("link", decided.by, decided.reason)


def _key(one: JudgedReport) -> str:
    """The same links may come and go: each assessment is replaced once."""
    replaced = f"{one.assessment.incident_id}-{one.sequence}"
    return f"link/{hashlib.sha256(replaced.encode()).hexdigest()[:16]}"
