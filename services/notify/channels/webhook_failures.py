"""The failures of webhook attempts that got no answer: aiohttp's errors, and the guard's, by kind and in words."""

import ssl
from typing import Final

import aiohttp

from services.notify.domain.delivery import Failure
from services.platform.outbound.guard import RefusedAddressError

#: Read from the top: aiohttp's errors inherit from one another.
_FAILURES: Final[tuple[tuple[type[BaseException], Failure], ...]] = (
    (RefusedAddressError, "refused"),
    (aiohttp.ClientConnectorDNSError, "unresolved"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorCertificateError, "tls"),
    (ssl.SSLError, "tls"),
    (aiohttp.ServerTimeoutError, "timeout"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ClientHttpProxyError, "connect"),
    (aiohttp.InvalidURL, "refused"),
    (aiohttp.ServerDisconnectedError, "disconnected"),
    (aiohttp.ClientOSError, "disconnected"),
    (ConnectionError, "disconnected"),
)


def failure_of(error: BaseException) -> Failure:
    root = _root(error)
    return next((failure for kind, failure in _FAILURES if isinstance(root, kind)), "protocol")


def describe_error(error: BaseException) -> str:
    root = _root(error)
    return f"{type(root).__name__}: {root}"


def _root(error: BaseException) -> BaseException:
    """The system's error under aiohttp's where the guard spoke."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, RefusedAddressError):
        return error.os_error
    return error
