"""Certificates of an authority of the test's own, as PEM files."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True, slots=True)
class Files:
    """Where an authority is, and a certificate that it issued with its key (PKCS 8)."""

    ca: Path
    cert: Path
    key: Path


class Authority:
    """A new authority, which issues certificates into a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = trustme.CA()
        directory.mkdir(parents=True, exist_ok=True)
        self._ca.cert_pem.write_to_path(str(directory / "ca.pem"))

    def issue(self, identity: str, common_name: str | None = None) -> Files:
        """A certificate for a host name, an address or a person."""
        issued = self._ca.issue_cert(identity, common_name=common_name)
        files = Files(*(self._directory / name for name in ("ca.pem", f"{identity}.pem", f"{identity}.key")))
        files.cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        files.key.touch(0o600)
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files
