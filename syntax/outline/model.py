"""The plain data that outlines are made of. Knows no parser, no file system and no prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

WILDCARD = "*"


class Kind(StrEnum):
    """What a definition is. Languages' own words are mapped onto these few: a trait is an interface."""

    CLASS = "class"
    INTERFACE = "interface"
    ENUM = "enum"
    FUNCTION = "function"
    METHOD = "method"
    FIELD = "field"
    CONSTANT = "constant"
    TYPE = "type"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: its name and its type as written, empty where none is."""

    name: str
    type_text: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """One named thing of a file.

    `signature` is its head on one line, without body; `doc` the first line of its documentation. Lines count from 0 and
    include decorators. `type_text` is the declared type of a field or constant, or what a function returns, as written;
    `value_text` an expression from which the type can be guessed where none is declared.
    """

    name: str
    kind: Kind
    signature: str
    first_line: int
    last_line: int
    doc: str = ""
    type_text: str = ""
    value_text: str = ""
    bases: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    members: tuple[Definition, ...] = ()
    is_public: bool = True

    @property
    def is_type(self) -> bool:
        """Whether values can be of this."""
        return self.kind in (Kind.CLASS, Kind.INTERFACE, Kind.ENUM, Kind.TYPE)


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a file takes from elsewhere.

    `module` is as written. `name` is what is taken of it: empty for the module itself, `WILDCARD` for all of it.
    `alias` is what it is called here, empty where nothing is bound. `is_export` says that it is passed on to importers.
    """

    module: str
    name: str = ""
    alias: str = ""
    is_export: bool = False


@dataclass(frozen=True, slots=True)
class Extension:
    """Members that a file adds to a type which may be defined elsewhere: a Go method, a Rust impl, a C++ body."""

    type_name: str
    members: tuple[Definition, ...]
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """What one file defines and imports.

    `package` is the package or namespace that it says it belongs to. `exports` maps names that importers see to the
    names here, where these differ; only JavaScript and its kin do that.
    """

    package: str = ""
    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    extensions: tuple[Extension, ...] = ()
    exports: tuple[tuple[str, str], ...] = ()

    def walk(self) -> Iterator[Definition]:
        """Every definition, members after their owner; those of extensions last."""
        stack = [*reversed(self.definitions)]
        while stack:
            definition = stack.pop()
            yield definition
            stack.extend(reversed(definition.members))
        for extension in self.extensions:
            yield from extension.members
