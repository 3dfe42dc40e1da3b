"""What the model should know of at a cursor, most needed first: definitions of other files, by static analysis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import islice

from fimble.context.sources.bindings import Binding, bound_of, last_bindings
from fimble.context.sources.expression import Step, read_chain
from fimble.context.sources.import_line import import_at_cursor
from fimble.context.sources.modules.target import Target
from fimble.context.sources.surroundings import Surroundings, names_by_nearness
from fimble.context.sources.symbols import Found, Symbols
from fimble.syntax.outline.model import WILDCARD, Kind

_NEAR_CHARS = 4_000
_MAX_NAMES = 60
_MAX_LOCALS = 12
_MAX_IMPORTS = 40
_MAX_GUESSED_TYPES = 30
# Where members of the type around the cursor, inherited ones too, are named without `this`.
_IMPLICIT_SELF = ("java", "csharp", "cpp")
# Where assigning to a member makes it one.
_DECLARED_BY_ASSIGNMENT = ("python", "javascript", "javascriptreact")
_DECLARING = ("__init__", "__new__", "__post_init__", "setUp", "constructor")
_NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$"
_SELF = frozenset({"self", "this", "cls", "Self"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# `x := pkg.Type{`, `Ok(Type {`, `return &Type{`: a type's name where a value stands.
_OBJECT_HEAD = re.compile(
    r"(?:[=(,:&\[{]|\breturn|^)\s*&?([A-Z][\w.:]*|[a-z]\w*(?:\.|::)[\w.:]*[A-Z]\w*)(?:<[^<>]*>)?$"
)
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NO_OBJECT = re.compile(
    r"->|\b(?:class|interface|impl|struct|trait|enum|namespace|match|switch|if|while|for|func|fn)\b"
)


class Show(StrEnum):
    """How much of a definition is wanted."""

    HEAD = "head"
    MEMBERS = "members"
    NAMES = "names"  # the head, and members by name alone


@dataclass(frozen=True, slots=True)
class Want:
    """One definition, how much of it, and how much it matters. `is_focus`: the cursor asks for this very thing."""

    found: Found
    show: Show
    weight: float
    reason: str
    is_focus: bool = False


def words_of(text: str) -> frozenset[str]:
    """The words that names are made of: `getHTTPServer` and `get_http_server` are get, http, server."""
    return frozenset(word.lower() for word in _WORD.findall(text) if len(word) > 1)


class Finder:
    """Looks from one cursor. Ask it for the focus at every key, for the scope once."""

    def __init__(self, around: Surroundings, symbols: Symbols) -> None:
        """Names are looked up in `symbols`."""
        self._around = around
        self._symbols = symbols
        self._own_members: dict[str, Found] | None = None

    @cached_property
    def _bindings(self) -> dict[str, Binding]:
        """What names were last bound to: read from all the text before the cursor, where a name is to be resolved."""
        return last_bindings(self._around.language.name, self._around.before)

    def focus(self) -> list[Want]:
        """What the cursor's own line asks for: the receiver's members, the callee, the object being written."""
        if self._around.is_prose:
            return []
        imported = list(self._of_import_line())
        return imported or [*self._of_receiver(), *self._of_brackets()]

    def names(self) -> list[str]:
        """Names that may follow the link at the cursor, or that may be imported there; none where nobody can tell."""
        around = self._around
        if around.is_prose or self._may_declare_a_member():
            return []
        modules = [want.found for want in self._of_import_line()]
        receivers = self._receivers() if around.has_link and not modules else []
        found = [item for module in modules for item in self._symbols.names_of(module.paths)]
        for receiver in receivers:
            is_module = receiver.definition is None
            found += self._symbols.names_of(receiver.paths) if is_module else self._symbols.members(receiver)
        names = [item.definition.name for item in found if item.definition is not None]
        if receivers and names:
            # What stands behind the same receiver elsewhere is there, whatever the analysis says.
            pattern = rf"(?<![\w$.:>]){re.escape(around.receiver)}\s*(?:\?\.|!\.|\.|->|::)\s*([A-Za-z_$][\w$]*)"
            for text in (around.before[: len(around.before) - len(around.receiver)], around.after):
                names += re.findall(pattern, text)
        return [name for name in dict.fromkeys(names) if _PLAIN_NAME.fullmatch(name)]

    def usable_names(self) -> list[str]:
        """The same; without a link, names of other files that the file sees and imports that it has not used yet."""
        names = self.names()
        if names or self._around.has_link or self._around.is_prose:
            return names
        targets = [target for targets, _ in self._implicit_modules() for target in targets]
        seen = [found for target in targets for found in self._symbols.names_of(target.paths)]
        names = [found.definition.name for found in seen if found.definition is not None and self._is_elsewhere(found)]
        names += [item.alias for item, _ in self._symbols.imported(self._around.path) if item.alias]
        return [name for name in dict.fromkeys(names) if _PLAIN_NAME.fullmatch(name)]

    def scope(self) -> list[Want]:
        """What the function and the file around the cursor speak of, whatever its line says."""
        return [
            *self._of_bases(),
            *self._of_locals(),
            *self._of_names(),
            *self._of_imports(),
            *self._of_implicit(),
        ]

    def _receivers(self) -> list[Found]:
        """What the cursor follows; where its type is not known, a type of the very same name: `subscriber.`."""
        found = self._evaluate(self._around.receiver)
        if found is not None:
            return [found]
        steps = read_chain(self._around.receiver)
        words = words_of(steps[-1].name) if steps and not steps[-1].is_called else frozenset[str]()
        alike = self._by_likeness(self._around.receiver) if words else []
        return [found for found in alike if found.definition and words_of(found.definition.name) == words]

    def _may_declare_a_member(self) -> bool:
        """Whether the line may be the first to assign to a member of the type that it stands in."""
        around = self._around
        if around.function is not None and around.function.name not in _DECLARING:
            return False
        head = around.before.rpartition("\n")[2].rstrip(_NAME_CHARS).strip()
        return around.language.name in _DECLARED_BY_ASSIGNMENT and head.rstrip(".") in _SELF

    def _of_import_line(self) -> Iterator[Want]:
        """Names of the module, where the cursor stands among the names that are imported from it."""
        around = self._around
        item = import_at_cursor(around.language.name, around.before, around.after)
        if item is not None:
            for target in self._symbols.targets(around.path, item):
                if target.name in ("", WILDCARD):
                    yield Want(Found(target.paths), Show.MEMBERS, 10.0, "imported from here", is_focus=True)

    def _of_receiver(self) -> Iterator[Want]:
        around = self._around
        if not around.has_link:
            if around.types and around.function is None:  # where members are written: one may override
                yield from self._inherited(5.0, is_focus=True)
            return
        found = self._evaluate(around.receiver)
        if found is not None:
            yield Want(found, Show.MEMBERS, 10.0, "receiver", is_focus=True)
            return
        alike = self._by_likeness(around.receiver)
        for rank, candidate in enumerate(alike):
            yield Want(candidate, Show.MEMBERS, 6.0 - rank, "receiver by name", is_focus=True)
        for found in self._unnamed_traits():
            yield Want(found, Show.MEMBERS, 3.0, "trait in scope", is_focus=True)
        # Nothing is known of the receiver: a value of some type that the file knows, most likely.
        for rank, candidate in enumerate(islice(self._visible_types(), _MAX_GUESSED_TYPES)):
            if candidate not in alike:
                yield Want(candidate, Show.NAMES, 1.4 - 0.01 * rank, "receiver unknown")

    def _of_brackets(self) -> Iterator[Want]:
        """The callee whose arguments are being written, and the object literal, innermost first."""
        around, symbols = self._around, self._symbols
        for depth, bracket in enumerate(around.brackets[:3]):
            weight = 8.0 - 2 * depth
            if bracket.opener == "(" and bracket.head:
                callee = self._chain(bracket.head)
                if callee is None or callee.definition is None:
                    continue
                if callee.definition.is_type:
                    yield Want(callee, Show.MEMBERS, weight - 1, "constructor", is_focus=True)
                    continue
                yield Want(callee, Show.HEAD, weight, "callee", is_focus=True)
                params = [param for param in callee.definition.params if param.name not in _SELF]
                for param in params[bracket.n_commas : bracket.n_commas + 1]:
                    found = symbols.type_of_text(param.type_text, callee.path, callee.owner)
                    if found is not None:
                        yield Want(found, Show.MEMBERS, weight - 1.5, "parameter's type", is_focus=True)
            elif bracket.opener == "{":
                if _NO_OBJECT.search(bracket.head):
                    continue
                match = _OBJECT_HEAD.search(bracket.head)
                found = self._evaluate(match[1]) if match else self._declared_type(bracket.head)
                if found is not None and found.definition is not None and found.definition.members:
                    yield Want(found, Show.MEMBERS, weight, "object being written", is_focus=True)

    def _of_bases(self) -> Iterator[Want]:
        yield from self._inherited(2.6 if self._around.receiver in _SELF else 2.0)

    def _of_locals(self) -> Iterator[Want]:
        """Types of parameters and of local names, nearest first."""
        around = self._around
        used = [name for name in names_by_nearness(around) if name in self._bindings]
        params = [param.name for param in around.function.params] if around.function else []
        for rank, name in enumerate(dict.fromkeys((*used, *params))):
            if rank >= _MAX_LOCALS:
                break
            found = self._evaluate(name)
            if found is not None and found.definition is not None and self._is_elsewhere(found):
                yield Want(found, Show.MEMBERS, 2.4 - 0.1 * rank, f"type of {name}")

    def _of_names(self) -> Iterator[Want]:
        """What names of the scope mean, where they are defined elsewhere."""
        symbols, path = self._symbols, self._around.path
        n_found = 0
        for name in names_by_nearness(self._around):
            if name in self._bindings:
                continue
            found = self._seen_unqualified(name) or symbols.lookup(name, path)
            if found is None or found.definition is None or not self._is_elsewhere(found):
                continue
            n_found += 1
            if n_found > _MAX_NAMES:
                break
            show = Show.MEMBERS if found.definition.is_type else Show.HEAD
            yield Want(found, show, 2.2 - 0.03 * n_found, f"{name} is used here")

    def _of_imports(self) -> Iterator[Want]:
        """What the file imports: names not used yet first, for they were imported to be used."""
        text = self._around.scope_text
        for rank, (item, targets) in enumerate(self._symbols.imported(self._around.path)):
            if rank >= _MAX_IMPORTS:
                break
            if not item.alias:
                continue
            found = self._symbols.lookup(
                item.alias.split(".")[0] if "." in item.alias else item.alias, self._around.path
            )
            if found is None:
                found = Found(targets[0].paths)
            near = 0.3 if re.search(rf"\b{re.escape(item.alias)}\b", text) else 0.0
            is_module = found.definition is None
            show = Show.MEMBERS if is_module or (found.definition and found.definition.is_type) else Show.HEAD
            yield Want(found, show, (1.0 if is_module else 1.3) + near - 0.005 * rank, "imported")

    def _of_implicit(self) -> Iterator[Want]:
        """Names that the file sees without naming them: its package, wildcard imports."""
        weight = 0.6 if self._around.has_link else 1.4
        for targets, reason in self._implicit_modules():
            for target in targets:
                if target.paths:
                    found = Found(target.paths)
                    # The names are worth much and cost little.
                    yield Want(found, Show.NAMES, weight + 0.9, reason)
                    yield Want(found, Show.MEMBERS, weight, reason)

    def _implicit_modules(self) -> list[tuple[list[Target], str]]:
        symbols, path = self._symbols, self._around.path
        wildcards = [(targets, "wildcard import") for item, targets in symbols.imported(path) if item.name == WILDCARD]
        return [*wildcards, (symbols.implicit(path), "same package")]

    def _inherited(self, weight: float, *, is_focus: bool = False) -> Iterator[Want]:
        own = self._own_type()
        if own is None or own.definition is None:
            return
        for rank, base in enumerate(self._symbols.lineage(own)[1:]):
            if self._is_elsewhere(base):
                reason = f"base of {own.definition.name}"
                yield Want(base, Show.MEMBERS, weight - 0.2 * rank, reason, is_focus)

    def _is_elsewhere(self, found: Found) -> bool:
        return found.path != self._around.path

    def _chain(self, text: str) -> Found | None:
        steps = read_chain(text)
        return self._reach(steps, 5) if steps else None

    def _evaluate(self, text: str) -> Found | None:
        """The type of an expression, or the module or type that it names."""
        steps = read_chain(text)
        found = self._reach(steps, 5) if steps else None
        if found is None:
            return None
        return self._symbols.value_type(found) or None

    def _reach(self, steps: tuple[Step, ...], depth: int) -> Found | None:
        around, symbols = self._around, self._symbols
        name = steps[0].name
        first: Found | None = None
        if name in _SELF and around.types:
            first = self._own_type()
        elif name in ("super", "base") and (own := self._own_type()) is not None:
            lineage = symbols.lineage(own)
            first = lineage[1] if len(lineage) > 1 else None
            if first is None:
                return None
        elif (receiver := self._go_receiver(name)) is not None:
            first = receiver
        elif depth > 0 and (binding := self._bindings.get(name)) is not None:
            first = self._bound(binding, name, depth - 1)
            if first is not None:
                steps = (Step(name), *steps[1:]) if steps[0].is_called else steps
        first = first or self._seen_unqualified(name)
        return symbols.evaluate(steps, around.path, first)

    def _bound(self, binding: Binding, name: str, depth: int) -> Found | None:
        around, symbols = self._around, self._symbols
        if binding.type_text:
            owner = around.types[-1] if around.types else None
            found = symbols.type_of_text(binding.type_text, around.path, owner)
            if found is None and (bound := bound_of(binding.type_text, around.before[-_NEAR_CHARS:])):
                found = symbols.type_of_text(bound, around.path, owner)
            return found
        steps = read_chain(binding.value_text)
        if not steps or steps[0].name == name:
            return None
        if binding.is_payload:
            return self._payload(steps)
        found = self._reach(steps, depth)
        return symbols.value_type(found) if found is not None else None

    def _payload(self, steps: tuple[Step, ...]) -> Found | None:
        """The type of the one value that a variant of an enum holds."""
        around, symbols = self._around, self._symbols
        is_own = steps[0].name in _SELF and around.types
        variant = symbols.evaluate(steps, around.path, self._own_type() if is_own else None)
        if variant is None or variant.definition is None or variant.owner is None:
            return None
        return symbols.type_of_text(variant.definition.type_text, variant.path, variant.owner)

    def _go_receiver(self, name: str) -> Found | None:
        """In `func (s *Store) Find()` s is a Store."""
        around = self._around
        if around.language.name != "go" or around.function is None or not around.types:
            return None
        match = re.match(r"func \((\w+)\s", around.function.signature)
        return self._own_type() if match and match[1] == name else None

    def _own_type(self) -> Found | None:
        """The type that the cursor is in."""
        around = self._around
        if not around.types:
            return None
        definition = around.types[-1]
        if not definition.signature:
            found = self._symbols.lookup(definition.name, around.path)
            return replace(found, is_value=True) if found is not None else None
        return Found((around.path,), definition, is_value=True)

    def _seen_unqualified(self, name: str) -> Found | None:
        """The member, or the nested type, that a bare name means inside a type, in languages that need no `this`."""
        around = self._around
        if around.language.name not in _IMPLICIT_SELF or not around.types:
            return None
        if self._own_members is None:
            self._own_members = {}
            outer_types = [Found((around.path,), outer) for outer in reversed(around.types[:-1])]
            for at in (self._own_type(), *outer_types):
                for member in self._symbols.members(at) if at is not None else ():
                    if member.definition is not None:
                        self._own_members.setdefault(member.definition.name, member)
        return self._own_members.get(name)

    def _declared_type(self, head: str) -> Found | None:
        """The type of `const options: Options = {`, or of what the object is returned as."""
        match = re.search(r":\s*([\w.<>\[\]| ]+?)\s*=\s*$", head)
        if match:
            return self._symbols.type_of_text(match[1], self._around.path)
        function = self._around.function
        if re.search(r"\breturn\s*$", head) and function is not None and function.type_text:
            return self._symbols.type_of_text(function.type_text, self._around.path)
        return None

    def _by_likeness(self, receiver: str) -> list[Found]:
        """Types of imported and neighbouring files whose name has the words of the receiver's last name."""
        steps = read_chain(receiver)
        words = words_of(steps[-1].name) if steps else frozenset[str]()
        if not words:
            return []
        scored: list[tuple[float, int, Found]] = []
        for rank, found in enumerate(self._visible_types()):
            name = found.definition.name if found.definition else ""
            type_words = words_of(name)
            n_shared = len(words & type_words)
            if n_shared:
                scored.append((-n_shared / len(words | type_words), rank, found))
        scored.sort(key=lambda item: item[:2])
        return [found for _, _, found in scored[:3]]

    def _unnamed_traits(self) -> Iterator[Found]:
        """In Rust: traits that are imported and not named again; they can only be there for their methods."""
        around, symbols = self._around, self._symbols
        if around.language.name != "rust":
            return
        for item, targets in symbols.imported(around.path):
            if not item.name or item.name == WILDCARD or item.is_export:
                continue
            names = re.findall(rf"\b(?:{re.escape(item.name)}|{re.escape(item.alias or item.name)})\b", around.before)
            if len(names) > 1:
                continue
            found = next((found for target in targets if (found := symbols.reach(target)) is not None), None)
            if found is not None and found.definition is not None and found.definition.kind is Kind.INTERFACE:
                yield found

    def _visible_types(self) -> Iterator[Found]:
        symbols, path = self._symbols, self._around.path
        seen: set[tuple[str, str]] = set()
        groups = [target.paths for _, targets in symbols.imported(path) for target in targets]
        groups += [target.paths for target in symbols.implicit(path)]
        for paths in groups:
            for found in symbols.names_of(paths):
                definition = found.definition
                if definition is None or definition.kind not in (Kind.CLASS, Kind.INTERFACE, Kind.ENUM):
                    continue
                if (found.path, definition.name) not in seen:
                    seen.add((found.path, definition.name))
                    yield found
