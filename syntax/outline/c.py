"""C and C++ outlines: declarations of headers and sources, includes, member bodies as extensions of their class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from fimble.syntax.outline.model import WILDCARD, Definition, Extension, Import, Kind, Outline, Param
from fimble.syntax.outline.source import BRANCHES, MAX_VALUE_CHARS, Source, children, find, in_branches

_TYPES = {
    "class_specifier": Kind.CLASS,
    "struct_specifier": Kind.CLASS,
    "union_specifier": Kind.CLASS,
    "enum_specifier": Kind.ENUM,
}
_CONTAINERS = (*BRANCHES, "linkage_specification", "declaration_list")
_NAMES = ("identifier", "field_identifier", "type_identifier", "destructor_name", "operator_name", "operator_cast")
_ACCESS = re.compile(r"public|protected|private")


def read(root: Node, source: Source) -> Outline:
    """The outline of one file."""
    reader = _Reader(source)
    reader.take(root)
    extensions = tuple(Extension(name, tuple(members)) for name, members in reader.bodies.items())
    return Outline(reader.package, tuple(reader.definitions.values()), tuple(reader.imports), extensions)


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.package = ""
        self.imports: list[Import] = []
        self.definitions: dict[str, Definition] = {}
        self.bodies: dict[str, list[Definition]] = {}

    def take(self, container: Node | None) -> None:
        """Read every declaration of a file, a namespace or a preprocessor branch."""
        source = self._source
        for node in children(container):
            inner = _declared(node)
            if node.type in _CONTAINERS:
                self.take(node)
            elif node.type == "namespace_definition":
                # Names are looked up without their namespace; the first one says where the file belongs.
                self.package = self.package or source.text(node.child_by_field_name("name"))
                self.take(node.child_by_field_name("body"))
            elif node.type == "preproc_include":
                path = node.child_by_field_name("path")
                text = source.text(path)
                # Angle brackets stay: they say that the search begins in the include folders.
                self.imports.append(Import(text.strip('"'), WILDCARD, is_export=True))
            elif inner is not None:
                for definition in self._declaration(inner, node):
                    known = self.definitions.get(definition.name)
                    # A forward declaration gives way to the type's body; of functions the first stays.
                    if known is None or (definition.members and not known.members):
                        self.definitions[definition.name] = definition

    def _declaration(self, node: Node, whole: Node) -> Iterator[Definition]:
        source = self._source
        doc = source.doc_above(whole)
        if node.type in ("preproc_def", "preproc_function_def"):
            name = source.text(node.child_by_field_name("name"))
            if node.child_by_field_name("value") is None:
                return  # an include guard, or a flag that says nothing
            kind = Kind.FUNCTION if node.type == "preproc_function_def" else Kind.CONSTANT
            end = node.child_by_field_name("value") if kind is Kind.FUNCTION else None
            yield Definition(name, kind, source.head(node, end, 100), *_lines(node), doc=doc)
        elif node.type in _TYPES:
            yield from self._type_definition(node, whole, "")
        elif node.type == "alias_declaration":
            name = source.text(node.child_by_field_name("name"))
            type_text = source.text(node.child_by_field_name("type"))
            yield Definition(
                name, Kind.TYPE, source.text(node).rstrip(";"), *_lines(whole), doc=doc, type_text=type_text
            )
        elif node.type == "type_definition":
            yield from self._typedef(node, whole)
        elif node.type in ("declaration", "function_definition", "field_declaration"):
            type_node = node.child_by_field_name("type")
            if type_node is not None and type_node.type in _TYPES:
                yield from self._type_definition(type_node, whole, "")
            for definition in self._declarators(node, whole, Kind.CONSTANT, Kind.FUNCTION):
                owner = _owner(definition.name)
                if owner:
                    name = definition.name.rpartition("::")[2]
                    self.bodies.setdefault(owner, []).append(replace(definition, name=name, kind=Kind.METHOD))
                else:
                    yield definition

    def _typedef(self, node: Node, whole: Node) -> Iterator[Definition]:
        source = self._source
        type_node = node.child_by_field_name("type")
        body = type_node.child_by_field_name("body") if type_node is not None and type_node.type in _TYPES else None
        type_text = source.head(type_node, body) if type_node is not None else ""
        for i, declarator in enumerate(node.children_by_field_name("declarator")):
            name = _name(declarator, source)
            if type_node is not None and body is not None and i == 0:
                yield from self._type_definition(type_node, whole, name)
            elif name:
                signature = source.text(node).rstrip(";")
                yield Definition(
                    name,
                    Kind.TYPE,
                    signature if body is None else f"typedef {type_text} {source.text(declarator)}",
                    *_lines(whole),
                    doc=source.doc_above(whole),
                    type_text=type_text,
                )

    def _type_definition(self, node: Node, whole: Node, alias: str) -> Iterator[Definition]:
        source = self._source
        body = node.child_by_field_name("body")
        own_name = source.text(node.child_by_field_name("name")).rpartition("::")[2]
        name = alias or own_name
        kind = _TYPES[node.type]
        if not name or body is None:
            return
        bases = tuple(
            source.text(base) for base in children(find(node, "base_class_clause")) if base.type != "access_specifier"
        )
        members = tuple(self._enumerators(body) if kind is Kind.ENUM else self._members(body, node))
        signature = source.head(node, body)
        if alias and alias != own_name:
            signature = f"typedef {signature} {alias}"
        definition = Definition(
            name,
            kind,
            signature,
            *_lines(whole),
            doc=source.doc_above(whole),
            bases=bases,
            members=members,
        )
        yield definition
        if alias and own_name and alias != own_name:
            yield replace(definition, name=own_name)

    def _enumerators(self, body: Node) -> Iterator[Definition]:
        source = self._source
        for child in in_branches(body):
            if child.type == "enumerator":
                name = source.text(child.child_by_field_name("name"))
                yield Definition(name, Kind.CONSTANT, source.text(child, 80), *_lines(child))

    def _members(self, body: Node, owner: Node) -> Iterator[Definition]:
        source = self._source
        is_public = owner.type != "class_specifier"
        for child in in_branches(body):
            if child.type == "access_specifier":
                match = _ACCESS.search(source.text(child))
                is_public = match is None or match[0] != "private"
                continue
            inner = _declared(child)
            if inner is None:
                continue
            type_node = inner.child_by_field_name("type")
            nested = inner if inner.type in _TYPES else type_node
            if nested is not None and nested.type in _TYPES:
                yield from self._type_definition(nested, child, "")
            for member in self._declarators(inner, child, Kind.FIELD, Kind.METHOD):
                yield replace(member, is_public=is_public)

    def _declarators(self, node: Node, whole: Node, value_kind: Kind, function_kind: Kind) -> Iterator[Definition]:
        source = self._source
        type_text = source.text(node.child_by_field_name("type"), 100)
        body = node.child_by_field_name("body") or find(node, "field_initializer_list")
        for declarator in node.children_by_field_name("declarator"):
            function = _function_of(declarator)
            name = _name(declarator, source)
            if not name:
                continue
            value = declarator.child_by_field_name("value")
            yield Definition(
                name,
                function_kind if function is not None else value_kind,
                source.head(node, body) if function is not None else source.text(node, 120).rstrip(";"),
                *_lines(whole),
                doc=source.doc_above(whole),
                type_text=type_text,
                value_text=source.text(value, MAX_VALUE_CHARS),
                params=tuple(_params(function, source)) if function is not None else (),
            )


def _declared(node: Node) -> Node | None:
    """The declaration, out of its template."""
    while node.type == "template_declaration":
        inner = [child for child in children(node) if child.type not in ("template_parameter_list", "requires_clause")]
        if not inner:
            return None
        node = inner[-1]
    return node


def _function_of(declarator: Node | None) -> Node | None:
    while declarator is not None:
        if declarator.type in ("function_declarator", "abstract_function_declarator"):
            inner = declarator.child_by_field_name("declarator")
            # `void (*name)(int)` declares a pointer.
            return None if inner is not None and inner.type == "parenthesized_declarator" else declarator
        if declarator.type == "qualified_identifier":  # of a conversion, `A::operator bool() const`
            declarator = declarator.child_by_field_name("name")
        else:
            declarator = declarator.child_by_field_name("declarator") or (
                next(children(declarator), None) if declarator.type.endswith("reference_declarator") else None
            )
    return None


def _name_of(declarator: Node | None) -> Node | None:
    while declarator is not None and declarator.type not in (*_NAMES, "qualified_identifier"):
        declarator = declarator.child_by_field_name("declarator") or next(children(declarator), None)
    return declarator


def _name(declarator: Node, source: Source) -> str:
    """What a declarator declares; of a conversion, whose name holds its parameters, the part before them."""
    node = _name_of(declarator)
    function = _function_of(node)
    if node is None or function is None:
        return source.text(node)
    return source.between(node.start_byte, function.start_byte)


def _owner(name: str) -> str:
    """The class of `ns::Class<T>::member`; empty for a plain name."""
    owner = name.rpartition("::")[0]
    return owner.split("<")[0].rpartition("::")[2]


def _params(function: Node, source: Source) -> Iterator[Param]:
    for child in children(function.child_by_field_name("parameters")):
        if "parameter_declaration" in child.type:
            name = source.text(_name_of(child.child_by_field_name("declarator")))
            yield Param(name, source.text(child.child_by_field_name("type")))


def _lines(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
