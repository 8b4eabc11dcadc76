"""Makes each message from what was kept of it, sends it by its channel, and says what the answer means.

The same delivery always gives the same body, so a retry carries the same bytes under the same id. What many
subscribers get alike is rendered once.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

from schemas.assessments import Alert
from schemas.vocabulary import AlertStatus
from schemas.zones import find_zone
from services.notify.domain import cap, email, message
from services.notify.domain.attempt import TO_CONTACT, Job
from services.notify.domain.consent import address_of
from services.notify.domain.content import (
    DigestContent,
    decode_digest,
    decode_heartbeat,
    decode_notice,
)
from services.notify.domain.delivery import Answer, Judgement, judge_answer
from services.notify.domain.grouping import period_start
from services.notify.domain.heartbeat import carrier_of
from services.notify.domain.mime import Addressing, Letter, Sender, mail_id
from services.notify.domain.own_headers import hide_user
from services.notify.domain.signing import parse_secret
from services.notify.domain.subscription import Draft, Subscription, Webhook, signing_secrets
from services.notify.use_cases.take_alerts import Logged
from services.shared.clock import Clock
from services.shared.tracing import OFF, Tracing

#: Rendered messages and alerts kept in memory; what fell out is made again.
KEPT: Final = 4_096
#: A challenge is answered within this many seconds.
CHALLENGE_S: Final = 10.0


class Hooks(Protocol):
    """The webhook client."""

    async def send(
        self,
        url: str,
        body: bytes,
        *,
        message_id: str,
        keys: Sequence[bytes],
        content_type: str = ...,
        total_s: float | None = ...,
        traceparent: str | None = ...,
        wants_body: bool = ...,
        headers: Mapping[str, str] = ...,
    ) -> Answer: ...


class Mail(Protocol):
    """The mail client."""

    async def send(self, recipient: str, message: bytes) -> Answer: ...


class Log(Protocol):
    async def revision(self, alert: str, revision: int) -> Logged | None: ...

    async def revisions(self, alert: str) -> Sequence[Logged]: ...


_key: Final = lru_cache(maxsize=32_768)(parse_secret)
_Rendered = tuple[Literal["json", "cap", "mail"], str, int, AlertStatus, str]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a courier is given. ``mail`` None: no mail relay is named, so nothing can be sent by mail."""

    hooks: Hooks
    mail: Mail | None
    mail_from: Sender
    log: Log
    clock: Clock
    public_url: str
    tracing: Tracing = OFF


