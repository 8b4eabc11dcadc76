"""Writes each message, sends it by its channel, and judges the answer.

A delivery always has the same body, so a retry sends the same bytes under the same id. A message that is the same for
many subscribers is written once.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol

from schemas.vocabulary import AlertStatus
from services.notify.domain.delivery import AttemptAnswer, Judgement, judge_answer
from services.notify.domain.signing import parse_secret
from services.notify.domain.subscription import Format, Subscription, Webhook, format_of, signing_secrets
from services.notify.kinds.kind import Job, Material, ToldAlert, link_to_alert
from services.notify.render.cap import CONTENT_TYPE, RingsOf, no_rings
from services.notify.render.mail import render
from services.notify.render.mime import Addressing, Letter, Sender, alert_mail_ids, mail_id
from services.notify.render.slack import slack_body
from services.notify.use_cases.take_alerts import Logged
from services.platform.clock import Clock
from services.platform.tracing import OFF, Tracing

#: Maximum written messages, and alerts, kept in memory.
KEPT: Final = 4_096


class WebhookClient(Protocol):
    """Sends webhooks."""

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
    ) -> AttemptAnswer: ...


class MailClient(Protocol):
    """Sends mail."""

    async def send(self, recipient: str, message: bytes) -> AttemptAnswer: ...


class RevisionLog(Protocol):
    async def revision(self, alert: str, revision: int) -> Logged | None: ...

    async def revisions(self, alert: str) -> Sequence[Logged]: ...


_key: Final = lru_cache(maxsize=32_768)(parse_secret)
Form = Format | Literal["mail"]
JSON: Final = "application/json"
CONTENT_TYPES: Final[dict[Format, str]] = {"json": JSON, "cap": CONTENT_TYPE, "slack": JSON}
#: Form, kind, alert, revision, status, language.
_Rendered = tuple[Form, str, str, int, AlertStatus, str]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a courier works with. ``mail`` is None without a mail relay: then nothing can be sent by mail."""

    hooks: WebhookClient
    mail: MailClient | None
    mail_from: Sender
    log: RevisionLog
    clock: Clock
    public_url: str
    tracing: Tracing = OFF
    rings_of: RingsOf = no_rings


