"""Reading documents of other systems: guarded, bounded in time and in bytes. No redirect is followed, no environment
read, no cookie kept."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver

from services.platform.failures import RetryLaterError
from services.platform.outbound.address import Policy, RefusedTargetError, check_url
from services.platform.outbound.guard import PooledLookups, open_connector, public_authorities
from services.platform.settings.config import Proxy

MAX_BYTES: Final = 32 * 1024 * 1024
TOTAL_S: Final = 60.0
CONNECT_S: Final = 10.0
POOL: Final = 16
LOOKUP_THREADS: Final = 4


class FetchError(RetryLaterError):
    """There was no whole answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One answer. ``retry_after`` is the header as it stands."""

    status: int
    body: bytes
    retry_after: str | None = None


class Fetcher:
    """Fetches by GET, or by POST of a form. Made inside a running loop; ``close`` ends every connection."""

    def __init__(
        self,
        policy: Policy,
        *,
        user_agent: str = "Trucewatch/0.1",
        tls: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        lookups: AbstractResolver | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        self._policy = policy
        self._lookups = lookups or PooledLookups(LOOKUP_THREADS)
        self._proxy = _proxy_arguments(proxy)
        common: dict[str, Any] = {"limit": POOL, "ssl": tls or public_authorities()}
        self._sessions = {
            secure: aiohttp.ClientSession(
                # Through a proxy every connection is to it, which the operator chose.
                connector=aiohttp.TCPConnector(resolver=self._lookups, **common)
                if proxy is not None
                else open_connector(policy, self._lookups, secure=secure, **common),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"user-agent": user_agent, "accept": "application/json"},
                timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=CONNECT_S),
            )
            for secure in (True, False)
        }

    async def get(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """Raises FetchError: the address is refused, there is no whole answer in time, or it is too large."""
        return await self._ask("GET", url, headers=headers)

    async def post(self, url: str, form: Mapping[str, str]) -> Fetched:
        """As :meth:`get`."""
        return await self._ask("POST", url, data=form)

    async def _ask(self, method: str, url: str, **sent: Any) -> Fetched:
        try:
            target = check_url(url, self._policy)
            session = self._sessions[target.scheme == "https"]
            async with session.request(method, url, **sent, allow_redirects=False, **self._proxy) as answer:
                parts, size = [], 0
                async for part in answer.content.iter_chunked(64 * 1024):
                    size += len(part)
                    if size > MAX_BYTES:
                        raise FetchError(f"the answer is larger than {MAX_BYTES // 2**20} MiB")
                    parts.append(part)
                return Fetched(answer.status, b"".join(parts), answer.headers.get("retry-after"))
        except RefusedTargetError as error:
            raise FetchError(f"the address is refused: {error}") from error
        except TimeoutError as error:
            raise FetchError("no whole answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        await self._lookups.close()


def _proxy_arguments(proxy: Proxy | None) -> Mapping[str, Any]:
    if proxy is None:
        return {}
    if proxy.username is None:
        return {"proxy": proxy.url}
    login = aiohttp.encode_basic_auth(proxy.username, proxy.password, "utf-8")
    return {"proxy": proxy.url, "proxy_headers": {"proxy-authorization": login}}