class Courier:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._alerts: OrderedDict[tuple[str, int], Logged] = OrderedDict()
        self._rendered: OrderedDict[_Rendered, bytes | Letter] = OrderedDict()

    def remember(self, logged: Sequence[Logged]) -> None:
        """Keep alerts that were just decided, since they are about to be sent."""
        for entry in logged:
            self._alerts[entry.alert.id, entry.alert.revision] = entry
        while len(self._alerts) > KEPT:
            self._alerts.popitem(last=False)

    async def attempt(self, job: Job, subscription: Subscription) -> tuple[Answer, Judgement]:
        """One attempt by the subscription's channel. Never raises for what the other side does."""
        causes = await self._causes(job)
        parent = causes[0] if job.kind == "alert" else None
        with self._parts.tracing.start("attempt", parent, causes, kind=job.kind, message=job.id) as span:
            answer, judgement = await self._attempt(job, subscription, span.traceparent or parent)
            span.set("status", answer.status)
            if judgement.meaning != "delivered":
                span.fail(answer.failure or judgement.meaning)
        return answer, judgement

    async def _causes(self, job: Job) -> Sequence[str | None]:
        """The traces of the alerts that a message tells of; those of a digest only where spans are made."""
        if job.kind == "alert":
            return [(await self._load(job.alert or "", job.revision)).traceparent]
        if job.kind == "digest" and self._parts.tracing.on:
            members = decode_digest(job.content or b"{}").members
            return [(await self._load(alert, revision)).traceparent for alert, revision, _ in members]
        return ()

    async def _attempt(self, job: Job, subscription: Subscription, traceparent: str | None) -> tuple[Answer, Judgement]:
        if job.kind in TO_CONTACT or not isinstance(subscription.draft.channel, Webhook):
            answer = await self._mail(job, subscription)
            return answer, judge_answer(answer)
        answer = await self._hook(job, subscription, subscription.draft.channel, traceparent)
        return answer, _judge_challenge(subscription, answer) if job.kind == "challenge" else judge_answer(answer)

    async def _hook(self, job: Job, subscription: Subscription, channel: Webhook, traceparent: str | None) -> Answer:
        keys = [_key(secret) for secret in signing_secrets(subscription, self._parts.clock.now())]
        as_cap = job.kind == "alert" and subscription.draft.format == "cap"
        # What another subscriber has got alike is at hand.
        body = self._rendered.get(_name_rendered(job, subscription.draft)) if job.kind == "alert" else None
        return await self._parts.hooks.send(
            channel.url,
            body if isinstance(body, bytes) else await self._body(job, subscription),
            message_id=job.id,
            keys=keys,
            content_type=cap.CONTENT_TYPE if as_cap else "application/json",
            total_s=CHALLENGE_S if job.kind == "challenge" else None,
            traceparent=traceparent,
            wants_body=job.kind == "challenge",
            headers=channel.headers,
        )

    async def _body(self, job: Job, subscription: Subscription) -> bytes:
        content = job.content or b"{}"
        match job.kind:
            case "alert":
                body = await self._alert(job, subscription)
                assert isinstance(body, bytes)
                return body
            case "digest":
                return await self._digest(job, subscription)
            case "heartbeat":
                return message.heartbeat_body(decode_heartbeat(content), sent_at=job.created_at)
            case "challenge":
                return message.challenge_body(subscription.id, subscription.nonce or "", sent_at=job.created_at)
            case _:
                return message.test_body(subscription.id, subscription.draft.name, sent_at=job.created_at)

    async def _alert(self, job: Job, subscription: Subscription) -> bytes | Letter:
        key = _name_rendered(job, subscription.draft)
        found = self._rendered.get(key)
        if found is None:
            found = self._rendered[key] = await self._render(key, subscription)
            if len(self._rendered) > KEPT:
                self._rendered.popitem(last=False)
        return found

    async def _render(self, key: _Rendered, subscription: Subscription) -> bytes | Letter:
        form, alert, revision, status, _ = key
        language, url = subscription.draft.language, self._parts.public_url
        entry = await self._load(alert, revision)
        if form == "cap":
            revisions = [] if status == "raised" else await self._parts.log.revisions(alert)
            return render_cap(entry.alert, status, revisions, url)
        if form == "mail":
            return email.alert_letter(entry.alert, status=status, language=language, public_url=url)
        return message.alert_body(
            entry.alert, status=status, language=language, sent_at=entry.recorded_at, public_url=url
        )

    async def _load(self, alert: str, revision: int) -> Logged:
        entry = self._alerts.get((alert, revision)) or await self._parts.log.revision(alert, revision)
        if entry is None:
            raise LookupError(f"alert {alert} revision {revision} is not in the log")
        self.remember([entry])
        return entry

    async def _members(self, content: DigestContent) -> list[tuple[Logged, AlertStatus]]:
        return [(await self._load(alert, revision), status) for alert, revision, status in content.members]

    async def _digest(self, job: Job, subscription: Subscription) -> bytes:
        content = decode_digest(job.content or b"{}")
        alerts = [
            message.alert_data(
                entry.alert,
                status=status,
                language=subscription.draft.language,
                sent_at=entry.recorded_at,
                public_url=self._parts.public_url,
            )
            for entry, status in await self._members(content)
        ]
        return message.digest_body(
            alerts, start=content.start, end=content.end, group=content.group or None, sent_at=job.created_at
        )

    async def _mail(self, job: Job, subscription: Subscription) -> Answer:
        if self._parts.mail is None:
            return Answer("email", 0, failure="connect", detail="no mail relay is set up: TRUCEWATCH_SMTP_URL")
        to = _address(job, subscription)
        letter = await self._letter(job, subscription)
        own = await self._addressing(job, subscription, to)
        raw = letter.address_to(self._parts.mail_from, own)
        return await self._parts.mail.send(to, raw)

    async def _addressing(self, job: Job, subscription: Subscription, to: str) -> Addressing:
        domain = self._parts.mail_from.domain
        own, references = mail_id(domain, "message", job.id), tuple[str, ...]()
        if job.kind == "alert":
            alert = (await self._load(job.alert or "", job.revision)).alert
            own, references = email.alert_mail_ids(alert, to, domain)
        leaves = None if job.kind in ("confirm", "consent", "notice") else self._unsubscribe_url(subscription)
        return Addressing(to, own, job.created_at, subscription.draft.name, references, leaves)

    def _unsubscribe_url(self, subscription: Subscription) -> str:
        return f"{self._parts.public_url}/v1/unsubscribe?token={subscription.token}"

    async def _letter(self, job: Job, subscription: Subscription) -> Letter:
        draft, content = subscription.draft, job.content or b"{}"
        zone = find_zone(_zone_name(subscription))
        match job.kind:
            case "alert":
                letter = await self._alert(job, subscription)
                assert isinstance(letter, Letter)
                return letter
            case "digest":
                return await self._digest_letter(job, subscription)
            case "heartbeat":
                return self._heartbeat_letter(decode_heartbeat(content), subscription)
            case "confirm":
                return email.confirm_letter("channel", draft.name, self._links(subscription.nonce), draft.language)
            case "consent":
                links = self._links(subscription.contact_nonce)
                return email.confirm_letter("contact", draft.name, links, draft.language)
            case "notice":
                told = decode_notice(content)
                return email.notice_letter(
                    told.kind, draft.name, since=told.since, zone=zone, endpoint=hide_user(subscription.target),
                    answer=told.answer, language=draft.language,
                )  # fmt: skip
            case _:
                return email.test_letter(language=draft.language)

    def _links(self, token: str | None) -> email.ConfirmLinks:
        base = f"{self._parts.public_url}/v1"
        return email.ConfirmLinks(f"{base}/confirm?token={token}", f"{base}/block?token={token}")

    def _heartbeat_letter(self, beat: message.Heartbeat, subscription: Subscription) -> Letter:
        """Where messages are gathered, the one of a period without alerts, which is that line; else one of its own."""
        draft, zone = subscription.draft, find_zone(_zone_name(subscription))
        carrier = carrier_of(draft)
        if carrier is None:
            return email.heartbeat_letter(beat, zone=zone, language=draft.language)
        return email.digest_letter(
            [],
            start=period_start(draft, beat.end, beat.end),
            end=beat.end,
            zone=zone,
            group=None,
            language=draft.language,
            public_url=self._parts.public_url,
            daily=carrier.daily is not None,
            heartbeat=beat,
        )

    async def _digest_letter(self, job: Job, subscription: Subscription) -> Letter:
        content = decode_digest(job.content or b"{}")
        mode = subscription.draft.mode
        return email.digest_letter(
            [(entry.alert, status) for entry, status in await self._members(content)],
            start=content.start,
            end=content.end,
            zone=find_zone(_zone_name(subscription)),
            group=", ".join(f"{k}: {v}" for k, v in content.group.items()) or None,
            language=subscription.draft.language,
            public_url=self._parts.public_url,
            daily=mode != "immediate" and mode.daily is not None,
            heartbeat=content.heartbeat,
        )


