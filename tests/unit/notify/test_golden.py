"""The bytes of every kind of message, by webhook and by mail, in every language, against ``golden.json``.

Each message is kept as its length and hash. After an intended change (of the words, say) write the file anew with
``python -m tests.unit.notify.test_golden``, and look at what the change makes of one message.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.instants import DAY, HOUR, parse_instant
from schemas.vocabulary import LANGUAGES, AlertStatus, Language
from services.notify.domain.delivery import AttemptAnswer
from services.notify.domain.subscription import DigestMode, Draft, Email, Subscription, Webhook
from services.notify.kinds.catalogue import find_kind
from services.notify.kinds.kind import Job
from services.notify.render.mime import parse_sender
from services.notify.sending.courier import Courier, Parts
from services.notify.use_cases.take_alerts import Logged
from tests.fakes import DrivenClock
from tests.unit.notify.samples import ALERT, UPDATE_CHANGES

GOLDEN: Final = Path(__file__).with_name("golden.json")
NOW: Final = parse_instant("2016-05-08T09:00:00Z")
FIRST = Logged(1, ALERT, NOW)
SECOND = Logged(2, msgspec.structs.replace(ALERT, revision=2, status="updated", changes=UPDATE_CHANGES), NOW + HOUR)
LAST = Logged(3, msgspec.structs.replace(ALERT, revision=3, status="cancelled"), NOW + 2 * HOUR)
LOG: Final = (FIRST, SECOND, LAST)
DAILY: Final = DigestMode(daily="07:00", timezone="Asia/Damascus")
BEAT: Final[dict[str, Any]] = {
    "sequence": 7, "start": NOW - DAY, "end": NOW, "reports": 5, "violations": 2, "delivered": 2,
    "last_alert": NOW - HOUR,
}  # fmt: skip
DIGEST: Final[dict[str, Any]] = {
    "start": NOW - DAY, "end": NOW, "group": {"truce": "aleppo-calm"},
    "members": [[ALERT.id, 2, "raised"], [ALERT.id, 3, "cancelled"]],
}  # fmt: skip
WINDOW: Final[dict[str, Any]] = {
    "from": "2016-05-06T21:01:00Z", "to": "2016-05-09T21:01:00Z", "disputed": False, "area": "aleppo-city",
    "announcements": ["russia-20160506"],
}  # fmt: skip
TRUCE: Final[dict[str, Any]] = {
    "truce": "aleppo-calm", "name": "Aleppo regime of calm", "window": WINDOW, "before": None,
    "announcement": "russia-20160506", "timezone": "Asia/Damascus", "issuer": "Russian forces",
    "text": "Prolonged in the city by 72 hours from 00:01 on 7 May.",
    "cause": {"kind": "registry", "by": {"key": "k1", "name": "duty officer"}, "reason": "By telephone",
              "resources": ["truces/aleppo-calm"], "registry_version": 12},
}  # fmt: skip
TRUCES: Final = {
    "begins": TRUCE, "ends_in": TRUCE, "lapsed": TRUCE, "disputed": TRUCE,
    "extended": TRUCE | {"before": WINDOW | {"to": "2016-05-06T22:00:00Z"}},
    "lapsed, moved": TRUCE | {"before": WINDOW | {"to": "2016-05-06T22:00:00Z"}},
    "begins, gone": TRUCE
    | {"window": None, "before": WINDOW | {"to": None}, "announcement": None, "issuer": "", "text": ""},
}  # fmt: skip
NOTICES: Final = ("failing", "disabled", "gone", "bounced", "silence_expired", "names_removed")


class AlertLog:
    async def revision(self, alert: str, revision: int) -> Logged | None:
        return next((entry for entry in LOG if (entry.alert.id, entry.alert.revision) == (alert, revision)), None)

    async def revisions(self, alert: str) -> Sequence[Logged]:
        return [entry for entry in LOG if entry.alert.id == alert]


@dataclass
class KeptHooks:
    """Keeps what is sent: the address with headers and limits, then the body."""

    sent: list[bytes]

    async def send(self, url: str, body: bytes, **more: Any) -> AttemptAnswer:
        head = {name: repr(value) for name, value in sorted(more.items()) if name != "traceparent"}
        self.sent.append(json.dumps([url, head]).encode() + b"\n" + body)
        return AttemptAnswer("webhook", 1, status=200)


@dataclass
class KeptMail:
    """Keeps what is sent: the address, then the message."""

    sent: list[bytes]

    async def send(self, recipient: str, message: bytes) -> AttemptAnswer:
        self.sent.append(recipient.encode() + b"\n" + message)
        return AttemptAnswer("email", 1, status=250)


def subscription(draft: Draft) -> Subscription:
    return Subscription(
        id="sub_1", owner="desk-a", draft=draft, state="active", created_at=NOW - DAY, proved_at=NOW - DAY,
        secrets=(("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None),), nonce="nonce-1", nonce_until=NOW + DAY,
        token="token-1", contact_state="confirmed", contact_nonce="nonce-2", contact_until=NOW + DAY,
    )  # fmt: skip


def job(kind: str, content: Mapping[str, Any] | None = None, **more: Any) -> Job:
    kept = None if content is None else json.dumps(content).encode()
    return Job(f"msg_{kind}", "sub_1", kind=find_kind(kind), created_at=NOW, content=kept, **more)


def alert_job(status: AlertStatus) -> Job:
    revision = {"raised": 1, "updated": 2, "cancelled": 3}[status]
    return job("alert", alert=ALERT.id, revision=revision, status=status)


def by_webhook(hook: Draft) -> Iterator[tuple[str, Draft, Job]]:
    for status in ("raised", "updated", "cancelled"):
        yield f"alert.{status}", hook, alert_job(status)
        yield f"alert.{status}, cap", msgspec.structs.replace(hook, format="cap"), alert_job(status)
    yield "digest", hook, job("digest", DIGEST)
    yield "digest of nothing", hook, job("digest", DIGEST | {"group": {}, "members": [], "heartbeat": BEAT})
    yield "heartbeat", hook, job("heartbeat", BEAT)
    yield from truce_notices(hook)
    yield "challenge", hook, job("challenge", {"challenge": "hash"})
    yield "test", hook, job("test")


def by_mail(mail: Draft) -> Iterator[tuple[str, Draft, Job]]:
    daily, hourly = (msgspec.structs.replace(mail, mode=mode) for mode in (DAILY, DigestMode(digest="PT1H")))
    for status in ("raised", "updated", "cancelled"):
        yield f"alert.{status}", mail, alert_job(status)
    yield "digest", hourly, job("digest", DIGEST)
    yield "digest, daily", daily, job("digest", DIGEST | {"group": {}, "heartbeat": BEAT})
    yield "heartbeat", mail, job("heartbeat", BEAT)
    yield (
        "heartbeat, daily",
        msgspec.structs.replace(daily, heartbeat="P1D"),
        job("heartbeat", BEAT | {"last_alert": None}),
    )
    yield from truce_notices(mail)
    yield "confirm", mail, job("confirm", {"challenge": "hash"})
    yield "test", mail, job("test")


def truce_notices(draft: Draft) -> Iterator[tuple[str, Draft, Job]]:
    for name, content in TRUCES.items():
        yield f"truce.{name}", draft, job(f"truce.{name.partition(',')[0]}", content)


def to_contact(hook: Draft) -> Iterator[tuple[str, Draft, Job]]:
    yield "consent", hook, job("consent", {"challenge": "hash"})
    for kind in NOTICES:
        yield f"notice {kind}", hook, job("notice", {"kind": kind, "since": NOW, "answer": "answered 410: <gone>"})


def every_message(language: Language) -> Iterator[tuple[str, Draft, Job]]:
    hook = Draft(
        Webhook("https://user:pass@example.org/hook", {"x-desk": "7"}), name="Aleppo desk – مكتب: a@b.org",
        contact="owner@example.org", language=language,
    )  # fmt: skip
    mail = replace_channel(hook)
    yield from ((f"{language} webhook {name}", draft, job) for name, draft, job in by_webhook(hook))
    yield from ((f"{language} mail {name}", draft, job) for name, draft, job in by_mail(mail))
    yield from ((f"{language} contact {name}", draft, job) for name, draft, job in to_contact(hook))


def replace_channel(draft: Draft) -> Draft:
    return msgspec.structs.replace(draft, channel=Email("desk@example.org"))


async def send_all() -> dict[str, bytes]:
    sent: dict[str, bytes] = {}
    for language in LANGUAGES:
        kept, sender = list[bytes](), parse_sender("Trucewatch <alerts@example.org>")
        parts = Parts(KeptHooks(kept), KeptMail(kept), sender, AlertLog(), DrivenClock(), "https://alerts.example.org")
        courier = Courier(parts)
        for name, draft, one in every_message(language):
            _, judgement = await courier.attempt(one, subscription(draft))
            sent[name] = kept.pop() + f"\n{judgement.meaning}: {judgement.reason}".encode()
            assert not kept
    return sent


def fingerprints(sent: Mapping[str, bytes]) -> dict[str, str]:
    return {name: f"{len(raw)} {hashlib.sha256(raw).hexdigest()[:32]}" for name, raw in sent.items()}


async def test_every_message_has_the_bytes_that_it_had() -> None:
    sent = await send_all()
    found, kept = fingerprints(sent), json.loads(GOLDEN.read_text())
    changed = [name for name in found if kept.get(name) != found[name]]
    assert list(found) == list(kept)
    assert not changed, f"{changed}; the first of them is now:\n{sent[changed[0]].decode()}"


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(fingerprints(asyncio.run(send_all())), indent=1) + "\n")
