"""What names mean: follows imports, re-exports, bases and types from file to file.

A guesser, not a compiler: it never runs code, and where types are not written it reads constructor calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fimble.context.index.workspace import Workspace
from fimble.context.sources.expression import Step, read_chain
from fimble.context.sources.modules.resolve import Modules
from fimble.context.sources.modules.target import Target
from fimble.syntax.outline.model import WILDCARD, Definition, Extension, Import, Kind, Outline

_MAX_DEPTH = 6
_MAX_BASES = 8
_MAX_TYPE_NAMES = 6
_TYPE_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*")
_SELF_TYPES = frozenset({"Self", "self", "cls", "this"})
# Where the body of a type sees the types that it, its bases and the types around it define, by their bare names
# (Java: JLS 8.5; C#: 7.7.1; C++: [basic.lookup.unqual]).
_NESTING = (".java", ".cs", ".cpp", ".cc", ".cxx", ".h", ".hpp", ".hh", ".hxx")
# Methods of wrappers and containers that give back what is in them, where the type inside has no such member itself.
_PASSING = frozenset(
    re.findall(
        r"\w+",
        "await clone cloned copied copy unwrap unwrap_or unwrap_or_default unwrap_or_else expect ok ok_or"
        " ok_or_else take replace as_ref as_mut as_deref as_deref_mut borrow borrow_mut lock read write to_owned"
        " into_iter iter iter_mut get get_mut first first_mut last last_mut next next_back peek pop rev skip"
        " filter find values shift at slice orElse orElseGet orElseThrow stream findFirst findAny iterator"
        " listIterator getFirst getLast toList First FirstOrDefault Last LastOrDefault Single SingleOrDefault"
        " Where ToList ToArray",
    )
)
# Wrappers whose methods are hardly ever what is meant by a value of them; they are never definitions of a workspace
# worth showing, but their names may be defined in one.
_WRAPPERS = frozenset(
    re.findall(
        r"\w+",
        "Option Result Vec Box Arc Rc RefCell Mutex RwLock Promise Optional List Set Map Dict Iterable Iterator Task"
        " Sequence Awaitable Array Record Partial Readonly readonly const mut dyn impl ref str string int bool number"
        " boolean void None null undefined any unknown error",
    )
)

# Modules that one question has been to, with the name asked for, whether members count, and the depth that was left:
# headers include each other, and with less depth left nothing more can be found there.
_Tried = dict[tuple[tuple[str, ...], str, bool], int]


@dataclass(frozen=True, slots=True)
class Found:
    """A definition and the file that it stands in; a module where there is no definition.

    `owner` is the type that a member was found in. `is_value` tells a value of a type from the type itself.
    """

    paths: tuple[str, ...]
    definition: Definition | None = None
    owner: Definition | None = None
    is_value: bool = False

    @property
    def path(self) -> str:
        """The file; a module's first one."""
        return self.paths[0]


