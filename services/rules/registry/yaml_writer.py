"""Plain values as YAML that people edit, and that ``yaml_json`` reads back as the same values."""

from typing import Any, Final

import yaml

from services.rules.registry.yaml_json import reads_as_text

#: Longer lines than anybody has: texts are not folded.
_WIDTH: Final = 1_000_000
_Base: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class OneLine(dict[str, Any]):
    """A mapping that is written on one line, with all that it holds."""


class _Dumper(_Base):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if reads_as_text(text) else '"')


def _represent_one_line(dumper: Any, value: OneLine) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(OneLine, _represent_one_line)


def write_yaml(value: Any) -> str:
    """``value`` of dicts with text keys, lists, text, numbers, booleans and None."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=False, width=_WIDTH
    )
    return text
