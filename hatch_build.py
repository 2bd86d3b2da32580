"""Puts the released model into the wheel.

A hook and not a `force-include` entry, for three reasons: float weights stay out of the wheel
(the runtime never reads them), a checkout without `models/default` still builds, and an editable
install reads the model from the checkout itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "models/default"
TARGET = "stance/released/default"
LEFT_OUT = frozenset({"weights.safetensors"})


class ReleasedModel(BuildHookInterface[Any]):
    """Adds the files of `models/default`, float weights excepted, as `stance/released/default`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to include; `version` is "editable" for an editable install."""
        if version == "editable":
            return
        folder = Path(self.root) / SOURCE
        files = [path for path in folder.rglob("*") if path.is_file()]
        if not files:
            self.app.display_warning(
                f"{SOURCE} holds no model: this wheel can predict only with --model"
            )
        for path in files:
            name = path.relative_to(folder).as_posix()
            if path.name not in LEFT_OUT and not path.name.startswith("."):
                build_data["force_include"][str(path)] = f"{TARGET}/{name}"