def _address(job: Job, subscription: Subscription) -> str:
    """Where a mail goes."""
    match job.kind:
        case "notice":
            return address_of(subscription) or ""
        case "consent":
            return subscription.draft.contact or ""
        case _:
            return subscription.target


def render_cap(alert: Alert, status: AlertStatus, revisions: Sequence[Logged], public_url: str) -> bytes:
    """The CAP message of one revision; ``revisions`` are all of the alert, of which it replaces the earlier ones."""
    earlier = [(e.alert.revision, e.alert.sent_at) for e in revisions if e.alert.revision < alert.revision]
    return cap.cap_xml(
        alert,
        status=status if earlier else "raised",
        sender=urlsplit(public_url).hostname or "trucewatch",
        public_url=public_url,
        earlier=earlier if status != "raised" else (),
    )


def _name_rendered(job: Job, draft: Draft) -> _Rendered:
    """An alert's message is the same for all who get it in one form and language."""
    form: Literal["json", "cap", "mail"] = draft.format if isinstance(draft.channel, Webhook) else "mail"
    return form, job.alert or "", job.revision, job.status, draft.language


def _zone_name(subscription: Subscription) -> str:
    """The zone that a reader's times are shown in: the one that the subscription names, if it names any."""
    draft = subscription.draft
    if draft.mode != "immediate" and draft.mode.timezone:
        return draft.mode.timezone
    return draft.quiet_hours.timezone if draft.quiet_hours else "UTC"


def _judge_challenge(subscription: Subscription, answer: Answer) -> Judgement:
    """A 2xx answer proves the endpoint only when it echoes the challenge."""
    judgement = judge_answer(answer)
    if judgement.meaning != "delivered":
        return judgement
    if message.echoes(subscription.nonce or "", answer.excerpt):
        return Judgement("delivered", "the challenge was echoed")
    return Judgement("retry", f"answered {answer.status}, but did not echo the challenge")
