"""An adapter: how the submissions of one source become reports of one partner. Values, checks and credentials."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from schemas.instants import DAY, MINUTE, SECOND
from schemas.report import MAX_NAME, Name, Terms
from schemas.topics import DEAD_SUFFIX, TOPICS
from services.connectors.answers import PATHS
from services.connectors.model import AdapterMap
from services.connectors.payloads import MAPPED, SOURCES, AdapterKind

KINDS: Final[tuple[AdapterKind, ...]] = tuple(SOURCES)
ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,240}")
MAX_TABLE: Final = 2_000
#: Of an adapter's shortest period, and of its longest.
LEAST_EVERY: Final = 10 * SECOND
MOST_EVERY: Final = 30 * DAY
#: An adapter is silent after so many of its usual gaps without anything new, and not before so long.
SILENT_GAPS: Final = 6
SILENT_AFTER: Final = DAY
#: Gaps before one can be called usual.
LEARNED_FROM: Final = 5
_PERIOD: Final = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,7})S)?)?", re.ASCII)

Table = Annotated[dict[Name, Annotated[str, msgspec.Meta(max_length=MAX_NAME)]], msgspec.Meta(max_length=MAX_TABLE)]
Secret = Annotated[str, msgspec.Meta(min_length=8, max_length=1_000)]


class PollRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list that is read again and again. ``url`` is its whole address. ``every`` reads what is new, ``full_every``
    all of it, which finds edits and deletions. ``token`` is a key of the source, or ``user:password``; left out: as it
    was."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    every: Annotated[str, msgspec.Meta(max_length=30)] = "PT15M"
    full_every: Annotated[str, msgspec.Meta(max_length=30)] = "P1D"
    token: Secret | msgspec.UnsetType | None = msgspec.UNSET


class AdapterRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An adapter as it is put. ``secret`` proves a hook; left out: as it was. ``topic`` is of kind ``kafka``."""

    kind: AdapterKind
    partner: Name
    fields: Table = {}
    choices: Annotated[dict[Name, Table], msgspec.Meta(max_length=len(PATHS))] = {}
    names: Table = {}
    form: Annotated[str, msgspec.Meta(max_length=100)] = ""
    secret: Secret | msgspec.UnsetType | None = msgspec.UNSET
    poll: PollRequest | None = None
    terms: Terms | None = None
    grade: Annotated[str, msgspec.Meta(pattern=r"^[A-F][1-6]$", max_length=2)] | None = None
    topic: Annotated[str, msgspec.Meta(max_length=240)] | None = None


class PollPlan(msgspec.Struct, frozen=True):
    """``every`` and ``full_every`` in microseconds."""

    url: str
    every: int
    full_every: int
    written_every: str
    written_full: str


class Secrets(msgspec.Struct, frozen=True, omit_defaults=True):
    """The secrets of an adapter: stored encrypted, never shown."""

    secret: str | None = None
    token: str | None = None


class Adapter(msgspec.Struct, frozen=True):
    """An adapter as it is stored, without its secrets. Times in microseconds."""

    id: str
    version: int
    kind: AdapterKind
    partner: str
    tables: AdapterMap
    poll: PollPlan | None
    topic: str | None
    has_secret: bool
    has_token: bool
    created_at: int
    updated_at: int


class AdapterState(msgspec.Struct, frozen=True):
    """The state of an adapter. Times in microseconds, 0 where it never was. ``cursor`` is the source's own time up to
    which its list was read. ``usual_gap`` is the mean time between deliveries with something new, of ``gaps``."""

    last_delivery_at: int = 0
    last_poll_at: int = 0
    last_full_at: int = 0
    next_poll_at: int = 0
    cursor: str = ""
    read: int = 0
    refused: int = 0
    withdrawn: int = 0
    found_again: int = 0
    failing_since: int = 0
    failure: str = ""
    last_news_at: int = 0
    usual_gap: int = 0
    gaps: int = 0


def read_period(text: str) -> int | None:
    """A duration such as ``PT15M`` in microseconds; None for what is none."""
    match = _PERIOD.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return days * DAY + (hours * 60 + minutes) * MINUTE + seconds * SECOND


def plan_poll(wanted: PollRequest) -> PollPlan:
    """The plan of a request that has no faults."""
    every, full = read_period(wanted.every), read_period(wanted.full_every)
    assert every is not None
    assert full is not None
    return PollPlan(wanted.url, every, full, wanted.every, wanted.full_every)


def find_adapter_faults(id: str, wanted: AdapterRequest) -> Iterator[tuple[str, str]]:
    """The pointer of each bad field, and what is wrong with it."""
    if ID.fullmatch(id) is None:
        yield "", "an id holds small letters, digits, dots, hyphens and underscores, 64 at most"
    yield from _find_table_faults(wanted)
    yield from _find_topic_faults(wanted)
    if wanted.poll is not None:
        yield from _find_poll_faults(wanted.poll)
    for pointer, text in (("/partner", wanted.partner), ("/form", wanted.form)):
        if "\0" in text:
            yield pointer, "holds a NUL character"