class Courier:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._alerts: OrderedDict[tuple[str, int], Logged] = OrderedDict()
        self._rendered: OrderedDict[_Rendered, bytes | Letter] = OrderedDict()

    def remember(self, logged: Sequence[Logged]) -> None:
        """Keep in memory alerts that are about to be sent."""
        for entry in logged:
            self._alerts[entry.alert.id, entry.alert.revision] = entry
        while len(self._alerts) > KEPT:
            self._alerts.popitem(last=False)

    async def attempt(self, job: Job, subscription: Subscription) -> tuple[AttemptAnswer, Judgement]:
        """Make one attempt. Never raises for what the other side does."""
        causes = await self._causes(job)
        parent = causes[0] if job.alert is not None else None
        with self._parts.tracing.start("attempt", parent, causes, kind=job.kind.name, message=job.id) as span:
            answer, judgement = await self._attempt(job, subscription, span.traceparent or parent)
            span.set("status", answer.status)
            if judgement.meaning != "delivered":
                span.fail(answer.failure or judgement.meaning)
        return answer, judgement

    async def _causes(self, job: Job) -> Sequence[str | None]:
        """The trace contexts of the message's alerts; of several alerts only while tracing is on."""
        if job.alert is not None:
            return [(await self._load(job.alert, job.revision)).traceparent]
        if job.kind.alerts is not None and self._parts.tracing.on:
            return [(await self._load(alert, revision)).traceparent for alert, revision, _ in job.kind.alerts(job)]
        return ()

    async def _attempt(
        self, job: Job, subscription: Subscription, traceparent: str | None
    ) -> tuple[AttemptAnswer, Judgement]:
        channel, judge = subscription.draft.channel, job.kind.judge
        if job.kind.mailed_to is None and isinstance(channel, Webhook):
            answer = await self._hook(job, subscription, channel, traceparent)
        else:
            answer = await self._mail(job, subscription)
        return answer, judge_answer(answer) if judge is None else judge(answer, subscription)

    async def _hook(
        self, job: Job, subscription: Subscription, channel: Webhook, traceparent: str | None
    ) -> AttemptAnswer:
        wanted = format_of(subscription.draft)
        can = wanted in job.kind.bodies or (wanted == "slack" and job.kind.page is not None)
        format: Format = wanted if can else "json"
        body = await self._written(format, job, subscription)
        assert isinstance(body, bytes)
        return await self._parts.hooks.send(
            channel.url,
            body,
            message_id=job.id,
            keys=[_key(secret) for secret in signing_secrets(subscription, self._parts.clock.now())],
            content_type=CONTENT_TYPES[format],
            total_s=job.kind.answer_within_s,
            traceparent=traceparent,
            wants_body=job.kind.judge is not None,
            headers=channel.headers,
        )

    async def _mail(self, job: Job, subscription: Subscription) -> AttemptAnswer:
        if self._parts.mail is None:
            return AttemptAnswer("email", 0, failure="connect", detail="no mail relay is set up: TRUCEWATCH_SMTP_URL")
        to = subscription.target if job.kind.mailed_to is None else job.kind.mailed_to(subscription) or ""
        letter = await self._written("mail", job, subscription)
        assert isinstance(letter, Letter)
        own = await self._addressing(job, subscription, to)
        return await self._parts.mail.send(to, letter.address_to(self._parts.mail_from, own))

    async def _addressing(self, job: Job, subscription: Subscription, to: str) -> Addressing:
        domain = self._parts.mail_from.domain
        own, references, labels = mail_id(domain, "message", job.id), tuple[str, ...](), tuple[tuple[str, str], ...]()
        if job.alert is not None:
            alert = (await self._load(job.alert, job.revision)).alert
            own, references = alert_mail_ids(alert, to, domain)
            labels = (("X-Trucewatch-Incident", alert.incident_id),)
        leave = f"{self._parts.public_url}/v1/unsubscribe?token={subscription.token}" if job.kind.needs_proof else None
        name, link = subscription.draft.name, self._link(job, subscription)
        return Addressing(to, own, job.created_at, name, references, leave, labels, link)

    def _link(self, job: Job, subscription: Subscription) -> str:
        """The recipient's own link to the alert of a message about one."""
        if job.alert is None:
            return ""
        return link_to_alert(job, subscription, self._parts.public_url, job.alert, job.revision)

    async def _written(self, form: Form, job: Job, subscription: Subscription) -> bytes | Letter:
        """The body or the letter. About one alert, it is shared by all recipients of a form and language, but in the
        form of Slack, which holds the recipient's own link."""
        if job.alert is None or form == "slack":
            return await self._write(form, job, subscription)
        key = form, job.kind.name, job.alert, job.revision, job.status, subscription.draft.language
        found = self._rendered.get(key)
        if found is None:
            found = self._rendered[key] = await self._write(form, job, subscription)
            if len(self._rendered) > KEPT:
                self._rendered.popitem(last=False)
        return found

    async def _write(self, form: Form, job: Job, subscription: Subscription) -> bytes | Letter:
        write, page = None if form == "mail" else job.kind.bodies.get(form), job.kind.page
        if write is None and (page is None or form not in ("mail", "slack")):
            raise LookupError(f"a message of the kind {job.kind.name} is not sent as {form}")
        members = () if job.kind.alerts is None else job.kind.alerts(job)
        told = [_tell(await self._load(alert, revision), status) for alert, revision, status in members]
        revisions = (
            [entry.alert for entry in await self._parts.log.revisions(job.alert)]
            if form == "cap" and job.alert is not None and job.status != "raised"
            else ()
        )
        made = Material(job, subscription, self._parts.public_url, told, revisions, self._parts.rings_of)
        if write is not None:
            return write(made)
        assert page is not None
        shown = page(made)
        if form == "mail":
            return render(shown, made.language)
        return slack_body(shown, made.language, made.name, self._link(job, subscription))

    async def _load(self, alert: str, revision: int) -> Logged:
        entry = self._alerts.get((alert, revision)) or await self._parts.log.revision(alert, revision)
        if entry is None:
            raise LookupError(f"alert {alert} revision {revision} is not in the log")
        self.remember([entry])
        return entry


def _tell(entry: Logged, status: AlertStatus) -> ToldAlert:
    return ToldAlert(entry.alert, status, entry.recorded_at)
