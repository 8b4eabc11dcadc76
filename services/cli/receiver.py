"""A webhook receiver as a subscriber would write it: it echoes the challenge, and checks every signature."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import msgspec
from aiohttp import web

from schemas.instants import SECOND
from services.client import verify_webhook
from services.platform.clock import Clock
from services.platform.settings.base_url import base_url

#: The challenge may come before the answer that holds the secret.
SECRET_WAIT_S: Final = 5.0

Arrival = Callable[[Mapping[str, Any]], None]


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
        try:
            verify_webhook(secret, request.headers, body, now_s=self._clock.now() / SECOND)
        except ValueError:
            self.refused += 1
            return web.Response(status=401)
        message = msgspec.json.decode(body)
        if message["type"] == "challenge":
            return web.json_response({"challenge": message["data"]["challenge"]})
        self._on_message(message)
        return web.Response(status=204)
