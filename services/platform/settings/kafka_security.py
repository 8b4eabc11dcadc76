"""How Kafka is talked to: in the open, by TLS, by SASL, or by both."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.platform.settings.environment import SettingsError
from services.platform.settings.values import tls_context

#: As Kafka calls them, by (TLS, SASL).
_PROTOCOLS: Final = {
    (False, False): "PLAINTEXT",
    (True, False): "SSL",
    (False, True): "SASL_PLAINTEXT",
    (True, True): "SASL_SSL",
}
_MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """``mechanism`` None: without SASL; ``tls`` None: without TLS."""

    tls: ssl.SSLContext | None = None
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None

    def options(self) -> dict[str, Any]:
        """Arguments for every client of aiokafka."""
        protocol = _PROTOCOLS[self.tls is not None, self.mechanism is not None]
        options: dict[str, Any] = {"security_protocol": protocol, "ssl_context": self.tls}
        if self.mechanism is not None:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options


OPEN: Final = KafkaSecurity()


def read_kafka_security(environ: Mapping[str, str]) -> KafkaSecurity:
    """From ``TRUCEWATCH_KAFKA_…``. With a user or a certificate TLS is on unless it is set to ``off``, so that
    no password crosses the network in plain text by mistake. Raises SettingsError."""
    username, password = environ.get("TRUCEWATCH_KAFKA_USERNAME"), environ.get("TRUCEWATCH_KAFKA_PASSWORD")
    if (username is None) != (password is None):
        raise SettingsError("TRUCEWATCH_KAFKA_USERNAME and TRUCEWATCH_KAFKA_PASSWORD are set together, or neither is")
    mechanism = environ.get("TRUCEWATCH_KAFKA_SASL", _MECHANISMS[0]).upper()
    if mechanism not in _MECHANISMS:
        raise SettingsError(f"TRUCEWATCH_KAFKA_SASL must be one of {', '.join(_MECHANISMS)}")
    tls = _read_tls(environ, wanted=username is not None)
    return KafkaSecurity(tls, None if username is None else mechanism, username, password)


def _read_tls(environ: Mapping[str, str], *, wanted: bool) -> ssl.SSLContext | None:
    ca = environ.get("TRUCEWATCH_KAFKA_CA_FILE")
    certificate, key = environ.get("TRUCEWATCH_KAFKA_CERT_FILE"), environ.get("TRUCEWATCH_KAFKA_KEY_FILE")
    password = environ.get("TRUCEWATCH_KAFKA_KEY_PASSWORD")
    files = [ca, certificate, key]
    switch = environ.get("TRUCEWATCH_KAFKA_TLS", "on" if wanted or any(files) else "off").lower()
    if switch not in ("on", "off"):
        raise SettingsError("TRUCEWATCH_KAFKA_TLS must be on or off")
    if switch == "on":
        return tls_context("TRUCEWATCH_KAFKA", ca, certificate, key, password)
    if any(files):
        raise SettingsError("TRUCEWATCH_KAFKA_TLS is off, and there is a file with certificates for it")
    return None
