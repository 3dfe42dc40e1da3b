"""Build hook: editable installs see the top-level folders as `fimble.<folder>` through links in .dev/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FolderLinks(BuildHookInterface[Any]):
    """Makes `.dev/fimble/<folder>` links; hatchling's own prefix mapping refuses editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Link every wheel folder for the editable `version`; do nothing for real wheels."""
        del build_data
        if version != "editable":
            return
        root = Path(self.root)
        package = root / ".dev" / "fimble"
        package.mkdir(parents=True, exist_ok=True)
        folders: list[str] = self.build_config.target_config["only-include"]
        for stale in package.iterdir():
            if stale.is_symlink() and stale.name not in folders:
                stale.unlink()
        for folder in folders:
            link = package / folder
            if not link.is_symlink():
                link.symlink_to(Path("..") / ".." / folder, target_is_directory=True)
