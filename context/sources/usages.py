"""Context source: lines elsewhere that use what may follow at the cursor.

A small model copies a use sooner than it works one out from a definition (docs/LOG.md, 2026-11-29).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fimble.context.index.entries import WINDOW_LINES, words_of_code
from fimble.context.index.secrets import has_private_key, has_secret
from fimble.context.index.store import IndexStore, Place
from fimble.context.index.workspace import Workspace
from fimble.context.sources.lately import Lately
from fimble.context.sources.names import FindNames
from fimble.context.sources.similar import kin
from fimble.context.sources.surroundings import Surroundings, Surveyor
from fimble.core.flow import Chunk

_MAX_LINES, _MAX_LINES_OF_A_NAME = 8, 2
_MAX_LINE_CHARS = 160
_N_WINDOWS = 80
_N_NAMES, _N_NEAR_WORDS = 60, 10
_LINES_BEFORE, _LINES_AFTER = 14, 5
_USE_LINES_BEFORE, _USE_LINES_AFTER = 6, 2
_MAX_SCOPES = 32
_MIN_NAME_CHARS = 3
_NAME_CHARS = f"{string.ascii_letters}{string.digits}_$"
_NAME = re.compile(r"(?<![\w$])[A-Za-z_$][\w$]*")
_LINK = re.compile(r"(?:\.|->|::)\s*$")
_NO_USE = re.compile(
    r"^\s*(?:[#*]|//|/\*|(?:import|from|use|package|pub\s+use|export\s*\{)\b)"
    r"|\b(?:def|class|func|function|fn|interface|type|struct|enum|trait|record)\s+(?:\([^()]*\)\s*)?$"
)
# What a use in the same place weighs: the same word before the name, and each word that both lines have.
_SAME_HEAD_WEIGHT, _SHARED_WORD_WEIGHT = 3.0, 1.5
_NEARNESS_WEIGHT, _NEARNESS_OFFSET = 10.0, 8
_RANK_WEIGHT = 0.02


@dataclass(frozen=True, slots=True)
class _Question:
    """What is looked for: one of `names` behind a link or not, or any other in a like place.

    Of the latter those count that the file does not use yet: they are not in `known`, and begin with what is `typed`.
    `like_place` is None where any place is like this one.
    """

    names: frozenset[str]
    known: frozenset[str]
    typed: str
    before_name: str
    like_place: re.Pattern[str] | None
    is_behind_link: bool

    def is_answered_by(self, name: str, head: str) -> bool:
        """Whether `name` behind `head`, in a line elsewhere, is a use that was asked for."""
        if name not in self.names:
            is_new = name not in self.known and name.startswith(self.typed) and len(name) >= _MIN_NAME_CHARS
            if not is_new or self.like_place is None or not self.like_place.search(head):
                return False
        return bool(_LINK.search(head)) == self.is_behind_link and not _NO_USE.search(head)


@dataclass(frozen=True, slots=True)
class _Use:
    name: str
    path: str
    text: str
    score: float


class Usages:
    """Asks the index where names are used that may follow, and are not in the file yet."""

    name = "usages"

    def __init__(
        self,
        workspace: Workspace,
        open_store: Callable[[], IndexStore | None],
        surveyor: Surveyor,
        find_names: FindNames,
    ) -> None:
        """`open_store` gives the index, None while there is none; `find_names` says which names may follow."""
        self._workspace = workspace
        self._open_store = open_store
        self._surveyor = surveyor
        self._find_names = find_names
        self._kept: Lately[str, tuple[Chunk, ...]] = Lately(_MAX_SCOPES)

    def find(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        """Lines for a cursor in the file `path` between two texts, a chunk for each of their files, best first."""
        around = self._surveyor.survey(path, before, after)
        store = self._open_store()
        if around is None or store is None or around.is_prose:
            return ()
        question = self._question(around)
        if question is None:
            return self._kept.get(around.scope_key) or ()
        chunks = tuple(self._chunks(_best(self._uses(around, question, store))))
        self._kept.put(around.scope_key, chunks)
        return chunks

    def kept(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        """What was found last in the cursor's scope: other lines with every link would have the prompt read anew."""
        around = self._surveyor.survey(path, before, after)
        return (self._kept.get(around.scope_key) or ()) if around is not None else ()

    def _question(self, around: Surroundings) -> _Question | None:
        own = Counter(re.findall(r"\w+", around.before + around.after))
        imported = Counter(item.alias for item in around.outline.imports)
        names = self._find_names(around.path, around.before, around.after)
        typed = around.before[len(around.before.rstrip(_NAME_CHARS)) :]
        fresh = frozenset(name for name in names if own[name] <= imported[name] and name.startswith(typed))
        before_name = _last_sign(around.receiver if around.has_link else _head(around))
        if not fresh and not before_name:
            return None
        like_place = _like_place(before_name, is_behind_link=around.has_link) if before_name else None
        known = frozenset(own).difference(fresh)
        return _Question(fresh, known, typed, before_name, like_place, around.has_link)

    def _uses(self, around: Surroundings, question: _Question, store: IndexStore) -> Iterator[_Use]:
        near_lines = around.before.split("\n")[:-1][-_LINES_BEFORE:] + around.after.split("\n")[1:][:_LINES_AFTER]
        near = words_of_code("\n".join([*near_lines, around.receiver]))
        asked = store.rarest(sorted(question.names) or [question.before_name], _N_NAMES)
        asked += store.rarest(near, _N_NEAR_WORDS, not_in=around.path)
        places = store.similar(
            list(dict.fromkeys(asked)), language_names=kin(around.language), not_in=around.path, limit=_N_WINDOWS
        )
        near_words, head_words = frozenset(near), frozenset(words_of_code(_head(around)))
        seen: set[tuple[str, int]] = set()
        for rank, place in enumerate(places):
            text = self._workspace.text(place.path) or ""
            if has_private_key(text):  # the index knows no secrets, but the file may have changed since
                continue
            lines = text.split("\n")
            for at in _lines_of(place, len(lines)):
                if (place.path, at) in seen or len(lines[at]) > _MAX_LINE_CHARS:
                    continue
                seen.add((place.path, at))
                for match in _NAME.finditer(lines[at]):
                    name, head = match[0], lines[at][: match.start()]
                    if not question.is_answered_by(name, head) or has_secret(lines[at]):
                        continue
                    there = lines[max(0, at - _USE_LINES_BEFORE) : at + _USE_LINES_AFTER + 1]
                    words = frozenset(words_of_code("\n".join(there)))
                    score = _NEARNESS_WEIGHT * len(words & near_words) / (_NEARNESS_OFFSET + len(words))
                    score += _SHARED_WORD_WEIGHT * len(head_words.intersection(words_of_code(lines[at])))
                    score -= _RANK_WEIGHT * rank
                    if question.before_name and _last_sign(_LINK.sub("", head)) == question.before_name:
                        score += _SAME_HEAD_WEIGHT
                    yield _Use(name, place.path, lines[at].strip(), score)

    def _chunks(self, uses: Sequence[_Use]) -> Iterator[Chunk]:
        for path in dict.fromkeys(use.path for use in uses):
            of_path = [use for use in uses if use.path == path]
            yield Chunk(path, "".join(f"{use.text}\n" for use in of_path), self.name, of_path[0].score)


