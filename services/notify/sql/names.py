"""From any id that ever went out to the alerts that it is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from services.notify.domain.consent import fold_address
from services.notify.kinds.catalogue import find_kind
from services.notify.sql.tables import alert_log, deliveries, gathered, subscriptions
from services.platform.db.engine import Database
from services.platform.security.sealing import Sealer


@dataclass(frozen=True, slots=True)
class NamedDelivery:
    """One message about an alert."""

    id: str
    subscription: str
    owner: str
    type: str
    mail_id: str | None


class SqlNames:
    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def alerts_by_delivery(self, id: str, owner: str | None) -> Sequence[str]:
        """The alerts that a message told of, by its webhook-id or its Message-ID; of one owner's, or of anybody's."""
        d, g = deliveries.c, gathered.c
        by = or_(d.id == id, d.mail_id == id, d.mail_id == f"<{id.strip('<>')}>")
        statement = (
            select(d.alert_id, g.alert_id)
            .select_from(deliveries)
            .join(subscriptions, subscriptions.c.id == d.subscription_id)
            .outerjoin(gathered, g.delivery_id == d.id)
            .where(by)
        )
        if owner is not None:
            statement = statement.where(subscriptions.c.owner == owner)

        def work(connection: Connection) -> list[str]:
            found = [own or joined for own, joined in connection.execute(statement)]
            return list(dict.fromkeys(alert for alert in found if alert))

        return await self._database.read(work)

    async def alerts_of_thread(self, thread: str) -> Sequence[str]:
        statement = select(alert_log.c.alert_id).where(alert_log.c.thread == thread).distinct()
        return await self._database.read(lambda connection: list(connection.execute(statement).scalars()))

    async def deliveries_of(self, alert: str, owner: str | None) -> Sequence[NamedDelivery]:
        """Every message that told of an alert, to one owner or to anybody."""
        d, g, s = deliveries.c, gathered.c, subscriptions.c
        joined = select(g.delivery_id).where(g.alert_id == alert)
        statement = (
            select(d.id, d.subscription_id, s.owner, d.kind, d.status, d.mail_id)
            .join(subscriptions, s.id == d.subscription_id)
            .where((d.alert_id == alert) | d.id.in_(joined))
            .order_by(d.created_at, d.id)
            .limit(1000)
        )
        if owner is not None:
            statement = statement.where(s.owner == owner)

        def work(connection: Connection) -> list[NamedDelivery]:
            return [
                NamedDelivery(r.id, r.subscription_id, r.owner, find_kind(r.kind).type(r.status), r.mail_id)
                for r in connection.execute(statement)
            ]

        return await self._database.read(work)

    async def subscriptions_at(self, address: str | None, mail_id: str | None) -> Sequence[str]:
        """The mail subscriptions of an address, or the one that a message was sent to."""
        s, d = subscriptions.c, deliveries.c
        if mail_id is not None:
            statement = select(d.subscription_id).where(d.mail_id == f"<{mail_id.strip('<>')}>")
        else:
            forms = {address or "", fold_address(address or "")}
            hashes = [found for form in forms for found in self._sealer.indexes(form)]
            statement = select(s.id).where(s.target_hash.in_(hashes), s.state != "ended")
        return await self._database.read(lambda connection: list(connection.execute(statement).scalars()))
