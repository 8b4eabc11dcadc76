"""The demo's receiver and mailbox, against an independent signer and a real SMTP conversation."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import httpx
import pytest
from standardwebhooks import Webhook

from schemas.instants import to_instant
from services.cli.receiver import Receiver
from services.demo.mailbox import Mailbox, find_confirmation, find_incident
from tests.fakes import DrivenClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2016, 5, 8, 12, tzinfo=UTC)


def signed(body: bytes, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,bm9uZQ== {signature}",
    }


async def post(receiver: Receiver, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(receiver.url, content=body, headers=headers)


async def test_a_challenge_is_echoed_and_an_alert_is_told_of() -> None:
    messages: list[Any] = []
    async with Receiver(DrivenClock(to_instant(NOW)), messages.append) as receiver:
        receiver.trust(SECRET)
        challenge = b'{"type": "challenge", "data": {"challenge": "abc"}}'
        assert (await post(receiver, challenge, signed(challenge))).json() == {"challenge": "abc"}
        alert = b'{"type": "alert.raised", "data": {}}'
        assert (await post(receiver, alert, signed(alert))).status_code == 204
    assert [message["type"] for message in messages] == ["alert.raised"]


@pytest.mark.parametrize("secret", ["whsec_" + "A" * 32, "whsec_" + "B" * 32])
async def test_a_forged_message_is_refused(secret: str) -> None:
    messages: list[Any] = []
    async with Receiver(DrivenClock(to_instant(NOW)), messages.append) as receiver:
        receiver.trust(SECRET)
        body = b'{"type": "alert.raised", "data": {}}'
        assert (await post(receiver, body, signed(body, secret))).status_code == 401
    assert (messages, receiver.refused) == ([], 1)


async def test_the_mailbox_takes_real_mail() -> None:
    letters: list[EmailMessage] = []
    async with Mailbox(letters.append) as mailbox:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "a@example.org", "b@example.org", "Подтверждение"
        letter.set_content("See http://127.0.0.1:1/v1/confirm?token=aB_-9 .")
        letter["X-Trucewatch-Incident"] = "inc_1"
        await aiosmtplib.send(letter, hostname="127.0.0.1", port=int(mailbox.url.rsplit(":", 1)[1]))
    [arrived] = letters
    assert arrived["subject"] == "Подтверждение"
    assert find_confirmation(arrived) == "http://127.0.0.1:1/v1/confirm?token=aB_-9"
    assert find_incident(arrived) == "inc_1"


def test_a_letter_about_nothing_has_no_links() -> None:
    letter = EmailMessage()
    letter.set_content("Hello")
    assert (find_confirmation(letter), find_incident(letter)) == (None, None)
