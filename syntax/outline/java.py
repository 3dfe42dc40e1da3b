"""Java outlines: types with their members, the package, imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from fimble.syntax.outline.model import WILDCARD, Definition, Import, Kind, Outline, Param
from fimble.syntax.outline.source import MAX_VALUE_CHARS, Source, children, find

_KINDS = {
    "class_declaration": Kind.CLASS,
    "record_declaration": Kind.CLASS,
    "interface_declaration": Kind.INTERFACE,
    "annotation_type_declaration": Kind.INTERFACE,
    "enum_declaration": Kind.ENUM,
}
_ANNOTATIONS = re.compile(r"@[\w.]+(?:\((?:[^()]|\([^()]*\))*\))?\s*")


def read(root: Node, source: Source) -> Outline:
    """The outline of one compilation unit."""
    package = ""
    imports: list[Import] = []
    definitions: list[Definition] = []
    for node in children(root):
        if node.type == "package_declaration":
            package = source.text(find(node, "scoped_identifier", "identifier"))
        elif node.type == "import_declaration":
            imports.append(_import(node, source))
        elif node.type in _KINDS:
            definitions.append(_type_definition(node, source))
        else:  # members of a class whose head is missing: the file is a fragment
            definitions += _member(node, source, public_by_default=True)
    return Outline(package, tuple(definitions), tuple(imports))


def _import(node: Node, source: Source) -> Import:
    path = source.text(find(node, "scoped_identifier", "identifier"))
    is_static = any(child.type == "static" for child in node.children)
    if find(node, "asterisk"):
        return Import(path, WILDCARD)
    module, _, name = path.rpartition(".")
    # `import a.B` takes the type B; its module is B's own. `import static a.B.f` takes a member of it.
    return Import(module, name, name) if is_static else Import(path, name, name)


def _type_definition(node: Node, source: Source) -> Definition:
    name = source.text(node.child_by_field_name("name"))
    body = node.child_by_field_name("body")
    bases: list[str] = []
    for clause in (find(node, "superclass"), find(node, "super_interfaces", "extends_interfaces")):
        for item in children(clause):
            bases += [source.text(base) for base in (children(item) if item.type == "type_list" else (item,))]
    is_interface = _KINDS[node.type] is Kind.INTERFACE
    members: list[Definition] = []
    parameters = node.child_by_field_name("parameters")  # of a record: its fields
    for param in children(parameters):
        type_text = source.text(param.child_by_field_name("type"))
        field_name = source.text(param.child_by_field_name("name"))
        members.append(Definition(field_name, Kind.FIELD, source.text(param), *_lines(param), type_text=type_text))
    for child in _body(body):
        members += _member(child, source, public_by_default=is_interface)
    return Definition(
        name,
        _KINDS[node.type],
        _head(node, body, source),
        *_lines(node),
        doc=source.doc_above(node),
        bases=tuple(bases),
        params=tuple(_params(parameters, source)),
        members=tuple(members),
        is_public=_is_public(node, source),
    )


def _body(node: Node | None) -> Iterator[Node]:
    for child in children(node):
        if child.type == "enum_body_declarations":
            yield from children(child)
        else:
            yield child


def _member(node: Node, source: Source, *, public_by_default: bool) -> Iterator[Definition]:
    name = source.text(node.child_by_field_name("name"))
    is_public = public_by_default or _is_public(node, source)
    doc = source.doc_above(node)
    if node.type in ("method_declaration", "constructor_declaration", "annotation_type_element_declaration"):
        yield Definition(
            name,
            Kind.METHOD,
            _head(node, node.child_by_field_name("body"), source),
            *_lines(node),
            doc=doc,
            type_text=source.text(node.child_by_field_name("type")),
            params=tuple(_params(node.child_by_field_name("parameters"), source)),
            is_public=is_public,
        )
    elif node.type in ("field_declaration", "constant_declaration"):
        type_node = node.child_by_field_name("type")
        for declarator in node.children_by_field_name("declarator"):
            value = declarator.child_by_field_name("value")
            field_name = source.text(declarator.child_by_field_name("name"))
            yield Definition(
                field_name,
                Kind.FIELD,
                _ANNOTATIONS.sub("", source.text(node, 120)).rstrip(";"),
                *_lines(node),
                doc=doc,
                type_text=source.text(type_node),
                value_text=source.text(value, MAX_VALUE_CHARS),
                is_public=is_public,
            )
    elif node.type == "enum_constant":
        yield Definition(name, Kind.CONSTANT, source.head(node, node.child_by_field_name("body"), 80), *_lines(node))
    elif node.type in _KINDS:
        yield replace(_type_definition(node, source), is_public=is_public)


def _params(node: Node | None, source: Source) -> Iterator[Param]:
    for child in children(node):
        declarator = find(child, "variable_declarator")
        name = source.text(child.child_by_field_name("name") or declarator)
        type_node = child.child_by_field_name("type") or next(
            (item for item in children(child) if item.type not in ("modifiers", "variable_declarator")), None
        )
        if name:
            yield Param(name, source.text(type_node))


def _is_public(node: Node, source: Source) -> bool:
    return "private" not in source.text(find(node, "modifiers")).split()


def _head(node: Node, body: Node | None, source: Source) -> str:
    return _ANNOTATIONS.sub("", source.head(node, body))


def _lines(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
