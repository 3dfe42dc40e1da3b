"""Writes the options of core/config into package.json: `python editors/vscode/generate_settings.py`.

`contributes.configuration` begins with the client's own section, kept as it is; every section after it is made here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from fimble.core import config

MANIFEST: Final = Path(__file__).with_name("package.json")

# Who may set a section's options. One model process serves all windows, so by default a workspace sets nothing;
# `machine-overridable` lets it choose once it is trusted.
_SCOPES: Final = {"model": "machine-overridable", "prompt": "window", "completion": "window"}
_JSON_TYPES: Final[dict[type, str]] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def rendered(manifest_text: str) -> str:
    """The manifest with its generated parts made anew."""
    manifest: dict[str, Any] = json.loads(manifest_text)
    contributes = manifest["contributes"]
    sections = config.sections()
    contributes["configuration"] = [contributes["configuration"][0], *map(_section, sections)]
    manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = [
        f"fimble.{option.key}"
        for section in sections
        if _scope(section) == "machine-overridable"
        for option in section.options
    ]
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def _section(section: config.Section) -> dict[str, Any]:
    return {
        "title": section.name.capitalize(),
        "properties": {f"fimble.{option.key}": _property(option, _scope(section)) for option in section.options},
    }


def _scope(section: config.Section) -> str:
    return _SCOPES.get(section.name, "machine")


def _property(option: config.Option, scope: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": _JSON_TYPES[option.type],
        "default": _plain(option.default),
        "scope": scope,
        "markdownDescription": option.doc,
    }
    if option.choices:
        described["enum"] = list(option.choices)
    if option.minimum is not None:
        described["minimum"] = _plain(option.minimum)
    return described


def _plain(value: config.Scalar) -> config.Scalar:
    return int(value) if isinstance(value, float) and value.is_integer() else value


if __name__ == "__main__":
    MANIFEST.write_text(rendered(MANIFEST.read_text(encoding="utf-8")), encoding="utf-8")
