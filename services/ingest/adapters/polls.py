"""Lists of other systems, read again and again: what hooks lost, what was edited or deleted there.

One process reads a list at a time, by a lease. A pass that breaks off is done again from where the last whole one
ended.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from schemas.events import Actor
from schemas.instants import HOUR, MINUTE, SECOND
from services.connectors.file_pages import DIGEST, ListPage, UnreadableListError
from services.connectors.lists import credentials, follow, login, since
from services.connectors.model import ReportDraft
from services.connectors.payloads import FILES, AdapterKind, order_of_times
from services.connectors.ucdp import month_of, month_of_report
from services.ingest.adapters.domain import Adapter, AdapterState, PollPlan
from services.ingest.adapters.sql import SqlAdapters
from services.ingest.adapters.use_cases import SLICE, Inbound
from services.ingest.use_cases import Recorded, Retraction, SourceState
from services.platform.clock import Clock
from services.platform.db.engine import Database
from services.platform.db.lease import drop_lease, take_lease
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults

log = logging.getLogger(__name__)

NAME: Final = "ingest.polls"
PERIOD_S: Final = 1.0
#: A lease is renewed with each page, which takes less time to fetch and to take in.
LEASE: Final = 3 * MINUTE
MAX_PAGES: Final = 10_000
#: A list that lacks more than so many known submissions, and more than half of them, is not believed.
BELIEVED: Final = 10
MAX_FAILURE: Final = 300
MAX_WAIT: Final = 24 * HOUR


class PolledAnswer(Protocol):
    """One answer of another system."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def retry_after(self) -> str | None: ...


class Fetch(Protocol):
    async def get(self, url: str, headers: Mapping[str, str]) -> PolledAnswer:
        """Raises RetryLaterError, whose text says why there is no answer."""
        ...

    async def post(self, url: str, form: Mapping[str, str]) -> PolledAnswer:
        """As :meth:`get`."""
        ...


class _Login(msgspec.Struct, frozen=True):
    """ACLED's answer to a login."""

    access_token: str


@dataclass(slots=True)
class _Listed:
    """A list: ids, of UCDP the months in which its events ended, and whether it has a record without an id."""

    ids: set[str] = field(default_factory=set)
    months: set[str] = field(default_factory=set)
    unnamed: bool = False

    def add(self, kind: AdapterKind, page: ListPage, zone: ZoneInfo) -> bool:
        """Whether some of the page's ids are new."""
        ids = {record.outcome.external_id for record in page.records}
        some_new = not ids <= self.ids
        self.ids |= ids - {""}
        self.unnamed = self.unnamed or "" in ids
        for record in page.records if kind == "ucdp" else ():
            if isinstance(record.outcome, ReportDraft):
                self.months.add(month_of_report(record.outcome.report["occurred"], zone))
        return some_new


class PollFailedError(Exception):
    """A pass ended before its end; the text is shown to operators. ``wait`` in microseconds: not before."""

    def __init__(self, why: str, wait: int = 0) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(slots=True)
