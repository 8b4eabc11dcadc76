"""The faults of a registry document: all of it at once, each fault with a JSON pointer to where it is."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class DocumentFault:
    """``pointer`` is a JSON pointer (RFC 6901) into the document."""

    pointer: str
    detail: str


class InvalidRegistryError(ValueError):
    """The document is refused whole. ``faults`` is never empty."""

    def __init__(self, faults: Iterable[DocumentFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in self.faults[:10]))
