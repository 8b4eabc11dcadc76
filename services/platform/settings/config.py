"""Settings, read once from the environment by ``bootstrap``, never at import. Source: the contract, "Commands"."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL

from services.platform.settings.base_url import base_url
from services.platform.settings.basemap import read_basemap
from services.platform.settings.environment import Environment, SettingsError
from services.platform.settings.kafka_security import OPEN, KafkaSecurity, read_kafka_security
from services.platform.settings.values import (
    Network,
    Proxy,
    normal_url,
    read_admin_key,
    read_brokers,
    read_ca,
    read_database_url,
    read_level,
    read_networks,
    read_number,
    read_proxy,
    read_public_url,
    read_secret_keys,
)

__all__ = ["Network", "Proxy", "SettingsError", "normal_url"]

DEFAULT_MAIL_FROM = "Trucewatch <alerts@trucewatch.invalid>"
#: In the data directory of the embedded form.
DATABASE_FILE: Final = "trucewatch.db"
KEY_FILE: Final = "secret.key"
#: Places for probes are kept among them.
LEAST_CONNECTIONS: Final = 128
#: Variables that the client commands read.
CLIENT_SETTINGS: Final = ("TRUCEWATCH_URL", "TRUCEWATCH_KEY", "TRUCEWATCH_WEBHOOK_SECRET")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a process. ``database_url`` is a SQLAlchemy URL; ``kafka`` None means the embedded bus."""

    database_url: str
    public_url: str
    kafka: str | None = None
    kafka_security: KafkaSecurity = OPEN
    smtp_url: str | None = None
    #: Files of certificates in PEM.
    smtp_ca: str | None = None
    webhook_ca: str | None = None
    webhook_proxy: Proxy | None = None
    mail_from: str = DEFAULT_MAIL_FROM
    admin_key: str | None = None
    webhook_allow: tuple[Network, ...] = ()
    #: Keys for secrets at rest: the first encrypts, each decrypts.
    secret_keys: tuple[bytes, ...] = ()
    #: An archive of PMTiles.
    basemap: str | None = None
    log_level: str = "WARNING"
    #: Sentences to be logged at the start: variables that nothing reads.
    remarks: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    connections: int | None = None
    connections_per_address: int | None = None
    request_grace_s: float | None = None
    #: How much one owner may have.
    max_subscriptions: int = 200
    max_unproved: int = 20
    max_silences: int = 50
    max_streams: int = 10
    #: None for good.
    attempts_days: int | None = None
    host: str = "127.0.0.1"
    port: int = 8000


def embedded_url(data: Path) -> str:
    """The database URL of the embedded form that keeps its state in ``data``."""
    # Not joined by hand: "?", "#" and "%" may stand in the name of a directory.
    url = URL.create("sqlite", database=str(data.resolve() / DATABASE_FILE))
    return url.render_as_string(hide_password=False)


def read_settings(environ: Mapping[str, str], *, database_url: str | None = None, host: str, port: int) -> Settings:
    """Settings from ``TRUCEWATCH_…``. Raises SettingsError naming the variable that is missing or wrong."""
    source = Environment(environ)
    settings = Settings(
        database_url=database_url or read_database_url(source),
        public_url=read_public_url(source, base_url(host, port)),
        kafka=read_brokers(source),
        kafka_security=read_kafka_security(source),
        smtp_url=source.get("TRUCEWATCH_SMTP_URL"),
        smtp_ca=read_ca(source, "TRUCEWATCH_SMTP_CA_FILE"),
        webhook_ca=read_ca(source, "TRUCEWATCH_WEBHOOK_CA_FILE"),
        webhook_proxy=read_proxy(source, "TRUCEWATCH_WEBHOOK_PROXY"),
        mail_from=source.get("TRUCEWATCH_MAIL_FROM", DEFAULT_MAIL_FROM),
        admin_key=read_admin_key(source),
        webhook_allow=read_networks(source, "TRUCEWATCH_WEBHOOK_ALLOW"),
        secret_keys=read_secret_keys(source),
        basemap=read_basemap(source),
        log_level=read_level(source),
        trusted_proxies=read_networks(source, "TRUCEWATCH_TRUSTED_PROXIES"),
        connections=read_number(source, "TRUCEWATCH_CONNECTIONS", LEAST_CONNECTIONS, 1_000_000),
        connections_per_address=read_number(source, "TRUCEWATCH_CONNECTIONS_PER_ADDRESS", 1, 1_000_000),
        request_grace_s=read_number(source, "TRUCEWATCH_REQUEST_GRACE_S", 1, 600),
        max_subscriptions=read_number(source, "TRUCEWATCH_MAX_SUBSCRIPTIONS", 1, 1_000_000) or 200,
        max_unproved=read_number(source, "TRUCEWATCH_MAX_UNPROVED", 1, 1_000_000) or 20,
        max_silences=read_number(source, "TRUCEWATCH_MAX_SILENCES", 1, 1_000_000) or 50,
        max_streams=read_number(source, "TRUCEWATCH_MAX_STREAMS", 1, 500) or 10,
        attempts_days=read_number(source, "TRUCEWATCH_ATTEMPTS_DAYS", 7, 36_500),
        host=host,
        port=port,
    )
    return replace(settings, remarks=tuple(source.unknown(CLIENT_SETTINGS)))
