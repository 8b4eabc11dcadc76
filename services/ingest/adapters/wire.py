"""The answers about adapters and to hooks."""

from typing import Any

import msgspec

from schemas.instants import format_instant
from schemas.report import Terms
from services.connectors.payloads import AdapterKind
from services.ingest.adapters.domain import Adapter, AdapterState, describe_worry


class PollView(msgspec.Struct, frozen=True):
    """A list that is read. ``has_token``: there is one, which is never shown."""

    url: str
    every: str
    full_every: str
    has_token: bool


class FailingView(msgspec.Struct, frozen=True):
    """Since when an adapter does not do what it is for, RFC 3339 UTC, and why."""

    since: str | None
    reason: str


class AdapterView(msgspec.Struct, frozen=True):
    """An adapter, without its secrets. ``read`` counts records that became a report, a new revision, or were known;
    ``found_again`` those that a list had and no hook had told of. Times RFC 3339 UTC, null where it never was."""

    id: str
    kind: AdapterKind
    partner: str
    fields: dict[str, str]
    choices: dict[str, dict[str, str]]
    names: dict[str, str]
    form: str
    terms: Terms | None
    grade: str | None
    topic: str | None
    has_secret: bool
    poll: PollView | None
    version: int
    created_at: str
    updated_at: str
    last_delivery_at: str | None
    last_poll_at: str | None
    last_full_at: str | None
    next_poll_at: str | None
    read: int
    refused: int
    withdrawn: int
    found_again: int
    failing: FailingView | None


class InboundItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fate of one record: the revision that it is, or that nothing is stored (``ignored`` says why), or why it
    was refused. ``report`` is in previews alone."""

    status: int
    external_id: str = ""
    incident_id: str | None = None
    revision: int | None = None
    ignored: str = ""
    withdrawn: bool = False
    report: Any = None
    problem: dict[str, Any] | None = None


class InboundAnswer(msgspec.Struct, frozen=True):
    """One result for each record. ``status`` is what Ushahidi wants to read."""

    status: int
    results: list[InboundItem]


class UnknownValue(msgspec.Struct, frozen=True):
    """A value that no table knows: of which field of ours, and in how many records."""

    field: str
    value: str
    count: int


class PreviewAnswer(msgspec.Struct, frozen=True):
    """The fate of each record, with nothing stored, and the values that no table knows, the most frequent first."""

    results: list[InboundItem]
    unknown: list[UnknownValue]


def view_adapter(adapter: Adapter, state: AdapterState, now: int) -> AdapterView:
    tables, poll, worry = adapter.tables, adapter.poll, describe_worry(state, now)
    return AdapterView(
        adapter.id, adapter.kind, adapter.partner, tables.fields, tables.choices, tables.names, tables.form,
        tables.terms, tables.grade, adapter.topic, adapter.has_secret,
        None if poll is None else PollView(poll.url, poll.written_every, poll.written_full, adapter.has_token),
        adapter.version, format_instant(adapter.created_at), format_instant(adapter.updated_at),
        _told(state.last_delivery_at), _told(state.last_poll_at), _told(state.last_full_at), _told(state.next_poll_at),
        state.read, state.refused, state.withdrawn, state.found_again,
        None if worry is None else FailingView(_told(worry[0]), worry[1]),
    )  # fmt: skip


def _told(instant: int) -> str | None:
    return format_instant(instant) if instant else None
