"""Parts of the package that are installed only by name: ``pip install "trucewatch[kafka,postgres]"``."""

from importlib.util import find_spec
from typing import Final

from services.platform.settings.environment import SettingsError

#: The module by which each extra is recognised.
_MODULES: Final = {
    "demo": "aiosmtpd",
    "kafka": "aiokafka",
    "otel": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "postgres": "psycopg",
}


def require_extra(extra: str, needed_by: str) -> None:
    """Raises SettingsError with the command that installs ``extra``, where it is missing."""
    if not _is_installed(_MODULES[extra]):
        raise SettingsError(f'{needed_by} needs the extra "{extra}": pip install "trucewatch[{extra}]"')


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
