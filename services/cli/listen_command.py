"""``trucewatch listen``: a webhook receiver that subscribes itself, verifies what arrives, and prints it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import click
from rich.markup import escape

from services.cli.ask import ask, client_options, complain, say, setting
from services.cli.language import spoken_words
from services.cli.receiver import Receiver
from services.client import AsyncClient
from services.platform.clock import SystemClock

DEFAULT_PORT: Final = 9099
POLL_S: Final = 0.5


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: any free one.")
@click.option(
    "--secret",
    default=lambda: setting("TRUCEWATCH_WEBHOOK_SECRET"),
    help="whsec_… of a subscription of yours.  [env var: TRUCEWATCH_WEBHOOK_SECRET]",
)
@click.option("--hook", help="URL by which the server reaches this receiver, if it is not http://HOST:PORT/hook.")
@client_options
def listen(host: str, port: int, secret: str | None, hook: str | None, url: str, key: str | None) -> None:
    """Receive webhooks: answer the challenge, verify each signature, print each message.

    Without --secret it makes a subscription to everything with the given key, and deletes it at the end (Ctrl-C). With
    the --secret of a subscription that was made before, it asks the server for nothing.
    """
    try:
        if secret is None:
            ask(url, key, lambda api: _listen(host, port, hook, api))
        else:
            asyncio.run(_listen_with(host, port, secret))
    except KeyboardInterrupt:
        complain(spoken_words().say("listen.stopped"))
    except OSError as error:
        raise click.ClickException(f"{host}:{port}: {error.strerror}") from error


async def _listen_with(host: str, port: int, secret: str) -> None:
    async with Receiver(SystemClock(), _show, host, port) as receiver:
        receiver.trust(secret)
        say(escape(spoken_words().say("listen.listening", url=receiver.url)))
        await asyncio.Event().wait()


async def _listen(host: str, port: int, hook: str | None, api: AsyncClient) -> None:
    async with (
        Receiver(SystemClock(), _show, host, port) as receiver,
        _subscription(api, receiver, hook or receiver.url) as subscription,
    ):
        say(escape(spoken_words().say("listen.subscribed", url=receiver.url, id=subscription)))
        await _tell_status(api, subscription)
        await asyncio.Event().wait()


@asynccontextmanager
async def _subscription(api: AsyncClient, receiver: Receiver, hook: str) -> AsyncIterator[str]:
    """A subscription to every verdict that raises an alert, for as long as the context lasts."""
    wanted = {
        "name": f"trucewatch listen, {hook}",
        "channel": {"type": "webhook", "url": hook},
        "filter": {"verdicts": ["violation", "undetermined"]},
    }
    made = await api.create_subscription(wanted)
    receiver.trust(str(made["secret"]))
    try:
        yield made["id"]
    finally:
        await api.delete_subscription(made["id"])


async def _tell_status(api: AsyncClient, subscription: str) -> None:
    """Print each status and its reason until the subscription is active."""
    told, clock = None, SystemClock()
    while True:
        now = await api.get_subscription(subscription)
        if told != (told := (now["status"], now["status_reason"])):
            key = "listen.status_why" if told[1] else "listen.status"
            say(escape(spoken_words().say(key, status=told[0], reason=told[1])))
        if now["status"] != "pending":
            return
        await clock.sleep(POLL_S)


def _show(message: Mapping[str, Any]) -> None:
    """One line for each message, with its first words."""
    data = message["data"]
    headlines = data.get("headline") or ", ".join(one["headline"] for one in data.get("alerts", ()))
    signed = spoken_words().say("listen.signed")
    say(f"[green]{signed}[/] {escape(message['timestamp'])} [bold]{escape(message['type'])}[/] {escape(headlines)}")
    sys.stdout.flush()