def _find_topic_faults(wanted: AdapterRequest) -> Iterator[tuple[str, str]]:
    if wanted.kind == "kafka":
        if wanted.topic is None or TOPIC.fullmatch(wanted.topic) is None:
            yield "/topic", "is required: the name of a Kafka topic"
        elif wanted.topic.removesuffix(DEAD_SUFFIX) in TOPICS or wanted.topic.endswith(DEAD_SUFFIX):
            yield "/topic", "is a topic of Trucewatch's own"
        if isinstance(wanted.secret, str):
            yield "/secret", "a topic is read with the settings of TRUCEWATCH_KAFKA; it takes no requests"
        if wanted.poll is not None:
            yield "/poll", "a topic is not polled"
    elif wanted.topic is not None:
        yield "/topic", "is for adapters of kind kafka"


def _find_table_faults(wanted: AdapterRequest) -> Iterator[tuple[str, str]]:
    personal, paths = SOURCES[wanted.kind].personal, MAPPED.get(wanted.kind, PATHS)
    for path, column in wanted.fields.items():
        if not paths:
            yield f"/fields/{_escaped(path)}", f"is not needed: the columns of {wanted.kind} are known"
        elif path not in paths:
            yield f"/fields/{_escaped(path)}", f"is not a field of a report; these are: {', '.join(paths)}"
        if column in personal or column.rpartition("/")[2] in personal:
            yield f"/fields/{_escaped(path)}", f"{column} holds personal data, which is never read"
    for path in wanted.choices:
        if path not in PATHS:
            yield f"/choices/{_escaped(path)}", f"is not a field of a report; these are: {', '.join(PATHS)}"


def _find_poll_faults(poll: PollRequest) -> Iterator[tuple[str, str]]:
    for name, text in (("every", poll.every), ("full_every", poll.full_every)):
        period = read_period(text)
        if period is None:
            yield f"/poll/{name}", "must be a duration such as PT15M"
        elif not LEAST_EVERY <= period <= MOST_EVERY:
            yield f"/poll/{name}", "must be PT10S to P30D"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def tables_of(wanted: AdapterRequest) -> AdapterMap:
    return AdapterMap(
        wanted.fields, wanted.choices, wanted.names, wanted.form or _form_of(wanted), wanted.terms, wanted.grade
    )


def _form_of(wanted: AdapterRequest) -> str:
    """The form or host that the address of the list names, so that a hook and the list make the same ids."""
    if wanted.poll is None:
        return ""
    if wanted.kind == "kobo":
        found = re.search(r"/assets/([A-Za-z0-9]+)/data", wanted.poll.url)
        return found[1] if found else ""
    return (urlsplit(wanted.poll.url).hostname or "") if wanted.kind == "ushahidi" else ""


def is_proved(kind: AdapterKind, secret: str, url: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a hook shows the secret, in the way that its source can: a signature over ``url`` and body, a header, or
    Basic credentials. Names of ``headers`` are in lower case."""
    if kind == "ushahidi":
        digest = hmac.new(secret.encode(), url.encode() + body, hashlib.sha256).digest()
        return _same(headers.get("x-ushahidi-signature", ""), base64.b64encode(digest).decode())
    shown = [headers.get("x-trucewatch-secret", ""), headers.get("x-api-key", ""), _password(headers)]
    # Each is compared, so that the time tells nothing.
    return any([_same(one, secret) for one in shown])  # noqa: C419


def _password(headers: Mapping[str, str]) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _same(shown: str, wanted: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "replace"), wanted.encode())


def note_taken(
    state: AdapterState,
    now: int,
    *,
    read: int,
    refused: int,
    new: bool,
    sent: bool,
    withdrawn: int = 0,
    found_again: int = 0,
) -> AdapterState:
    """Add what was taken in at ``now``. ``new``: something of it was not known; ``sent``: the source sent it by
    itself."""
    counted = msgspec.structs.replace(
        state,
        last_delivery_at=now if sent else state.last_delivery_at,
        read=state.read + read,
        refused=state.refused + refused,
        withdrawn=state.withdrawn + withdrawn,
        found_again=state.found_again + found_again,
    )
    return note_news(counted, now) if new else counted


def note_news(state: AdapterState, now: int) -> AdapterState:
    """Something new came: the mean gap follows."""
    if not state.last_news_at:
        return msgspec.structs.replace(state, last_news_at=now)
    gap, count = max(0, now - state.last_news_at), min(state.gaps, 20)
    usual = (state.usual_gap * count + gap) // (count + 1)
    return msgspec.structs.replace(state, last_news_at=now, usual_gap=usual, gaps=state.gaps + 1)


def is_silent(state: AdapterState, now: int) -> bool:
    """Whether nothing new has come for longer than is usual for this source."""
    return state.gaps >= LEARNED_FROM and now - state.last_news_at > max(SILENT_AFTER, SILENT_GAPS * state.usual_gap)


def describe_worry(state: AdapterState, now: int) -> tuple[int, str] | None:
    """Since when an adapter does not do what it is for, and why; None where it does."""
    if state.failure:
        return state.failing_since, state.failure
    if is_silent(state, now):
        return state.last_news_at, "nothing new has come for longer than is usual"
    return None
