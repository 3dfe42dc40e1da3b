"""Wants -> chunks within a budget: heads for what matters most, names alone for the rest of a large type or module."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from fimble.context.index.secrets import without_secrets
from fimble.context.sources.skeleton import Block, head, write_block
from fimble.context.sources.symbols import Found, Symbols
from fimble.context.sources.wants import Show, Want, words_of
from fimble.core.flow import Chunk
from fimble.syntax.outline.model import Definition, Kind

# Measured 2026-11-21 with Qwen2.5's vocabulary over 500 selections of 27 packages: 3.2 to 3.5 characters a token in the
# worst twentieth of each language, 2.9 in Rust. Prompt assembly counts real tokens; here only waste is at stake.
CHARS_PER_TOKEN = 3.3
_CHARS_PER_TOKEN_RUST = 2.9
_PATH_TOKENS = 4  # markers and line ends of a file's head, beside its path
_DOC_WEIGHT = 4.0
_FOCUS_SHARE = 0.7
_OTHER_SHARE = 0.3
_ONLY_NAMES_SHARE = 0.15
# Of what one want may have, for names alone, where they take so much. Where there are many, the few heads that fit are
# hardly those that are needed.
_MAX_NAMES_SHARE = 0.75
_MIN_LEFT_CHARS = 40


@dataclass(slots=True)
class _Group:
    owner: Definition | None
    weight: float
    shown: dict[str, Definition] = field(default_factory=dict)
    heads: set[str] = field(default_factory=set)
    named: list[str] = field(default_factory=list)
    documented: set[str] = field(default_factory=set)


class Packer:
    """Takes wants, best first, as long as there is room.

    `near_text` is code near the cursor: of a large type, members that share words with it come first. Nothing of
    `own_path` is shown. Lines that look like secrets are left out.
    """

    def __init__(self, symbols: Symbols, n_tokens: int, near_text: str, own_path: str) -> None:
        """Room for about `n_tokens` tokens."""
        self._symbols = symbols
        self._near_words = words_of(near_text)
        self._own_path = own_path
        self._n_chars = int(n_tokens * (_CHARS_PER_TOKEN_RUST if own_path.endswith(".rs") else CHARS_PER_TOKEN))
        self._left = self._n_chars
        self._groups: dict[str, dict[str, _Group]] = {}

    def covers(self, want: Want, symbols: Symbols) -> bool:
        """Whether all of a want is there already, if only by name."""
        found = want.found
        if want.show is Show.HEAD or (found.definition is not None and not found.definition.members):
            return self._has(found)
        candidates = symbols.names_of(found.paths) if found.definition is None else symbols.members(found)
        return all(self._has(item) or item.path == self._own_path for item in candidates)

    def add(self, want: Want) -> None:
        """Take what fits of a want."""
        if self._left < _MIN_LEFT_CHARS:
            return
        share = _FOCUS_SHARE if want.is_focus else _ONLY_NAMES_SHARE if want.show is Show.NAMES else _OTHER_SHARE
        room = min(self._left, int(self._n_chars * share))
        if want.show is Show.HEAD or want.found.definition is not None:
            room -= self._add_head(want, room)
        if want.show is not Show.HEAD:
            self._add_members(want, room)

    def chunks(self, source: str) -> tuple[Chunk, ...]:
        """What was taken, as text: one chunk a file, best first."""
        made: list[Chunk] = []
        for path, groups in self._groups.items():
            ordered = sorted(groups.values(), key=lambda group: -group.weight)
            text = "".join(
                write_block(
                    path,
                    Block(
                        group.owner,
                        tuple(sorted(group.shown.values(), key=lambda definition: definition.first_line)),
                        tuple(group.named),
                        frozenset(group.documented),
                    ),
                )
                for group in ordered
            )
            text = without_secrets(text)
            if text.strip():
                made.append(Chunk(path, text, source, max(group.weight for group in ordered)))
        return tuple(sorted(made, key=lambda chunk: -chunk.score))

    def _has(self, found: Found) -> bool:
        definition = found.definition
        if definition is None or found.path == self._own_path:
            return True
        groups = self._groups.get(found.path, {})
        if found.owner is None and definition.name in groups:
            return True
        group = groups.get(found.owner.name if found.owner else "")
        return group is not None and (definition.name in group.shown or definition.name in group.named)

    def _add_head(self, want: Want, room: int) -> int:
        definition, owner = want.found.definition, want.found.owner
        if definition is None or want.found.path == self._own_path:
            return 0
        with_doc = want.weight >= _DOC_WEIGHT
        if owner is None and (definition.members or definition.is_type):
            return self._open(want.found.path, definition, want.weight, room, with_doc=with_doc)[1]
        group, cost = self._open(want.found.path, owner, want.weight, room, with_doc=False)
        if group is None:
            return cost
        return cost + self._show(group, definition, room - cost, with_doc=with_doc)

    def _add_members(self, want: Want, room: int) -> None:
        found = want.found
        if found.definition is None:
            candidates = [item for item in self._symbols.names_of(found.paths) if item.path != self._own_path]
        else:
            candidates = self._symbols.members(found)
        names: list[tuple[Found, Definition]] = []
        most = n_name_chars = 0
        ranked = self._ranked(candidates, found)
        # When all fit there is no list of names, and nothing is reserved for it.
        if sum(len(head(definition)) + 6 for _, definition in ranked) > room:
            n_name_chars = sum(len(definition.name) + 2 for _, definition in ranked)
            most = int(room * _MAX_NAMES_SHARE)
        for item, definition in ranked:
            if item.path == self._own_path:
                continue
            if want.show is Show.NAMES:
                names.append((item, definition))
                continue
            reserve = max(0, min(n_name_chars, most))
            owner = item.owner
            if owner is None and definition.is_type and found.definition is None:
                # Of a module's types the heads.
                _, cost = self._open(item.path, definition, want.weight, room - reserve, with_doc=False)
                if cost == 0 and not self._has_group(item.path, definition):
                    names.append((item, definition))
                else:
                    n_name_chars -= len(definition.name) + 2
                room -= cost
                continue
            group, cost = self._open(item.path, owner, want.weight, room - reserve, with_doc=False)
            if group is not None:
                room -= cost
                cost = self._show(group, definition, room - reserve, with_doc=False)
                room -= cost
                if cost == 0 and definition.name not in group.shown:
                    names.append((item, definition))
                else:
                    n_name_chars -= len(definition.name) + 2
            else:
                names.append((item, definition))
        for item, definition in names:
            group = self._groups.get(item.path, {}).get(item.owner.name if item.owner else "")
            cost = len(definition.name) + 2
            if group is None:
                group, opened = self._open(item.path, item.owner, want.weight, room, with_doc=False)
                room -= opened
                if group is None:
                    continue
            if cost > room or cost > self._left:
                break
            if definition.name not in group.named and definition.name not in group.shown:
                group.named.append(definition.name)
                room -= cost
                self._left -= cost

    def _ranked(self, candidates: Sequence[Found], found: Found) -> list[tuple[Found, Definition]]:
        scored: list[tuple[float, int, Found, Definition]] = []
        own_name = found.definition.name if found.definition else ""
        for order, item in enumerate(candidates):
            definition = item.definition
            if definition is None or not re.match(r"[\w$#~]+$", definition.name):
                continue
            words = words_of(definition.name)
            score = 2.0 * len(words & self._near_words) / max(1, len(words))
            score += 1.0 if definition.is_public else 0.0
            score -= 1.0 if definition.name.startswith("__") and definition.name != "__init__" else 0.0
            score += 0.3 if item.owner is None or item.owner.name == own_name else 0.0
            score += 0.2 if definition.kind is not Kind.CONSTANT else 0.0
            scored.append((-score, order, item, definition))
        scored.sort(key=lambda entry: entry[:2])
        return [(item, definition) for _, _, item, definition in scored]

    def _open(
        self, path: str, owner: Definition | None, weight: float, room: int, *, with_doc: bool
    ) -> tuple[_Group | None, int]:
        """The group for an owner's members, and what opening it took; no group where there was no room."""
        groups = self._groups.get(path)
        key = owner.name if owner else ""
        if groups is not None and key in groups:
            return groups[key], 0
        cost = 0 if groups is not None else int(min(len(path), 60) + _PATH_TOKENS * CHARS_PER_TOKEN)
        if owner is not None:
            cost += len(head(owner)) + 6 + (len(owner.doc) + 3 if with_doc else 0)
        if cost > room or cost > self._left:
            return None, 0
        group = _Group(owner, weight)
        if owner is not None and with_doc:
            group.documented.add(owner.name)
        self._groups.setdefault(path, {})[key] = group
        self._left -= cost
        return group, cost

    def _has_group(self, path: str, owner: Definition) -> bool:
        return owner.name in self._groups.get(path, {})

    def _show(self, group: _Group, definition: Definition, room: int, *, with_doc: bool) -> int:
        if definition.name in group.shown:
            return 0
        text = head(definition)
        cost = len(text) + (5 if group.owner else 1)
        if text in group.heads:
            cost = 0  # fields of one declaration are written once
        doc_cost = len(definition.doc) + 8 if with_doc and definition.doc else 0
        if cost > room or cost > self._left:
            return 0
        if doc_cost and cost + doc_cost <= min(room, self._left):
            group.documented.add(definition.name)
            cost += doc_cost
        group.shown[definition.name] = definition
        group.heads.add(text)
        if definition.name in group.named:
            group.named.remove(definition.name)
            cost -= len(definition.name) + 2
        self._left -= cost
        return cost
