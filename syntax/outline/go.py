"""Go outlines: types, functions, constants, and methods as extensions of their receiver's type."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from fimble.syntax.outline.model import WILDCARD, Definition, Extension, Import, Kind, Outline, Param
from fimble.syntax.outline.source import MAX_VALUE_CHARS, Source, children, find


def read(root: Node, source: Source) -> Outline:
    """The outline of one file of a package."""
    package = ""
    imports: list[Import] = []
    definitions: list[Definition] = []
    methods: dict[str, list[Definition]] = {}
    for node in children(root):
        if node.type == "package_clause":
            package = source.text(find(node, "package_identifier"))
        elif node.type == "import_declaration":
            imports += _imports(node, source)
        elif node.type == "function_declaration":
            definitions.append(_function(node, source, Kind.FUNCTION))
        elif node.type == "method_declaration":
            methods.setdefault(_receiver(node, source), []).append(_function(node, source, Kind.METHOD))
        elif node.type == "type_declaration":
            specs = (spec for spec in children(node) if spec.type in ("type_spec", "type_alias"))
            definitions += (_type_definition(spec, node, source) for spec in specs)
        elif node.type in ("const_declaration", "var_declaration"):
            definitions += _values(node, source)
    extensions = tuple(Extension(name, tuple(members)) for name, members in methods.items())
    return Outline(package, tuple(definitions), tuple(imports), extensions)


def _imports(node: Node, source: Source) -> Iterator[Import]:
    specs = find(node, "import_spec_list") or node
    for spec in children(specs):
        if spec.type != "import_spec":
            continue
        path = source.text(spec.child_by_field_name("path")).strip('"`')
        name = source.text(spec.child_by_field_name("name"))
        if name == ".":
            yield Import(path, WILDCARD)
        elif name != "_":
            yield Import(path, "", name or _package_name(path))


def _package_name(path: str) -> str:
    """The name that a package of this path has by custom: `gopkg.in/yaml.v3` is yaml, `x/y/v2` is y."""
    parts = path.split("/")
    if len(parts) > 1 and parts[-1][:1] == "v" and parts[-1][1:].isdigit():
        parts.pop()
    return parts[-1].split(".")[0].removeprefix("go-")


def _receiver(method: Node, source: Source) -> str:
    """The name of the type that a method belongs to: `Map` of `(m *Map[K, V])`."""
    parameter = next(children(method.child_by_field_name("receiver")), None)
    node = parameter.child_by_field_name("type") if parameter is not None else None
    while node is not None and node.type in ("pointer_type", "parenthesized_type", "generic_type"):
        node = node.child_by_field_name("type") or next(children(node), None)
    return source.text(node)


def _function(node: Node, source: Source, kind: Kind) -> Definition:
    name = source.text(node.child_by_field_name("name"))
    return Definition(
        name,
        kind,
        source.head(node, node.child_by_field_name("body")),
        *_lines(node),
        doc=source.doc_above(node),
        type_text=source.text(node.child_by_field_name("result")),
        params=tuple(_params(node.child_by_field_name("parameters"), source)),
        is_public=name[:1].isupper(),
    )


def _params(node: Node | None, source: Source) -> Iterator[Param]:
    for child in children(node):
        type_text = source.text(child.child_by_field_name("type"))
        for name in child.children_by_field_name("name"):
            yield Param(source.text(name), type_text)


def _type_definition(spec: Node, whole: Node, source: Source) -> Definition:
    name = source.text(spec.child_by_field_name("name"))
    body = spec.child_by_field_name("type")
    doc = source.doc_above(spec) or source.doc_above(whole)
    kind, members, bases = Kind.TYPE, [], []
    signature = f"type {source.text(spec)}"
    if body is not None and body.type in ("struct_type", "interface_type"):
        kind = Kind.CLASS if body.type == "struct_type" else Kind.INTERFACE
        word = body.type.removesuffix("_type")
        signature = f"type {source.head(spec, body)} {word}"
        fields = find(body, "field_declaration_list") if kind is Kind.CLASS else body
        for child in children(fields):
            if child.type == "method_elem":
                members.append(_function(child, source, Kind.METHOD))
            elif child.type == "type_elem":
                bases.append(source.text(child))
            elif child.type == "field_declaration":
                members += _fields(child, source)
                if child.child_by_field_name("name") is None:
                    bases.append(source.text(child.child_by_field_name("type")))
    return Definition(
        name,
        kind,
        signature,
        *_lines(spec),
        doc=doc,
        type_text="" if members else source.text(body),
        bases=tuple(bases),
        members=tuple(members),
        is_public=name[:1].isupper(),
    )


def _fields(node: Node, source: Source) -> Iterator[Definition]:
    type_node = node.child_by_field_name("type")
    type_text = source.text(type_node)
    end = type_node.end_byte if type_node is not None else node.end_byte
    names = [source.text(name) for name in node.children_by_field_name("name")]
    for name in names or [type_text.lstrip("*").split("[")[0].split(".")[-1]]:
        yield Definition(
            name,
            Kind.FIELD,
            source.between(node.start_byte, end, 160),
            *_lines(node),
            doc=source.doc_above(node),
            type_text=type_text,
            is_public=name[:1].isupper(),
        )


def _values(node: Node, source: Source) -> Iterator[Definition]:
    word = "const" if node.type == "const_declaration" else "var"
    specs = find(node, "var_spec_list") or node
    type_text = ""
    for spec in children(specs):
        if spec.type not in ("const_spec", "var_spec"):
            continue
        value = spec.child_by_field_name("value")
        # In `const ( A Color = iota; B )` B has A's type, as it has A's value.
        is_repeated = word == "const" and value is None
        type_text = source.text(spec.child_by_field_name("type")) or (type_text if is_repeated else "")
        for name_node in spec.children_by_field_name("name"):
            name = source.text(name_node)
            yield Definition(
                name,
                Kind.CONSTANT,
                f"{word} {source.text(spec, 100)}",
                *_lines(spec),
                doc=source.doc_above(spec),
                type_text=type_text,
                value_text=source.text(value, MAX_VALUE_CHARS),
                is_public=name[:1].isupper(),
            )


def _lines(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
