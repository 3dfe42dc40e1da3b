"""Outlines as text: one line a definition, members indented."""

from __future__ import annotations

import textwrap

from fimble.syntax.languages import language_for, language_id_for_path
from fimble.syntax.outline.model import Definition, Outline
from fimble.syntax.outline.read import outline_of


def outline(path: str, text: str) -> Outline:
    language = language_for(language_id_for_path(path), path)
    assert language is not None
    return outline_of(language, textwrap.dedent(text))


def shown(result: Outline) -> str:
    lines: list[str] = []

    def show(definition: Definition, depth: int) -> None:
        parts = [f"{definition.kind} {definition.name}: {definition.signature}"]
        parts += [f"-> {definition.type_text}"] if definition.type_text else []
        parts += [f"bases {', '.join(definition.bases)}"] if definition.bases else []
        parts += [f'"{definition.doc}"'] if definition.doc else []
        parts += [] if definition.is_public else ["private"]
        lines.append("  " * depth + " | ".join(parts))
        for member in definition.members:
            show(member, depth + 1)

    lines += [f"package {result.package}"] if result.package else []
    for item in result.imports:
        lines.append(f"import {item.module or '-'} {item.name or '-'} {item.alias or '-'}{' out' * item.is_export}")
    for definition in result.definitions:
        show(definition, 0)
    for extension in result.extensions:
        lines.append(f"extends {extension.type_name}{''.join(f' with {base}' for base in extension.bases)}")
        for member in extension.members:
            show(member, 1)
    lines += [f"export {name} = {local}" for name, local in result.exports]
    return "\n".join(lines)
