"""C# outlines: types with their members, the namespace, usings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from fimble.syntax.outline.model import WILDCARD, Definition, Import, Kind, Outline, Param
from fimble.syntax.outline.source import Source, children, find, in_branches

_KINDS = {
    "class_declaration": Kind.CLASS,
    "struct_declaration": Kind.CLASS,
    "record_declaration": Kind.CLASS,
    "interface_declaration": Kind.INTERFACE,
    "enum_declaration": Kind.ENUM,
}
_OPERATORS = ("operator_declaration", "conversion_operator_declaration")
_FUNCTIONS = ("method_declaration", "constructor_declaration", "delegate_declaration", *_OPERATORS)
_NAMESPACES = ("namespace_declaration", "file_scoped_namespace_declaration")
_ATTRIBUTES = re.compile(r"^(?:\[[^\]]*\]\s*)+")


def read(root: Node, source: Source) -> Outline:
    """The outline of one file. Of several namespaces the first names the file's package."""
    packages: list[str] = []
    imports: list[Import] = []
    definitions: list[Definition] = []

    def take(nodes: Iterator[Node]) -> None:
        for node in nodes:
            if node.type == "using_directive":
                imports.append(_using(node, source))
            elif node.type in _NAMESPACES:
                packages.append(source.text(node.child_by_field_name("name")))
                take(in_branches(node.child_by_field_name("body")))
            else:
                definitions.extend(_definition(node, source, public_by_default=True))

    take(in_branches(root))
    return Outline(packages[0] if packages else "", tuple(definitions), tuple(imports))


def _using(node: Node, source: Source) -> Import:
    alias = node.child_by_field_name("name")
    target = source.text(next((child for child in children(node) if child != alias), None))
    is_static = any(child.type == "static" for child in node.children)
    if alias is not None:
        module, _, name = target.rpartition(".")
        return Import(module, name, source.text(alias))
    # `using static` takes a type's members, `using` a namespace's types.
    return Import(f"static {target}" if is_static else target, WILDCARD)


def _definition(node: Node, source: Source, *, public_by_default: bool) -> Iterator[Definition]:
    name = source.text(node.child_by_field_name("name"))
    is_public = public_by_default or _is_public(node, source)
    doc = source.doc_above(node)
    body = node.child_by_field_name("body")
    lines = (node.start_point.row, node.end_point.row)
    if node.type in _KINDS:
        yield _type_definition(node, source, is_public=is_public)
    elif node.type in _FUNCTIONS:
        returned = node.child_by_field_name("returns") or node.child_by_field_name("type")
        operator = node.child_by_field_name("operator")
        if node.type in _OPERATORS:
            name = f"operator {source.text(operator if operator is not None else returned)}"
        yield Definition(
            name,
            Kind.TYPE if node.type == "delegate_declaration" else Kind.METHOD,
            _head(node, body, source),
            *lines,
            doc=doc,
            type_text=source.text(returned),
            params=tuple(_params(node.child_by_field_name("parameters"), source)),
            is_public=is_public,
        )
    elif node.type == "property_declaration":
        value = node.child_by_field_name("value")
        yield Definition(
            name,
            Kind.FIELD,
            _head(node, value if value is not None and value.type == "arrow_expression_clause" else None, source),
            *lines,
            doc=doc,
            type_text=source.text(node.child_by_field_name("type")),
            is_public=is_public,
        )
    elif node.type in ("field_declaration", "event_field_declaration"):
        declaration = find(node, "variable_declaration")
        type_text = source.text(declaration.child_by_field_name("type")) if declaration is not None else ""
        for declarator in children(declaration):
            if declarator.type == "variable_declarator":
                yield Definition(
                    source.text(declarator.child_by_field_name("name")),
                    Kind.FIELD,
                    _ATTRIBUTES.sub("", source.text(node, 120)).rstrip(";"),
                    *lines,
                    doc=doc,
                    type_text=type_text,
                    is_public=is_public,
                )
    elif node.type == "enum_member_declaration":
        yield Definition(name, Kind.CONSTANT, source.text(node, 80), *lines, doc=doc)


def _type_definition(node: Node, source: Source, *, is_public: bool) -> Definition:
    body = node.child_by_field_name("body")
    bases = tuple(source.text(base) for base in children(find(node, "base_list")) if base.type != "argument_list")
    parameters = find(node, "parameter_list")  # of a record or a primary constructor
    members: list[Definition] = []
    if node.type == "record_declaration":
        members += (
            Definition(
                param.name, Kind.FIELD, f"{param.type_text} {param.name}", *_lines(node), type_text=param.type_text
            )
            for param in _params(parameters, source)
        )
    kind = _KINDS[node.type]
    for child in in_branches(body):
        members += _definition(child, source, public_by_default=kind is Kind.INTERFACE)
    return Definition(
        source.text(node.child_by_field_name("name")),
        kind,
        _head(node, body, source),
        *_lines(node),
        doc=source.doc_above(node),
        bases=bases,
        params=tuple(_params(parameters, source)),
        members=tuple(members),
        is_public=is_public,
    )


def _params(node: Node | None, source: Source) -> Iterator[Param]:
    for child in children(node):
        name = source.text(child.child_by_field_name("name"))
        if child.type == "parameter" and name:
            yield Param(name, source.text(child.child_by_field_name("type")))


def _is_public(node: Node, source: Source) -> bool:
    """Whether other files may use it. In C# members without a modifier are private."""
    modifiers = {source.text(child) for child in children(node) if child.type == "modifier"}
    return bool(modifiers & {"public", "protected", "internal"})


def _head(node: Node, body: Node | None, source: Source) -> str:
    return _ATTRIBUTES.sub("", source.head(node, body))


def _lines(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
