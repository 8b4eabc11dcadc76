"""The facts behind decisions about alerts: the revisions in the log, who was told of them, when groups went out."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select

from services.notify.decisions.alerts import GroupName
from services.notify.decisions.groups import WaitingAlert
from services.notify.sql.alert_log import lock_log
from services.notify.sql.tables import alert_log, deliveries, gathered, groups, held
from services.notify.sql.versions import expect_version
from services.notify.use_cases.directory import StaleError
from services.notify.use_cases.take_alerts import AlertFacts, DecidedBatch
from services.platform.db.bulk import select_by_key

#: In words of both databases, since it runs for each batch.
_KNOWN: Final = "SELECT alert_id, revision FROM alert_log WHERE alert_id"


def lock_at(connection: Connection, version: int) -> None:
    """One process at a time keeps what it decided. Raises StaleError when the directory is no longer at ``version``."""
    lock_log(connection)
    expect_version(connection, version)


def expect(connection: Connection, batch: DecidedBatch) -> None:
    """Lock, and raise StaleError where the batch does not hold any more."""
    lock_at(connection, batch.version)
    facts = batch.facts
    if (facts.alerts or facts.groups) and load_facts(connection, facts.alerts, facts.groups) != facts:
        raise StaleError


def load_facts(connection: Connection, alerts: frozenset[str], names: frozenset[GroupName]) -> AlertFacts:
    return AlertFacts(
        alerts,
        names,
        find_known(connection, alerts),
        _load_told(connection, alerts),
        _load_waiting(connection, alerts),
        _load_last_sent(connection, names),
    )


def find_known(connection: Connection, alerts: Collection[str]) -> frozenset[tuple[str, int]]:
    """The revisions of these alerts that are in the log."""
    return frozenset((id, revision) for id, revision in select_by_key(connection, _KNOWN, sorted(alerts)))


def _load_told(connection: Connection, alerts: Collection[str]) -> dict[str, dict[str, int]]:
    """By alert and subscription: the newest revision that was told of, or waits to be."""
    found: dict[str, dict[str, int]] = {}
    if not alerts:
        return found
    d, g, h = deliveries.c, gathered.c, held.c
    sent = select(d.alert_id, d.subscription_id, d.revision).where(d.alert_id.in_(alerts), d.state != "dropped")
    joined = select(g.alert_id, g.subscription_id, g.revision).where(g.alert_id.in_(alerts))
    waiting = select(h.alert_id, h.subscription_id, h.revision).where(h.alert_id.in_(alerts), h.silence_id.is_(None))
    for alert, subscription, revision in connection.execute(sent.union_all(joined, waiting)):
        by = found.setdefault(alert, {})
        by[subscription] = max(revision, by.get(subscription, 0))
    return found


def _load_waiting(connection: Connection, alerts: Collection[str]) -> dict[str, dict[str, WaitingAlert]]:
    """By alert and subscription: what waits to be gathered."""
    found: dict[str, dict[str, WaitingAlert]] = {}
    if alerts:
        for row in connection.execute(select_waiting(held.c.alert_id.in_(alerts), held.c.silence_id.is_(None))):
            found.setdefault(row.alert_id, {})[row.subscription_id] = to_waiting(row)
    return found


def select_waiting(*conditions: ColumnElement[bool]) -> Any:
    """Alerts that wait, in the order in which they came, each with whether a message has told its reader of it."""
    d, g, h = deliveries.c, gathered.c, held.c
    alone = exists().where(d.alert_id == h.alert_id, d.subscription_id == h.subscription_id, d.state != "dropped")
    joined = exists().where(g.alert_id == h.alert_id, g.subscription_id == h.subscription_id)
    revision = and_(alert_log.c.alert_id == h.alert_id, alert_log.c.revision == h.revision)
    told = or_(alone, joined).label("told_before")
    statement = select(held, alert_log.c.status, alert_log.c.severity, told).join(alert_log, revision)
    return statement.where(*conditions).order_by(h.held_at, alert_log.c.seq)


def to_waiting(row: Any) -> WaitingAlert:
    told_before = bool(row.told_before)
    return WaitingAlert(row.alert_id, row.revision, row.status, row.severity, row.held_at, row.due_at, told_before)


def _load_last_sent(connection: Connection, names: Collection[GroupName]) -> dict[GroupName, int]:
    if not names:
        return {}
    g = groups.c
    statement = select(groups).where(
        g.subscription_id.in_({subscription for subscription, _ in names}),
        g.group_key.in_({key for _, key in names}),
        g.last_sent.is_not(None),
    )
    found = {(row.subscription_id, row.group_key): row.last_sent for row in connection.execute(statement)}
    return {name: found[name] for name in names if name in found}
