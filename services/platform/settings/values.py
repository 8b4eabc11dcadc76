"""The form of each setting's value. Each function raises SettingsError, which names the setting and shows no
secret."""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from services.platform.security.sealing import parse_secret_keys
from services.platform.settings.environment import SettingsError
from services.platform.settings.extras import require_extra

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Shortest key that TRUCEWATCH_ADMIN_KEY may set, in characters.
SHORTEST_ADMIN_KEY: Final = 20
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: It stands in mails and in their headers, beside a path and a token.
LONGEST_PUBLIC_URL: Final = 300

_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_PORT: Final = r"(?::(?P<port>[0-9]{1,5}))?"
_BROKER: Final = re.compile(_HOST + _PORT)
_PUBLIC_URL: Final = re.compile(rf"https?://{_HOST}{_PORT}(?:/[A-Za-z0-9._~!$&*+;=:@%/-]*)?")
_PROXY: Final = re.compile(
    rf"http://(?:(?P<user>[^\s:@/?#]+):(?P<password>[^\s:@/?#]*)@)?(?P<at>{_HOST}:(?P<port>[0-9]{{1,5}}))/?"
)
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy at ``url``, which names no user."""

    url: str
    username: str | None = None
    password: str = field(default="", repr=False)


def read_proxy(environ: Mapping[str, str], name: str) -> Proxy | None:
    """``http://[user:password@]host:port``, user and password percent-encoded."""
    text = environ.get(name)
    if text is None:
        return None
    found = _PROXY.fullmatch(text)
    user, password = ("", "") if found is None else (unquote(found["user"] or ""), unquote(found["password"] or ""))
    # RFC 7617: the first colon ends the user, and neither holds control characters.
    if found is None or not _is_port(found["port"]) or ":" in user or not (user + password + "x").isprintable():
        raise SettingsError(
            f"{name} must be http://host:port or http://user:password@host:port, user and password percent-encoded"
        )
    return Proxy(f"http://{found['at']}", user or None, password)


def read_level(environ: Mapping[str, str]) -> str:
    level = environ.get("TRUCEWATCH_LOG", "WARNING").upper()
    if level not in LEVELS:
        raise SettingsError(f"TRUCEWATCH_LOG must be one of {', '.join(LEVELS)}")
    return level


def read_public_url(environ: Mapping[str, str], default: str) -> str:
    url = environ.get("TRUCEWATCH_PUBLIC_URL")
    if url is None:
        return default
    found = _PUBLIC_URL.fullmatch(url)
    if found is None or not _is_port(found["port"]) or len(url) > LONGEST_PUBLIC_URL:
        raise SettingsError(
            "TRUCEWATCH_PUBLIC_URL must be an http or https URL in ASCII without user, query and fragment, of at most "
            f"{LONGEST_PUBLIC_URL} characters, such as https://trucewatch.example.org"
        )
    return url.rstrip("/")


def read_brokers(environ: Mapping[str, str]) -> str | None:
    """Bootstrap servers as ``host:port,host:port``."""
    text = environ.get("TRUCEWATCH_KAFKA")
    if text is None:
        return None
    brokers = [part.strip() for part in text.split(",")]
    found = [_BROKER.fullmatch(broker) for broker in brokers]
    if not all(one is not None and _is_port(one["port"]) for one in found):
        raise SettingsError("TRUCEWATCH_KAFKA must be host:port, several apart by commas")
    require_extra("kafka", "TRUCEWATCH_KAFKA")
    require_extra("postgres", "TRUCEWATCH_KAFKA")
    return ",".join(brokers)


def _is_port(text: str | None) -> bool:
    return text is None or 0 < int(text) < 65536


def read_admin_key(environ: Mapping[str, str]) -> str | None:
    """Spaces are not printable here: a header could not carry them at the ends."""
    key = environ.get("TRUCEWATCH_ADMIN_KEY")
    if key is None:
        return None
    if len(key) < SHORTEST_ADMIN_KEY or not all("!" <= character <= "~" for character in key):
        raise SettingsError(
            f"TRUCEWATCH_ADMIN_KEY must have at least {SHORTEST_ADMIN_KEY} characters, all printable ASCII, no spaces"
        )
    return key


def read_secret_keys(environ: Mapping[str, str]) -> tuple[bytes, ...]:
    text = environ.get("TRUCEWATCH_SECRET_KEY", "")
    try:
        return parse_secret_keys(text)
    except ValueError as error:
        raise SettingsError(f"TRUCEWATCH_SECRET_KEY {error}") from None


def read_networks(environ: Mapping[str, str], name: str) -> tuple[Network, ...]:
    text = environ.get(name, "")
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error


