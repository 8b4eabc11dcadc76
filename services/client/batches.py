"""Reports in batches, bounded in number and in bytes."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: A hundred a request is where a server is at its best; the bytes stay well under its limit of 16 MiB.
BATCH: Final = 100
BATCH_BYTES: Final = 4 * 1024 * 1024


def in_batches(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """The items in order, in lists of at most ``BATCH`` and, unless one alone is larger, ``BATCH_BYTES``."""
    batch: list[T] = []
    size = 0
    for item in items:
        if batch and (len(batch) == BATCH or size + size_of(item) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += size_of(item)
    if batch:
        yield batch


def encode(body: Any) -> bytes:
    """JSON. Raises ValueError, TypeError for what is none."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def encode_report(report: Mapping[str, Any] | bytes) -> bytes:
    """One line of NDJSON; bytes are JSON already."""
    return report if isinstance(report, bytes) else encode(report)
