"""Definitions as short text: heads without bodies, members under their owner, the rest by name alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fimble.syntax.languages import BlockStyle, Language, language_for, language_id_for_path
from fimble.syntax.outline.model import Definition, Kind

# Words that a reader of the definition's name and types can do without.
_MODIFIERS = re.compile(
    r"^(?:(?:export|default|public|protected|internal|private|readonly|final|abstract|sealed|partial|virtual|override"
    r"|synchronized|native|declare|extern|inline|constexpr|explicit|pub(?:\([\w: ]+\))?|unsafe)\s+)+"
)
_ACCESSORS = re.compile(r"\s*\{\s*(?:(?:private |protected |internal )?(?:get|set|init);\s*)+\}$")
_LONG_DEFAULT = re.compile(r"\s*=\s*(?:\"[^\"]{12,}\"|'[^']{12,}'|\[[^\]]{12,}\]|\{[^}]{12,}\})")
_MAX_LINE_CHARS = 160


@dataclass(frozen=True, slots=True)
class Block:
    """What is shown of one owner, or of a file's top level: whole heads, then names for which there was no room."""

    owner: Definition | None
    shown: tuple[Definition, ...]
    named: tuple[str, ...] = ()
    documented: frozenset[str] = frozenset()


def head(definition: Definition) -> str:
    """The definition's signature on one line, without modifiers."""
    return _head(definition.signature)


@lru_cache(maxsize=20_000)
def _head(signature: str) -> str:
    text = _ACCESSORS.sub("", _MODIFIERS.sub("", signature))
    text = _LONG_DEFAULT.sub(" = ...", text)
    return text if len(text) <= _MAX_LINE_CHARS else f"{text[: _MAX_LINE_CHARS - 3].rstrip()}..."


def write_block(path: str, block: Block) -> str:
    """The block's text, each line ended."""
    language = language_for(language_id_for_path(path), path)
    comment = _comment(language)
    lines: list[str] = []
    if block.owner is None:
        for definition in block.shown:
            lines += _documented(definition, block, comment, "")
            lines.append(head(definition))
        if block.named:
            lines.append(f"{comment} also: {', '.join(block.named)}")
        return _ended(lines)
    inside, outside = _split(language, block.shown)
    indented = language is not None and language.block_style is BlockStyle.INDENT
    opener, closer = (":", "") if indented else (" {", "}")
    indent = "    " if indented else "  "
    lines += _documented(block.owner, block, comment, "")
    if not inside and not block.named and not outside:
        lines.append(head(block.owner))
        return _ended(lines)
    lines.append(head(block.owner) + opener)
    written: set[str] = set()
    for definition in inside:
        text = head(definition)
        if text in written:
            continue  # fields of one declaration share its text
        written.add(text)
        lines += _documented(definition, block, comment, indent)
        lines.append(indent + text)
    if block.named:
        lines.append(f"{indent}{comment} also: {', '.join(block.named)}")
    if closer:
        lines.append(closer)
    if outside:
        is_rust = path.endswith(".rs")
        lines += [f"impl {block.owner.name} {{"] if is_rust else []
        for definition in outside:
            lines += _documented(definition, block, comment, "  " if is_rust else "")
            lines.append(("  " if is_rust else "") + head(definition))
        lines += ["}"] if is_rust else []
    return _ended(lines)


def _split(
    language: Language | None, members: Sequence[Definition]
) -> tuple[Sequence[Definition], Sequence[Definition]]:
    """Members written inside the type's braces, and those that Go and Rust write elsewhere."""
    if language is None or language.name not in ("go", "rust"):
        return members, ()
    is_apart = [
        member.kind is Kind.METHOD and member.signature.startswith(("func (", "pub ", "fn ", "async ", "const "))
        for member in members
    ]
    return (
        [member for member, apart in zip(members, is_apart, strict=True) if not apart],
        [member for member, apart in zip(members, is_apart, strict=True) if apart],
    )


def _documented(definition: Definition, block: Block, comment: str, indent: str) -> list[str]:
    return [f"{indent}{comment} {definition.doc}"] if definition.doc and definition.name in block.documented else []


def _comment(language: Language | None) -> str:
    return language.line_comment if language is not None and language.line_comment else "#"


def _ended(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
