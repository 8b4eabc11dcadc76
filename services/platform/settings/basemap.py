"""The operator's own base of the map: an archive of PMTiles, version 3 (github.com/protomaps/PMTiles, spec/v3)."""

import os
import struct
from collections.abc import Mapping
from typing import Final

from services.platform.settings.environment import SettingsError

HEADER_BYTES: Final = 127
#: Magic and version; offset and length of root directory, metadata, leaf directories and tiles; three counts; whether
#: clustered; the compression of directories and of tiles; the type of tiles.
_HEADER: Final = struct.Struct("<7sB8Q24xx3B")
#: Unknown, none and gzip: what browsers unpack.
_UNPACKED: Final = (0, 1, 2)
#: Vector tiles, PNG, JPEG, WebP, AVIF.
_DRAWN: Final = (1, 2, 3, 4, 5)


def read_basemap(environ: Mapping[str, str], name: str = "TRUCEWATCH_BASEMAP") -> str | None:
    """The path of an archive that browsers can draw, once its header was read. Raises SettingsError."""
    path = environ.get(name)
    if path is not None:
        fault = _find_fault(path)
        if fault:
            raise SettingsError(f"{name}: {path} {fault}")
    return path


def _find_fault(path: str) -> str:
    try:
        with open(path, "rb") as file:
            header, size = file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:
        return f"cannot be read: {error.strerror if isinstance(error, OSError) else error}"
    if len(header) < HEADER_BYTES or not header.startswith(b"PMTiles\x03"):
        return "is not an archive of PMTiles, version 3"
    _, _, *parts, directories, tiles, kind = _HEADER.unpack_from(header)
    end = max(offset + length for offset, length in zip(parts[::2], parts[1::2], strict=True))
    if size < end:
        return f"is incomplete: it has {size} bytes and needs {end}"
    if directories not in _UNPACKED or tiles not in _UNPACKED or kind not in _DRAWN:
        return "cannot be drawn by browsers: its tiles must be vector tiles or images, packed by gzip or not at all"
    return ""
