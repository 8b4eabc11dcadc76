"""Trucewatch from Python: report incidents, follow alerts, verify webhooks. Installed as ``trucewatch_client``."""

from .answers import Answer, Fault, LogRestoredError, Page, RefusedError, UnreachableError
from .async_client import AlertEvent, AsyncClient
from .models import Alert, Subscription
from .patience import Patience
from .sync_client import Client
from .webhooks import WebhookError, WebhookMessage, read_webhook, verify_webhook
from .wire import (
    AcceptedReport,
    Assessment,
    BatchItem,
    Created,
    Draft,
    Found,
    IncidentSummary,
    IncidentView,
    Report,
)

__all__ = [
    "AcceptedReport",
    "Alert",
    "AlertEvent",
    "Answer",
    "Assessment",
    "AsyncClient",
    "BatchItem",
    "Client",
    "Created",
    "Draft",
    "Fault",
    "Found",
    "IncidentSummary",
    "IncidentView",
    "LogRestoredError",
    "Page",
    "Patience",
    "RefusedError",
    "Report",
    "Subscription",
    "UnreachableError",
    "WebhookError",
    "WebhookMessage",
    "read_webhook",
    "verify_webhook",
]
