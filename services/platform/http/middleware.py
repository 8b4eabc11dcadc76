"""Around the app: errors become problem documents, HEAD is answered, requests that a stop cuts are answered."""

import asyncio
from contextlib import suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.platform.failures import RetryLaterError
from services.platform.http.problems import FieldError, Problem, away, unforeseen


def install_problems(app: FastAPI) -> None:
    """Every error that leaves ``app`` is a problem document that shows no internals."""

    async def on_problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def on_http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return Problem(error.status_code, error.detail, headers=dict(error.headers or {})).response()

    async def on_invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [FieldError("/" + "/".join(str(p) for p in e["loc"][1:]), e["msg"]) for e in error.errors()]
        return Problem(422, "Not valid", errors=errors).response()

    async def on_cut(_request: Request, _error: Exception) -> Response:
        """The client disconnected within its body, or was too slow; the answer is not read."""
        return Response(status_code=408)

    async def on_away(_request: Request, error: Exception) -> Response:
        return away(str(error)).response()

    async def on_unforeseen(_request: Request, _error: Exception) -> Response:
        return unforeseen().response()

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(Exception, on_unforeseen)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(RetryLaterError, on_away)
    app.add_exception_handler(ClientDisconnect, on_cut)


def answer_heads(app: ASGIApp) -> ASGIApp:
    """``app``, which then answers HEAD wherever it answers GET: the same headers, and nothing after them."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            head = _Head(send)
            await app({**scope, "method": "GET"}, head.receive, head.send)
        else:
            await app(scope, receive, send)

    return serve


def refuse_nul(app: ASGIApp) -> ASGIApp:
    """``app`` behind a guard against the one character that no name of ours holds and that PostgreSQL refuses."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            problem = Problem(400, "Not valid", "The address holds a NUL character.")
            await problem.response()(scope, receive, send)
        else:
            await app(scope, receive, send)

    return serve


def answer_when_cut(app: ASGIApp) -> ASGIApp:
    """``app``, whose requests that a stopping process does not finish are answered: see :func:`answer_cut`."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            await answer_cut(scope, receive, send)

    return serve


async def answer_cut(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 503 with Retry-After when shutdown cancels the request, which may have been carried out all the same.

    The server cancels nothing but what it cuts when it ends, and looks at that task no more. A stream just ends.
    """
    with suppress(RuntimeError):
        await away("the process is stopping").response()(scope, receive, send)


class _Head:
    """A client that disconnects once it has the headers, so that a stream ends."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._asked = False
        self._started = asyncio.Event()

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._started.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
            self._started.set()
