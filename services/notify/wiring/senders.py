"""The senders by the settings."""

import ssl
from typing import Final

from services.notify.channels.smtp import SmtpSender, parse_relay
from services.notify.channels.webhook import WebhookSender
from services.notify.render.mime import BadHeaderError, Sender, parse_sender
from services.platform.clock import Clock
from services.platform.outbound.address import Policy
from services.platform.outbound.guard import trust_also
from services.platform.settings.config import Settings, SettingsError

#: Attempts under way at once; more than the dispatcher ever starts.
CONNECTIONS: Final = 640


def open_webhooks(settings: Settings, clock: Clock) -> WebhookSender:
    """The sender of webhooks by the settings. Made inside a running loop."""
    trusted = None if settings.webhook_ca is None else trust_also(settings.webhook_ca)
    return WebhookSender(policy_of(settings), clock, concurrency=CONNECTIONS, tls=trusted, proxy=settings.webhook_proxy)


def policy_of(settings: Settings) -> Policy:
    """Where webhooks may go."""
    return Policy(opened=settings.webhook_allow, proxied=settings.webhook_proxy is not None)


def open_mail(settings: Settings) -> SmtpSender | None:
    """The sender of mail by the settings; None without a relay. Raises SettingsError."""
    if settings.smtp_url is None:
        return None
    try:
        relay = parse_relay(settings.smtp_url, secured=settings.smtp_ca is not None)
    except ValueError as error:
        raise SettingsError(f"TRUCEWATCH_SMTP_URL: {error}") from error
    if settings.smtp_ca is None:
        return SmtpSender(relay, sender_of(settings))
    if relay.encryption == "none":
        raise SettingsError("TRUCEWATCH_SMTP_CA_FILE is set, and TRUCEWATCH_SMTP_URL does without TLS")
    return SmtpSender(relay, sender_of(settings), tls=ssl.create_default_context(cafile=settings.smtp_ca))


def sender_of(settings: Settings) -> Sender:
    """The sender of mail. Raises SettingsError."""
    try:
        return parse_sender(settings.mail_from)
    except BadHeaderError as error:
        raise SettingsError(
            "TRUCEWATCH_MAIL_FROM must be a mail address in ASCII, such as Trucewatch <alerts@example.org>"
        ) from error
