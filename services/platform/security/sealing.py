"""Secrets at rest: AES-256-GCM under a key that the database does not hold.

A sealed value is bound to the row that it stands in, so that one moved to another row does not open. The first key
seals and every key opens, which is how a key is replaced. Sources: NIST SP 800-38D; RFC 5869.
"""

import base64
import hmac
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.platform.failures import NeverRetryError, RetryLaterError

KEY_BYTES: Final = 32
MAKE_ONE: Final = "make one with: openssl rand -base64 32"
_HEX: Final = re.compile(rf"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}")
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
#: First byte of a sealed value, which begins no JSON document: version of the form.
_VERSION: Final = b"\x01"
_HEAD: Final = len(_VERSION) + _ID_BYTES


class SealError(RetryLaterError):
    """A value was sealed with a key that this process does not have."""


class DamagedError(NeverRetryError):
    """A value is not the one that was sealed for its row."""


@dataclass(frozen=True, slots=True)
class _Key:
    """The keys that one secret key is expanded to; ``id`` tells keys apart and reveals nothing of them."""

    id: bytes
    aead: AESGCM
    index: bytes

    @classmethod
    def expand(cls, secret: bytes) -> Self:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a secret key has {KEY_BYTES} bytes")
        return cls(
            _derive(secret, b"id", _ID_BYTES),
            AESGCM(_derive(secret, b"seal", KEY_BYTES)),
            _derive(secret, b"index", KEY_BYTES),
        )


def _derive(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"trucewatch 1 " + purpose).derive(secret)


def parse_secret_keys(text: str) -> tuple[bytes, ...]:
    """Keys of 32 bytes, as base64 or hexadecimal digits, apart by commas or white space; lines that begin with ``#``
    are comments. Raises ValueError, whose text follows the name of the setting and shows no key."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return tuple(_parse_key(word) for word in re.split(r"[,\s]+", "\n".join(lines)) if word)


def _parse_key(word: str) -> bytes:
    if _HEX.fullmatch(word):
        return bytes.fromhex(word)
    standard = word.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        raise ValueError(f"must hold keys in base64; {MAKE_ONE}") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"must hold keys of {KEY_BYTES} bytes, not of {len(key)}; {MAKE_ONE}")
    return key


class Sealer:
    """Seals with the first of ``keys``, opens with any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        expanded = [_Key.expand(key) for key in keys]
        if not expanded:
            raise ValueError("a sealer needs a key")
        self._first = expanded[0]
        self._keys = {key.id: key for key in expanded}

    def seal(self, value: bytes, row: str) -> bytes:
        """``value`` for the row that ``row`` names, as ``table/id``."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + self._first.id + nonce + self._first.aead.encrypt(nonce, value, row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """The value that was sealed for this row. Raises SealError, DamagedError."""
        key = self._keys.get(sealed[len(_VERSION) : _HEAD]) if is_sealed(sealed) else None
        if key is None:
            raise SealError(f"{row} was sealed with a key that this process does not have")
        nonce, rest = sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :]
        try:
            return key.aead.decrypt(nonce, rest, row.encode())
        except InvalidTag as error:
            raise DamagedError(f"{row} does not hold what was sealed for it") from error

    def knows(self, sealed: bytes) -> bool:
        """Whether one of the keys is the one that sealed it."""
        return is_sealed(sealed) and sealed[len(_VERSION) : _HEAD] in self._keys

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        return is_sealed(sealed) and sealed[len(_VERSION) : _HEAD] == self._first.id

    def index(self, value: str) -> str:
        """A keyed hash, hexadecimal, by which a row is found; without the key no guess can be tried."""
        return _keyed(self._first, value)

    def indexes(self, value: str) -> list[str]:
        """The hash under each key: a row that is not sealed anew yet is found as well."""
        return [_keyed(key, value) for key in self._keys.values()]


def _keyed(key: _Key, value: str) -> str:
    return hmac.new(key.index, value.encode(), "sha256").hexdigest()


def is_sealed(value: bytes) -> bool:
    """Whether ``value`` has the form of a sealed value."""
    return value[:1] == _VERSION and len(value) > _HEAD + _NONCE_BYTES
