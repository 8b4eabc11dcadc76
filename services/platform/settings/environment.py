"""The environment as settings are read from it: by value, or from a file that ``…_FILE`` names."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

PREFIX: Final = "TRUCEWATCH_"
FILE_SUFFIX: Final = "_FILE"
#: Largest file that a setting is read from, in bytes.
LARGEST_FILE: Final = 64 * 1024


class SettingsError(ValueError):
    """A setting cannot be used; the message names the variable."""


class Environment(Mapping[str, str]):
    """Settings by name. ``NAME_FILE`` gives the path of a file that holds the value of ``NAME``, without the line break
    at its end; an empty variable counts as not set.

    It remembers the names that were asked for, to list those that nothing reads. Reading raises
    SettingsError where the file cannot be used, or where both variables are set.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self._asked.add(name)
        value, file = self._environ.get(name), self._environ.get(name + FILE_SUFFIX)
        if value and file:
            raise SettingsError(f"{name} and {name}{FILE_SUFFIX} are both set: leave one out")
        if file:
            return _read(name + FILE_SUFFIX, Path(file))
        if not value:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def unknown(self, others: Iterable[str] = ()) -> list[str]:
        """A sentence for each variable of ours that was neither asked for nor is one of ``others``."""
        known = {*self._asked, *others}
        known |= {name + FILE_SUFFIX for name in known if not name.endswith(FILE_SUFFIX)}
        ours = sorted(name for name in self._environ if name.startswith(PREFIX))
        return [_sentence(name, known) for name in ours if name not in known]


def _sentence(name: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(known), 1)
    return f"{name} is not a setting" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _read(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{name}: {path} cannot be read: {reason}") from error
    if len(content) > LARGEST_FILE:
        raise SettingsError(f"{name}: {path} is larger than {LARGEST_FILE} bytes")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name}: {path} is not UTF-8 text") from error
    if not text:
        raise SettingsError(f"{name}: {path} is empty")
    return text
