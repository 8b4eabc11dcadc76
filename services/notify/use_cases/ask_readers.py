"""Ask readers for the consent that could not be asked for yet, since there was no mail relay."""

from collections.abc import Callable
from typing import Final

from schemas.instants import HOUR
from services.notify.decisions.proofs import NewTokens, resume
from services.notify.domain.consent import AskedTooOftenError, NotWantedError, waits_to_ask
from services.notify.use_cases.change_subscription import SubscriptionStore, change_stored
from services.notify.use_cases.directory import Directory

#: Confirmations sent in one pass, so that no other write waits long.
AT_ONCE: Final = 100


async def ask_readers(
    now: int,
    *,
    directory: Directory,
    store: SubscriptionStore,
    make_tokens: Callable[[], NewTokens],
    not_before: dict[str, int],
) -> int:
    """Send the confirmations that wait; returns how many subscriptions those were of. ``not_before``: subscriptions
    whose reader is not to be asked again until then, as this process has found."""
    waiting = [s.id for s in directory.subscriptions.values() if waits_to_ask(s)]
    for id in [id for id, at in not_before.items() if at <= now]:
        del not_before[id]
    asked = [id for id in waiting if id not in not_before][:AT_ONCE]
    for id in asked:
        try:
            await change_stored(id, lambda s: resume(s, make_tokens(), now), store, _write_nothing)
        except AskedTooOftenError as error:
            not_before[id] = error.again_at
        except NotWantedError:
            not_before[id] = now + HOUR
    if asked:
        await directory.refresh()
    return len(asked)


def _write_nothing(_connection: object) -> None:
    return None
