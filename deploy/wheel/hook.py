"""Hatch's hook for the wheel. An editable installation has the folders as they are."""

import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelHook(BuildHookInterface[Any]):
    """Hatch finds it as the one hook of this file."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self._directory = Path(tempfile.mkdtemp(prefix="trucewatch-wheel-"))
        # Hatch runs this file by its path, so the one beside it cannot be imported.
        rewrite = runpy.run_path(str(Path(__file__).with_name("rewrite.py")))
        rewrite["write_package"](Path(self.root), self._directory)
        build_data["force_include"][str(self._directory)] = rewrite["NAME"]

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            shutil.rmtree(self._directory)