class Symbols:
    """Answers for one table of files; make a new one for a new table."""

    def __init__(self, workspace: Workspace) -> None:
        """Over the workspace's present files."""
        self._workspace = workspace
        self._modules = Modules(workspace)
        self.files = self._modules.files
        self._outlines: dict[str, Outline] = {}
        self._lookups: dict[tuple[str, str], Found | None] = {}
        self._lineages: dict[tuple[str, str, int], list[Found]] = {}
        self._scopes: dict[str, dict[tuple[str, int], tuple[Definition, ...]]] = {}

    def begin(self, path: str, outline: Outline) -> None:
        """A new request: files are looked at afresh, but for one as it stands in the editor."""
        self._outlines = {path: outline}
        self._lookups = {}
        self._lineages = {}
        self._scopes = {}

    def outline(self, path: str) -> Outline:
        """The file's outline; empty for a file that cannot be read."""
        outline = self._outlines.get(path)
        if outline is None:
            outline = self._outlines[path] = self._workspace.outline(path) or Outline()
        return outline

    def imported(self, path: str) -> Iterator[tuple[Import, list[Target]]]:
        """Every import of a file with what it leads to in the workspace."""
        for item in self.outline(path).imports:
            if targets := self._modules.targets(path, item):
                yield item, targets

    def targets(self, path: str, item: Import) -> list[Target]:
        """What one import leads to."""
        return self._modules.targets(path, item)

    def reach(self, target: Target) -> Found | None:
        """The definition, or the module, that an import leads to."""
        return self._reach(target, _MAX_DEPTH, {})

    def implicit(self, path: str) -> list[Target]:
        """Modules whose names the file sees without an import."""
        return self._modules.implicit(path, self.outline(path))

    def lookup(self, name: str, path: str) -> Found | None:
        """What a bare name means in a file: its own definitions, imports, then what it sees unasked."""
        if (name, path) not in self._lookups:
            self._lookups[name, path] = self._lookup(name, path, _MAX_DEPTH)
        return self._lookups[name, path]

    def names_of(self, paths: tuple[str, ...]) -> list[Found]:
        """Public definitions of a module, those that it passes on from others last."""
        found: dict[str, Found] = {}
        self._collect_names(paths, found, _MAX_DEPTH - 3)
        return list(found.values())

    def members(self, found: Found) -> list[Found]:
        """Members of a type, its own first, then those of its bases."""
        names: dict[str, Found] = {}
        for at in self.lineage(found):
            if at.definition is None:
                continue
            for path, member in self._own_members(at):
                names.setdefault(member.name, Found((path,), member, at.definition, is_value=True))
        return list(names.values())

    def lineage(self, found: Found) -> list[Found]:
        """A type and its bases, nearest first."""
        definition = found.definition
        if definition is None:
            return []
        key = (found.path, definition.name, definition.first_line)
        known = self._lineages.get(key)
        if known is None:
            # Finding a base may ask for the lineage of the type itself: `class A(A.B)`. It is told of the type alone.
            self._lineages[key] = [found]
            known = self._lineages[key] = self._find_lineage(found)
        return [found, *known[1:]]

    def _find_lineage(self, found: Found) -> list[Found]:
        chain = [found]
        seen = {(found.path, found.definition.name if found.definition else "")}
        for at in chain:
            bases = [*at.definition.bases] if at.definition else []
            bases += [base for _, extension in self._extensions(at) for base in extension.bases]
            for base in bases:
                around = self._around(at.path, at.definition)[1:] if at.definition is not None else ()
                base_found = self.type_of_text(base, at.path, around[0] if around else None)
                if base_found is None or base_found.definition is None or len(chain) > _MAX_BASES:
                    continue
                key = (base_found.path, base_found.definition.name)
                if key not in seen:
                    seen.add(key)
                    chain.append(base_found)
        return chain

    def type_of_text(
        self, text: str, path: str, owner: Definition | None = None, depth: int = _MAX_DEPTH
    ) -> Found | None:
        """The first type of the workspace that a type as written names: `list[Foo] | None` is Foo."""
        if depth <= 0:
            return None
        for match in list(_TYPE_NAME.finditer(text))[:_MAX_TYPE_NAMES]:
            names = re.split(r"\.|::", match[0])
            if owner is not None and names[-1] in _SELF_TYPES:
                return Found((path,), owner, is_value=True)
            if names[-1] in _WRAPPERS:
                continue
            nested = self.nested_type(names[0], path, owner) if owner is not None else None
            found = self._walk([Step(name) for name in names], path, nested, depth - 1)
            if found is None or found.definition is None:
                continue
            if found.definition.kind is Kind.TYPE and not found.definition.members and found.definition.type_text:
                return self.type_of_text(found.definition.type_text, found.path, None, depth - 1) or found
            if found.definition.is_type:
                return replace(found, is_value=True)
        return None

    def nested_type(self, name: str, path: str, owner: Definition) -> Found | None:
        """The type that the body of `owner`, in the file `path`, sees by this name without an import."""
        if not path.endswith(_NESTING):
            return None
        for outer in self._around(path, owner):
            for at in self.lineage(Found((path,), outer)):
                for member in at.definition.members if at.definition is not None else ():
                    if member.name == name and member.is_type:
                        return Found((at.path,), member, at.definition)
        return None

    def evaluate(self, steps: tuple[Step, ...], path: str, first: Found | None) -> Found | None:
        """What a chain leads to, its last step included. `first` is what its first name means, where that is known."""
        return self._walk(list(steps), path, first, _MAX_DEPTH)

    def value_type(self, found: Found, *, is_called: bool = False) -> Found | None:
        """The type of what was found, or of what it returns when it is called; a module stays as it is."""
        return self._value_type(found, _MAX_DEPTH, is_called=is_called)

    def _walk(self, steps: list[Step], path: str, first: Found | None, depth: int) -> Found | None:
        if not steps or depth <= 0:
            return None
        n_taken = 1
        found = first or self._lookup(steps[0].name, path, depth)
        if found is None and path.endswith(".rs"):
            found, n_taken = self._rust_module(steps, path)
        for at, step in enumerate(steps):
            if at < n_taken - 1:
                continue
            if at >= n_taken and found is not None:
                member = self._member(found, step.name, depth)
                if member is None and found.is_value and step.name in _PASSING:
                    continue
                found = member
            if found is None:
                return None
            is_last = at == len(steps) - 1
            if step.is_called or not is_last:
                found = self._value_type(found, depth - 1, is_called=step.is_called) or (
                    None if step.is_called else found
                )
        return found

    def _rust_module(self, steps: list[Step], path: str) -> tuple[Found | None, int]:
        """The module that a path begins with, as in `crate::a::b::Name`, and how many steps name it."""
        names = [step.name for step in steps if not step.is_called]
        for n_names in range(len(names), 0, -1):
            for target in self._modules.targets(path, Import("::".join(names[:n_names]))):
                if not target.name:
                    return Found(target.paths), n_names
        return None, 1

    def _member(self, found: Found, name: str, depth: int) -> Found | None:
        definition = found.definition
        if definition is None:
            return self._find(found.paths, name, depth, {})
        for at in self.lineage(found):
            if at.definition is not None:
                for path, member in self._own_members(at):
                    if member.name == name:
                        return Found((path,), member, at.definition)
        return None

    def _value_type(self, found: Found, depth: int, *, is_called: bool) -> Found | None:
        definition = found.definition
        if definition is None or depth <= 0:
            return found
        if definition.is_type or definition.kind is Kind.MODULE:
            return replace(found, is_value=found.is_value or is_called)
        if definition.members:  # an object: its members are what matters
            return found
        if not is_called and definition.kind in (Kind.FUNCTION, Kind.METHOD):
            return None
        if found.owner is not None and definition.name == found.owner.name:  # a constructor
            return Found(found.paths, found.owner, is_value=True)
        if definition.kind is Kind.CONSTANT and found.owner is not None and found.owner.kind is Kind.ENUM:
            return Found(found.paths, found.owner, is_value=True)
        if definition.type_text:
            by_type = self.type_of_text(definition.type_text, found.path, found.owner, depth - 1)
            if by_type is not None:
                return by_type
        steps = read_chain(definition.value_text)
        if not steps:
            return None
        first = None
        if found.owner is not None and steps[0].name in _SELF_TYPES:
            first = Found(found.paths, found.owner, is_value=True)
        reached = self._walk(list(steps), found.path, first, depth - 1)
        return self._value_type(reached, depth - 2, is_called=False) if reached is not None else None

    def _lookup(self, name: str, path: str, depth: int) -> Found | None:
        if depth <= 0:
            return None
        outline = self.outline(path)
        if (own := _named(outline, name)) is not None:
            return Found((path,), own)
        wildcards: list[Target] = []
        tried: _Tried = {}
        for item in outline.imports:
            if item.alias == name:
                for target in self._modules.targets(path, item):
                    if (found := self._reach(target, depth - 1, tried)) is not None:
                        return found
            elif item.name == WILDCARD:
                wildcards += self._modules.targets(path, item)
        for target in wildcards:
            # Of all names of one type (`import static`) its members too, of all types of a package these alone.
            found = self._find(target.paths, name, depth - 1, tried, members=len(target.paths) == 1)
            if found is not None:
                return found
        for target in self._modules.implicit(path, outline):
            if (found := self._find(target.paths, name, depth - 1, tried, members=False)) is not None:
                return found
        return None

    def _reach(self, target: Target, depth: int, tried: _Tried) -> Found | None:
        if target.name in ("", WILDCARD):
            return Found(target.paths)
        found = self._find(target.paths, target.name, depth, tried)
        # Without a default export, importing it gives the module (CommonJS).
        return Found(target.paths) if found is None and target.name == "default" else found

    def _find(
        self, paths: tuple[str, ...], name: str, depth: int, tried: _Tried, *, members: bool = True
    ) -> Found | None:
        """A name of a module, through its exports and re-exports; a member of its types for Java's static imports."""
        question = (paths, name, members)
        if depth <= tried.get(question, 0):
            return None
        tried[question] = depth
        for path in paths:
            outline = self.outline(path)
            local = dict(outline.exports).get(name, name)
            if (own := _named(outline, local)) is not None:
                return Found((path,), own)
        for path in paths:
            outline = self.outline(path)
            local = dict(outline.exports).get(name, name)
            for item in outline.imports:
                if item.is_export and item.alias == local:
                    for target in self._modules.targets(path, item):
                        if (found := self._reach(target, depth - 1, tried)) is not None:
                            return found
            for item in outline.imports:
                if item.is_export and item.name == WILDCARD:
                    for target in self._modules.targets(path, item):
                        if (found := self._find(target.paths, name, depth - 1, tried)) is not None:
                            return found
            for definition in outline.definitions:
                if members and definition.is_type and path.endswith((".java", ".cs")):
                    for member in definition.members:
                        if member.name == name:
                            return Found((path,), member, definition)
        return None

    def _collect_names(self, paths: tuple[str, ...], into: dict[str, Found], depth: int) -> None:
        for path in paths:
            for definition in self.outline(path).definitions:
                if definition.is_public:
                    into.setdefault(definition.name, Found((path,), definition))
        if depth <= 0:
            return
        for path in paths:
            for item in self.outline(path).imports:
                if not item.is_export or (path.endswith(".py") and not path.endswith("__init__.py")):
                    continue
                for target in self._modules.targets(path, item):
                    if item.name == WILDCARD:
                        self._collect_names(target.paths, into, depth - 1)
                    elif (found := self._reach(target, depth, {})) is not None and found.definition is not None:
                        into.setdefault(item.alias, found)

    def _around(self, path: str, definition: Definition) -> tuple[Definition, ...]:
        """A type and those that it is nested in, innermost first."""
        scopes = self._scopes.get(path)
        if scopes is None:
            scopes = self._scopes[path] = dict(_scopes(self.outline(path).definitions, ()))
        return scopes.get((definition.name, definition.first_line), (definition,))

    def _own_members(self, found: Found) -> Iterator[tuple[str, Definition]]:
        """Members without those of bases, each with the file that it stands in."""
        if found.definition is None:
            return
        for member in found.definition.members:
            yield found.path, member
        for path, extension in self._extensions(found):
            for member in extension.members:
                yield path, member

    def _extensions(self, found: Found) -> Iterator[tuple[str, Extension]]:
        """What other places add to a type: the package's files in Go, else its own file."""
        if found.definition is None:
            return
        paths = found.paths[:1]
        if found.path.endswith(".go"):
            implicit = self._modules.implicit(found.path, self.outline(found.path))
            paths = (found.path, *(path for target in implicit for path in target.paths))
        for path in paths:
            for extension in self.outline(path).extensions:
                if extension.type_name == found.definition.name:
                    yield path, extension


def _scopes(
    definitions: tuple[Definition, ...], around: tuple[Definition, ...]
) -> Iterator[tuple[tuple[str, int], tuple[Definition, ...]]]:
    for definition in definitions:
        if definition.is_type:
            yield (definition.name, definition.first_line), (definition, *around)
            yield from _scopes(definition.members, (definition, *around))


def _named(outline: Outline, name: str) -> Definition | None:
    best: Definition | None = None
    for definition in outline.definitions:
        if definition.name == name and (best is None or (definition.members and not best.members)):
            best = definition
    return best
