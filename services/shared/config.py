"""Settings, read once from the environment by ``bootstrap``, never at import. Source: the contract, "Commands"."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL

from services.shared.sealing import parse_secret_keys

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Shortest key that TRUCEWATCH_ADMIN_KEY may set, in characters.
SHORTEST_ADMIN_KEY: Final = 20
DEFAULT_MAIL_FROM = "Trucewatch <alerts@trucewatch.invalid>"
#: In the data directory of the embedded form.
DATABASE_FILE: Final = "trucewatch.db"
KEY_FILE: Final = "secret.key"


class SettingsError(ValueError):
    """A setting cannot be used; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a process. ``database_url`` is a SQLAlchemy URL; ``kafka`` None means the embedded bus."""

    database_url: str
    public_url: str
    kafka: str | None = None
    smtp_url: str | None = None
    mail_from: str = DEFAULT_MAIL_FROM
    admin_key: str | None = None
    webhook_allow: tuple[Network, ...] = ()
    #: What encrypts secrets at rest: the first encrypts, each decrypts.
    secret_keys: tuple[bytes, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000


def embedded_url(data: Path) -> str:
    """The database URL of the embedded form that keeps its state in ``data``."""
    # Not joined by hand: "?", "#" and "%" may stand in the name of a directory.
    url = URL.create("sqlite", database=str(data.resolve() / DATABASE_FILE))
    return url.render_as_string(hide_password=False)


def base_url(host: str, port: int) -> str:
    """Where a process that listens on ``host`` is reached; an IPv6 address stands in brackets (RFC 3986, RFC 6874)."""
    return f"http://[{host.replace('%', '%25')}]:{port}" if ":" in host else f"http://{host}:{port}"


def read_settings(environ: Mapping[str, str], *, database_url: str | None = None, host: str, port: int) -> Settings:
    """Settings from ``TRUCEWATCH_…``. Raises SettingsError naming the variable that is missing or wrong."""
    url = database_url or environ.get("TRUCEWATCH_DATABASE_URL")
    if not url:
        raise SettingsError("TRUCEWATCH_DATABASE_URL is not set")
    return Settings(
        database_url=normal_url(url),
        public_url=environ.get("TRUCEWATCH_PUBLIC_URL", base_url(host, port)).rstrip("/"),
        kafka=environ.get("TRUCEWATCH_KAFKA") or None,
        smtp_url=environ.get("TRUCEWATCH_SMTP_URL") or None,
        mail_from=environ.get("TRUCEWATCH_MAIL_FROM") or DEFAULT_MAIL_FROM,
        admin_key=_admin_key(environ.get("TRUCEWATCH_ADMIN_KEY")),
        webhook_allow=_networks(environ.get("TRUCEWATCH_WEBHOOK_ALLOW", "")),
        secret_keys=_secret_keys(environ.get("TRUCEWATCH_SECRET_KEY", "")),
        host=host,
        port=port,
    )


def normal_url(url: str) -> str:
    """``postgres://`` and ``postgresql://`` mean the psycopg driver, the only one that we ship."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _admin_key(key: str | None) -> str | None:
    """Spaces are not printable here: a header could not carry them at the ends. Raises SettingsError."""
    if not key:
        return None
    if len(key) < SHORTEST_ADMIN_KEY or not all("!" <= character <= "~" for character in key):
        raise SettingsError(
            f"TRUCEWATCH_ADMIN_KEY must have at least {SHORTEST_ADMIN_KEY} characters, all printable ASCII, no spaces"
        )
    return key


def _secret_keys(text: str) -> tuple[bytes, ...]:
    try:
        return parse_secret_keys(text)
    except ValueError as error:
        raise SettingsError(f"TRUCEWATCH_SECRET_KEY {error}") from None


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"TRUCEWATCH_WEBHOOK_ALLOW: {error}") from error
