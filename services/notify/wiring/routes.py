"""The API of the service."""

from collections.abc import Callable

from fastapi import APIRouter

from services.notify.http.alert_links import build_links_router
from services.notify.http.alerts import AlertReader, build_alerts_router
from services.notify.http.blocks import build_blocks_router
from services.notify.http.confirm import build_pages_router
from services.notify.http.deliveries import build_deliveries_router
from services.notify.http.feeds import Feeds, build_feeds_router
from services.notify.http.lookup import build_lookup_router
from services.notify.http.restore import build_restore_router
from services.notify.http.silences import build_silences_router
from services.notify.http.stream import Tail
from services.notify.http.subscriptions import ApiParts, build_router
from services.notify.wiring.stores import Stores
from services.platform.http.routes import join_routers


def build_routes(
    parts: ApiParts,
    stores: Stores,
    reader: AlertReader,
    tail: Tail,
    pause: Callable[[bool], None],
    kick: Callable[[], None],
) -> APIRouter:
    """``pause`` holds all sending, or lets it go on; ``kick`` has what is due looked at at once."""
    return join_routers(
        [
            build_router(parts),
            build_deliveries_router(parts),
            build_pages_router(parts),
            build_blocks_router(parts),
            build_silences_router(parts),
            build_restore_router(stores.generations, stores.queue, parts.clock, pause, kick),
            build_feeds_router(Feeds(reader, stores.feed_tokens, tail)),
            build_alerts_router(reader, parts),
            build_links_router(reader, stores.subscriptions),
            build_lookup_router(parts, stores.log, stores.names),
        ],
    )
