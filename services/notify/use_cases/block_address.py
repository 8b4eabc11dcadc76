"""Send nothing more to an address whose reader wants no mail from here, whoever asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.notify.decisions import endpoints
from services.notify.domain.subscription import Subscription
from services.notify.use_cases.directory import Directory, StaleError


@dataclass(frozen=True, slots=True)
class AskedAddress:
    """An address that a confirmation asked for its consent, and the subscriptions that name it."""

    confirmation: str
    address: str
    subscriptions: Sequence[Subscription]


class BlockStore(Protocol):
    async def load_asked(self, token: str) -> AskedAddress | None:
        """By the token of the confirmation; None for an unknown or an old one."""
        ...

    async def block(self, asked: AskedAddress, after: Sequence[Subscription], now: int) -> None:
        """Block the address, and keep what becomes of each subscription, in one transaction. Raises StaleError where
        one of them changed, or another one names the address."""
        ...


async def block_address(token: str, now: int, store: BlockStore, directory: Directory) -> str | None:
    """The address that is blocked now; None where no confirmation had this token. Doing it twice changes nothing."""
    while (asked := await store.load_asked(token)) is not None:
        after = [endpoints.block_address(s, asked.address, now)[0] for s in asked.subscriptions]
        try:
            await store.block(asked, after, now)
        except StaleError:
            continue
        await directory.refresh()
        return asked.address
    return None