def _best(uses: Iterator[_Use]) -> list[_Use]:
    n_of_name: Counter[str] = Counter()
    chosen: dict[str, _Use] = {}
    for use in sorted(uses, key=lambda use: -use.score):
        if n_of_name[use.name] < _MAX_LINES_OF_A_NAME and use.text not in chosen:
            n_of_name[use.name] += 1
            chosen[use.text] = use
        if len(chosen) == _MAX_LINES:
            break
    return list(chosen.values())


def _head(around: Surroundings) -> str:
    """The end of the cursor's line up to the cursor, without a half-typed name."""
    return around.before.rpartition("\n")[2].rstrip(_NAME_CHARS)[-_MAX_LINE_CHARS:]


def _last_sign(text: str) -> str:
    """The last word, or else the last sign."""
    match = re.search(r"(\w+|\S)(?:\([^()]*\))?\s*$", text[-_MAX_LINE_CHARS:])
    return match[1] if match else ""


def _like_place(before_name: str, *, is_behind_link: bool) -> re.Pattern[str]:
    """Elsewhere a receiver of the same name may be the same thing, and what follows a like head may follow here."""
    is_word = bool(re.match(r"\w", before_name))
    edge = r"(?<![\w$])" if is_word else ""
    between = r"\s*(?:\?\.|!\.|\.|->|::)\s*" if is_behind_link else r"\s+" if is_word else r"\s*"
    return re.compile(rf"{edge}{re.escape(before_name)}{between}$")


def _lines_of(place: Place, n_lines: int) -> range:
    return range(place.first_line, min(n_lines, place.first_line + WINDOW_LINES))
