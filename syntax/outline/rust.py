"""Rust outlines: items, `use` trees, and impl blocks as extensions of their type."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from fimble.syntax.outline.model import WILDCARD, Definition, Extension, Import, Kind, Outline, Param
from fimble.syntax.outline.source import Source, children, find

_NO_TYPES = ("attribute_item", "visibility_modifier", "line_comment", "block_comment")
_VALUES = ("const_item", "static_item")
_WRAPPERS = ("reference_type", "pointer_type", "dynamic_type", "bounded_type", "generic_type")
_TYPES = {"struct_item": Kind.CLASS, "union_item": Kind.CLASS, "enum_item": Kind.ENUM, "trait_item": Kind.INTERFACE}


def read(root: Node, source: Source) -> Outline:
    """The outline of one file. `mod m;` is an import of the module `mod m`."""
    return _items(root, source)


def _items(root: Node | None, source: Source) -> Outline:
    imports: list[Import] = []
    definitions: list[Definition] = []
    extensions: list[Extension] = []
    for node in children(root):
        if node.type == "use_declaration":
            is_export = find(node, "visibility_modifier") is not None
            argument = node.child_by_field_name("argument")
            imports += (Import(module, name, alias, is_export) for module, name, alias in _use("", argument, source))
        elif node.type == "impl_item":
            extensions.append(_impl(node, source))
        elif node.type == "mod_item":
            name = source.text(node.child_by_field_name("name"))
            body = node.child_by_field_name("body")
            if body is None:
                imports.append(Import(f"mod {name}", "", name, _is_public(node)))
                continue
            inner = _items(body, source)
            extensions += inner.extensions
            imports += inner.imports  # a test module's, mostly; names hardly ever clash
            definitions.append(
                Definition(
                    name,
                    Kind.MODULE,
                    source.head(node, body),
                    *_lines(node),
                    doc=_doc(node, source),
                    members=inner.definitions,
                    is_public=_is_public(node),
                )
            )
        elif node.type == "foreign_mod_item":
            definitions += _items(node.child_by_field_name("body"), source).definitions
        else:
            definitions += _item(node, source)
    return Outline("", tuple(definitions), tuple(imports), tuple(extensions))


def _use(path: str, node: Node | None, source: Source) -> Iterator[tuple[str, str, str]]:
    """Module, name and alias of every name in a use tree."""
    if node is None:
        return
    if node.type == "scoped_use_list":
        inner = _join(path, source.text(node.child_by_field_name("path")))
        yield from _use(inner, node.child_by_field_name("list"), source)
    elif node.type == "use_list":
        for child in children(node):
            yield from _use(path, child, source)
    elif node.type == "use_wildcard":
        yield _join(path, source.text(next(children(node), None))), WILDCARD, ""
    elif node.type == "use_as_clause":
        inner = source.text(node.child_by_field_name("path"))
        module, name = _split(path if inner == "self" else _join(path, inner))
        yield module, name, source.text(node.child_by_field_name("alias"))
    elif node.type == "self":
        module, name = _split(path)
        yield module, name, name
    elif node.type in ("identifier", "scoped_identifier", "crate"):
        module, name = _split(_join(path, source.text(node)))
        yield module, name, name


def _join(path: str, rest: str) -> str:
    return f"{path}::{rest}" if path and rest else path or rest


def _split(path: str) -> tuple[str, str]:
    module, _, name = path.rpartition("::")
    return module, name


def _impl(node: Node, source: Source) -> Extension:
    implemented = node.child_by_field_name("trait")
    members = tuple(member for child in children(node.child_by_field_name("body")) for member in _item(child, source))
    return Extension(
        _type_name(node.child_by_field_name("type"), source),
        members,
        (source.text(implemented),) if implemented is not None else (),
    )


def _type_name(node: Node | None, source: Source) -> str:
    """The name of the type that an impl is of: `Foo` of `&'a mut m::Foo<T>`, `Tr` of `dyn Tr + Send`."""
    while node is not None and node.type in _WRAPPERS:
        node = node.child_by_field_name("type") or node.child_by_field_name("trait") or next(children(node), None)
    return source.text(node).split("<")[0].split("::")[-1]


def _item(node: Node, source: Source) -> Iterator[Definition]:
    name = source.text(node.child_by_field_name("name"))
    body = node.child_by_field_name("body")
    lines = _lines(node)
    doc = _doc(node, source)
    is_public = _is_public(node)
    if node.type in ("function_item", "function_signature_item"):
        in_block = node.parent is not None and node.parent.parent is not None
        is_method = in_block and node.parent.parent.type in ("impl_item", "trait_item")  # type: ignore[union-attr]
        in_trait = is_method and _is_trait(node)
        yield Definition(
            name,
            Kind.METHOD if is_method else Kind.FUNCTION,
            source.head(node, body),
            *lines,
            doc=doc,
            type_text=source.text(node.child_by_field_name("return_type")),
            params=tuple(_params(node.child_by_field_name("parameters"), source)),
            is_public=is_public or in_trait,
        )
    elif node.type in _TYPES:
        members = tuple(
            member
            for child in children(body)
            for member in (_item(child, source) if node.type == "trait_item" else _field(child, source))
        )
        bounds = find(node, "trait_bounds")
        yield Definition(
            name,
            _TYPES[node.type],
            source.head(node, body if members else None),
            *lines,
            doc=doc,
            bases=tuple(source.text(base) for base in children(bounds)),
            members=members,
            is_public=is_public,
        )
    elif node.type in _VALUES:
        yield Definition(
            name,
            Kind.CONSTANT,
            source.text(node, 100).rstrip(";"),
            *lines,
            doc=doc,
            type_text=source.text(node.child_by_field_name("type")),
            is_public=is_public,
        )
    elif node.type in ("type_item", "associated_type"):
        type_text = source.text(node.child_by_field_name("type"))
        signature = source.text(node).rstrip(";")
        yield Definition(name, Kind.TYPE, signature, *lines, doc=doc, type_text=type_text, is_public=is_public)
    elif node.type == "macro_definition":
        yield Definition(name, Kind.FUNCTION, f"macro_rules! {name}", *lines, doc=doc)


def _field(node: Node, source: Source) -> Iterator[Definition]:
    name = source.text(node.child_by_field_name("name"))
    if node.type == "enum_variant":
        body = node.child_by_field_name("body")
        fields = tuple(field for child in children(body) for field in _field(child, source))
        held = [child for child in children(body) if child.type not in _NO_TYPES] if not fields else []
        yield Definition(
            name,
            Kind.CONSTANT,
            source.text(node, 120),
            *_lines(node),
            doc=_doc(node, source),
            type_text=source.text(held[0]) if len(held) == 1 else "",
            members=fields,
        )
    elif node.type == "field_declaration":
        yield Definition(
            name,
            Kind.FIELD,
            source.text(node, 160),
            *_lines(node),
            doc=_doc(node, source),
            type_text=source.text(node.child_by_field_name("type")),
            is_public=_is_public(node),
        )


def _params(node: Node | None, source: Source) -> Iterator[Param]:
    for child in children(node):
        pattern = child.child_by_field_name("pattern")
        if child.type == "parameter" and pattern is not None:
            name = source.text(pattern).removeprefix("mut ")
            yield Param(name, source.text(child.child_by_field_name("type")))


def _doc(node: Node, source: Source) -> str:
    """The comment above, beyond attributes."""
    above = node
    while (before := above.prev_sibling) is not None and before.type == "attribute_item":
        above = before
    return source.doc_above(above)


def _is_public(node: Node) -> bool:
    return find(node, "visibility_modifier") is not None


def _is_trait(node: Node) -> bool:
    """Whether a method belongs to a trait or to a trait's implementation: both are as public as the trait."""
    owner = node.parent.parent if node.parent is not None else None
    return owner is not None and (owner.type == "trait_item" or owner.child_by_field_name("trait") is not None)


def _lines(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