def read_number(environ: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = environ.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise SettingsError(f"{name} must be a whole number from {least} to {most}")
    return int(text)


def read_database_url(environ: Mapping[str, str]) -> str:
    """As SQLAlchemy takes it, with the password and the certificates that have settings of their own."""
    text = environ.get("TRUCEWATCH_DATABASE_URL")
    if text is None:
        raise SettingsError("TRUCEWATCH_DATABASE_URL is not set")
    try:
        url = make_url(normal_url(text))
    except (ArgumentError, ValueError):
        raise SettingsError(
            "TRUCEWATCH_DATABASE_URL must be a URL such as postgresql://user:password@host:5432/database"
        ) from None
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        return url.render_as_string(hide_password=False)
    if url.drivername != "postgresql+psycopg":
        raise SettingsError(f"TRUCEWATCH_DATABASE_URL must begin with postgresql://, not with {url.drivername}://")
    require_extra("postgres", "TRUCEWATCH_DATABASE_URL")
    return _with_certificates(_with_password(url, environ), environ).render_as_string(hide_password=False)


def normal_url(url: str) -> str:
    """``postgres://`` and ``postgresql://`` mean the psycopg driver, the only one that we ship."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _with_password(url: URL, environ: Mapping[str, str]) -> URL:
    password = environ.get("TRUCEWATCH_DATABASE_PASSWORD")
    if password is None:
        return url
    if url.password:
        raise SettingsError("TRUCEWATCH_DATABASE_PASSWORD is set, and TRUCEWATCH_DATABASE_URL has a password too")
    return url.set(password=password)


#: The parameters of libpq that our settings stand for.
_CERTIFICATES: Final = {
    "sslrootcert": "TRUCEWATCH_DATABASE_CA_FILE",
    "sslcert": "TRUCEWATCH_DATABASE_CERT_FILE",
    "sslkey": "TRUCEWATCH_DATABASE_KEY_FILE",
}


def _with_certificates(url: URL, environ: Mapping[str, str]) -> URL:
    given = {parameter: environ[name] for parameter, name in _CERTIFICATES.items() if name in environ}
    for parameter in given.keys() & url.query.keys():
        raise SettingsError(f"{_CERTIFICATES[parameter]} is set, and TRUCEWATCH_DATABASE_URL has {parameter} too")
    if "sslrootcert" in given and "sslmode" not in url.query:
        given["sslmode"] = "verify-full"
    url = url.update_query_dict(given)
    query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    if query.get("sslmode", "prefer") not in _SSL_MODES:
        raise SettingsError(f"TRUCEWATCH_DATABASE_URL: sslmode must be one of {', '.join(_SSL_MODES)}")
    _check_options(url)
    _check_certificates(query)
    return url


def _check_options(url: URL) -> None:
    # Of the extra "postgres", as everywhere.
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        make_conninfo(url.set(drivername="postgresql").render_as_string(hide_password=False))
    except psycopg.Error as error:
        raise SettingsError(f"TRUCEWATCH_DATABASE_URL: {str(error).strip()}") from None


def _check_certificates(query: Mapping[str, str]) -> None:
    """libpq reports them only when it connects, which would be retried for ever."""
    ca, certificate, key = (query.get(name) for name in _CERTIFICATES)
    if ca or certificate or key:
        tls_context("the database", None if ca == "system" else ca, certificate, key)
    if key is not None:
        stat = Path(key).stat()
        if stat.st_mode & (0o037 if stat.st_uid == 0 else 0o077):
            raise SettingsError(f"{key}: PostgreSQL's client takes a key only where no other user can read it (0600)")


def read_ca(environ: Mapping[str, str], name: str) -> str | None:
    """The path of a file of certificates, once it was read."""
    path = environ.get(name)
    if path is not None:
        tls_context(name, path, None, None)
    return path


def tls_context(
    purpose: str, ca: str | None, certificate: str | None, key: str | None, password: str | None = None
) -> ssl.SSLContext:
    """TLS that verifies the server and its name, by the system's certificates or by those in ``ca``, and that shows
    ``certificate``. Raises SettingsError for a file that cannot be used."""
    if (certificate is None) != (key is None):
        raise SettingsError(f"{purpose}: a client certificate and its key are set together, or neither is")
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{purpose}: {ca} is not a file of certificates in PEM: {_reason(error)}") from error
    if certificate is None or key is None:
        return context
    try:
        # With a function it never asks at the terminal.
        context.load_cert_chain(certificate, key, lambda: password or "")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{purpose}: {certificate} and {key} are not a certificate and its key in PEM: {_reason(error)}"
        ) from error
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unreadable").replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