class Polls:
    """Reads each list when it is due. ``holder`` names this process."""

    store: SqlAdapters
    inbound: Inbound
    fetch: Fetch
    database: Database
    clock: Clock
    faults: Faults
    holder: str
    _running: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def step(self) -> None:
        """Begin to read every list that is due and is not being read. A slow one delays no other."""
        now = self.clock.now()
        for adapter, state in await self.store.all():
            running = self._running.get(adapter.id)
            if adapter.poll is None or state.next_poll_at > now or (running is not None and not running.done()):
                continue
            read = partial(self.poll, adapter.id)
            self._running[adapter.id] = asyncio.create_task(self.faults.guard(NAME, read), name=f"poll {adapter.id}")

    async def settled(self) -> None:
        """Wait until no list is being read."""
        await asyncio.gather(*self._running.values())

    async def close(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def wake(self, id: str) -> None:
        """Have a list read soon."""
        now = self.clock.now()
        await self.store.change_state(id, lambda state: msgspec.structs.replace(state, next_poll_at=now))

    async def poll(self, id: str) -> None:
        """Read one list, unless another process does; a failure is kept with the adapter."""
        if not await self._lease(id):
            return
        try:
            adapter, state = await self.store.find(id), await self.store.state(id)
            # Read again under the lease: another process may just have done it.
            if adapter is None or adapter.poll is None or state.next_poll_at > self.clock.now():
                return
            await self._pass(adapter, adapter.poll, state)
        finally:
            await self.database.write(lambda c: drop_lease(c, _lease_name(id), self.holder), durable=False)

    async def _lease(self, id: str) -> bool:
        now = self.clock.now()

        def work(connection: Connection) -> bool:
            return take_lease(connection, _lease_name(id), self.holder, now, now + LEASE)

        return await self.database.write(work, durable=False)

    async def _pass(self, adapter: Adapter, plan: PollPlan, state: AdapterState) -> None:
        begun = self.clock.now()
        whole = not state.cursor or begun - state.last_full_at >= plan.full_every
        try:
            cursor = await self._read_all(adapter, plan, state.cursor, begun, whole=whole)
        except (RetryLaterError, PollFailedError) as error:
            why, wait = str(error), max(plan.every, min(getattr(error, "wait", 0), MAX_WAIT))
            log.warning("adapter %s: its list could not be read: %s", adapter.id, error)
            await self.store.change_state(adapter.id, lambda s: _failed(s, why, begun, begun + wait))
            return

        def done(state: AdapterState) -> AdapterState:
            return msgspec.structs.replace(
                state,
                last_poll_at=begun,
                last_full_at=begun if whole else state.last_full_at,
                next_poll_at=begun + plan.every,
                cursor=_later(state.cursor, cursor),
                failing_since=0,
                failure="",
            )

        await self.store.change_state(adapter.id, done)

    async def _read_all(self, adapter: Adapter, plan: PollPlan, cursor: str, begun: int, *, whole: bool) -> str:
        """Read a list to its end, and return the newest time in it, or the digest of a file. ``whole``: it is all there
        is, and what is known and not in it was deleted. Raises RetryLaterError, PollFailedError."""
        headers = await self._headers(adapter, plan)
        url, newest, listed = since(adapter.kind, plan.url, "" if whole else cursor), "", _Listed()
        seen = {url}
        for _ in range(MAX_PAGES):
            read_at = self.clock.now()
            page = await self._read_page(adapter, url, headers)
            if page.newest == cursor and cursor.startswith(DIGEST) and not whole:
                return cursor
            some_new = listed.add(adapter.kind, page, self.inbound.admission.local.zone)
            await self.inbound.take(adapter, page.records, read_at=read_at)
            newest = _later(newest, page.newest)
            if not page.next_page or (page.numbered and not some_new):
                if whole or newest.startswith(DIGEST):
                    await self._withdraw_missing(adapter, listed, begun)
                return newest
            url = follow(plan.url, page.next_page)
            if url in seen:
                raise PollFailedError("a page of the list leads to itself")
            seen.add(url)
            if not await self._lease(adapter.id):
                raise PollFailedError("another process reads the list")
        raise PollFailedError(f"the list has more than {MAX_PAGES} pages")

    async def _read_page(self, adapter: Adapter, url: str, headers: Mapping[str, str]) -> ListPage:
        body = _read_body(await self.fetch.get(url, headers))
        try:
            return await asyncio.to_thread(self.inbound.read_page, adapter, body, url)
        except UnreadableListError as error:
            raise PollFailedError(str(error)) from error

    async def _headers(self, adapter: Adapter, plan: PollPlan) -> dict[str, str]:
        token = (await self.store.secrets(adapter.id)).token if adapter.has_token else None
        if adapter.kind == "acled" and token is not None and ":" in token:
            url, form = login(plan.url, token)
            body = _read_body(await self.fetch.post(url, form))
            try:
                token = msgspec.json.decode(body, type=_Login).access_token
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise PollFailedError("the source answered the login without a key") from error
        accepted = "*/*" if adapter.kind in FILES else "application/json"
        return {"accept": accepted, **credentials(adapter.kind, token)}

    async def _withdraw_missing(self, adapter: Adapter, listed: _Listed, begun: int) -> None:
        """Retract what is no longer listed. Raises PollFailedError where that is most of what is known."""
        if listed.unnamed:
            return
        zone = self.inbound.admission.local.zone
        known = await self.store.standing_items(adapter.id, begun)
        if adapter.kind == "ucdp":
            # A release covers some months, and says nothing of the others.
            known = [item for item in known if month_of(item.ends_at, zone) in listed.months]
        missing = [(item.incident_id, item.external_id) for item in known if item.external_id not in listed.ids]
        if len(missing) > BELIEVED and 2 * len(missing) > len(known):
            raise PollFailedError(
                f"{len(missing)} of {len(known)} known submissions are not in the list; none was withdrawn"
            )
        now = self.clock.now()
        commands = [
            Retraction(
                incident, "deleted at the source", adapter.partner, Actor(None, adapter.id), now,
                source=SourceState(adapter.id, external_id, read_at=now, current=True),
            )
            for incident, external_id in missing
        ]  # fmt: skip
        gone = 0
        for start in range(0, len(commands), SLICE):
            outcomes = await self.inbound.write(commands[start : start + SLICE])
            gone += sum(isinstance(one, Recorded) and one.fresh for one in outcomes)
        if gone:
            await self.store.change_state(
                adapter.id, lambda state: msgspec.structs.replace(state, withdrawn=state.withdrawn + gone)
            )


def _read_body(answer: PolledAnswer) -> bytes:
    """Raises PollFailedError."""
    if answer.status in (429, 503):
        seconds = int(answer.retry_after) if answer.retry_after and answer.retry_after.isdecimal() else 0
        raise PollFailedError(f"the source answered {answer.status}", min(seconds, 10**6) * SECOND)
    if answer.status in (401, 403):
        raise PollFailedError(f"the source answered {answer.status}: it does not take the token")
    if answer.status != 200:
        raise PollFailedError(f"the source answered {answer.status}")
    return answer.body


def _failed(state: AdapterState, why: str, now: int, next_poll_at: int) -> AdapterState:
    return msgspec.structs.replace(
        state, last_poll_at=now, next_poll_at=next_poll_at, failing_since=state.failing_since or now,
        failure=why[:MAX_FAILURE],
    )  # fmt: skip


def _later(one: str, other: str) -> str:
    """The later of two times of a source; of two files, the one that was read later."""
    return other if other.startswith(DIGEST) else max(one, other, key=order_of_times)


def _lease_name(id: str) -> str:
    return f"adapters/{id}"
