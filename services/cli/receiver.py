"""A webhook receiver as a subscriber would write it: it echoes the challenge, and checks every signature itself."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import msgspec
from aiohttp import web

from schemas.instants import SECOND
from services.platform.clock import Clock
from services.platform.settings.base_url import base_url

TOLERANCE_S: Final = 300
#: The challenge may come before the answer that holds the secret.
SECRET_WAIT_S: Final = 5.0

Arrival = Callable[[Mapping[str, Any]], None]


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, now_s: int) -> bool:
    """Whether Standard Webhooks 1.0.0 holds: one of the signatures is over this id, this time and these bytes."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        timestamp = headers["webhook-timestamp"]
        content = b".".join([headers["webhook-id"].encode(), timestamp.encode(), body])
        expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        fresh = abs(now_s - int(timestamp)) <= TOLERANCE_S
        return fresh and any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split(" "))
    except (KeyError, ValueError):
        return False


class Receiver:
    """Passes each signed message to ``on_message`` and answers 204; anything else gets 401.

    Port 0 is any free one. A message whose body is not a JSON object gets 400.
    """

    def __init__(self, clock: Clock, on_message: Arrival, host: str = "127.0.0.1", port: int = 0) -> None:
        self._clock = clock
        self._on_message = on_message
        self._host, self._port = host, port
        self._secret: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        self.refused = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"{base_url(self._host, self._runner.addresses[0][1])}/hook"

    def trust(self, secret: str) -> None:
        """The secret that the subscription was answered with."""
        self._secret.set_result(secret)

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        secret = await asyncio.wait_for(asyncio.shield(self._secret), SECRET_WAIT_S)
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not is_signed(secret, headers, body, self._clock.now() // SECOND):
            self.refused += 1
            return web.Response(status=401)
        message = msgspec.json.decode(body)
        if message["type"] == "challenge":
            return web.json_response({"challenge": message["data"]["challenge"]})
        self._on_message(message)
        return web.Response(status=204)
