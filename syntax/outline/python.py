"""Python outlines: classes with their attributes, functions, constants, imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from fimble.syntax.outline.model import WILDCARD, Definition, Import, Kind, Outline, Param
from fimble.syntax.outline.source import MAX_VALUE_CHARS, Source, children, find, first_doc_line

_BLOCKS = ("if_statement", "else_clause", "elif_clause", "try_statement", "except_clause", "finally_clause", "block",
           "with_statement", "module")  # fmt: skip
_SELF_ATTRIBUTE = re.compile(r"^[ \t]+self\.([A-Za-z_]\w*)[ \t]*(?::[ \t]*([^=\n#]+?)[ \t]*)?=(?!=)[ \t]*(.*)$", re.M)
_RETURN = re.compile(r"^[ \t]*return[ \t]+((?:await[ \t]+)?[A-Za-z_][\w.]*\(.*|self|cls)[ \t]*$", re.M)
_INNER_IMPORT = re.compile(r"^[ \t]+(?:from[ \t]+([\w.]+)[ \t]+)?import[ \t]+([\w.,() \t]+?)[ \t]*(?:#.*)?$", re.M)
_SPLATS = ("list_splat_pattern", "dictionary_splat_pattern")
_MAX_BODY_CHARS = 20_000


def read(root: Node, source: Source) -> Outline:
    """The outline of one module."""
    definitions: dict[str, Definition] = {}
    imports: list[Import] = []
    for node in _statements(root):
        if node.type in ("import_statement", "import_from_statement", "future_import_statement"):
            imports += _imports(node, source)
        for definition in _definitions(node, source):
            # Overloads and branches define a name more than once: the first has the signature worth showing.
            definitions.setdefault(definition.name, definition)
    known = {item.alias for item in imports}
    imports += (item for item in _inner_imports(source.whole()) if item.alias not in known)
    exported = _dunder_all(root, source)
    return Outline(
        definitions=tuple(definitions.values()),
        imports=tuple(
            Import(item.module, item.name, item.alias, is_export=not exported or item.alias in exported)
            for item in imports
        ),
    )


def _statements(node: Node) -> Iterator[Node]:
    for child in children(node):
        if child.type in _BLOCKS:
            yield from _statements(child)
        else:
            yield child


def _imports(node: Node, source: Source) -> Iterator[Import]:
    module = source.text(node.child_by_field_name("module_name"))
    if find(node, "wildcard_import"):
        yield Import(module, WILDCARD)
        return
    for item in node.children_by_field_name("name"):
        name = source.text(item.child_by_field_name("name") or item)
        alias = source.text(item.child_by_field_name("alias"))
        if node.type == "import_statement":
            # `import a.b` binds `a`, and `a.b.c` is then reached through the whole dotted name.
            yield Import(name, "", alias or name)
        elif module:
            yield Import(module, name, alias or name)


def _inner_imports(text: str) -> Iterator[Import]:
    """Imports inside functions, those of one line."""
    for match in _INNER_IMPORT.finditer(text):
        module = match[1] or ""
        for item in match[2].strip("() ").split(","):
            name, _, alias = (part.strip() for part in item.partition(" as "))
            if re.fullmatch(r"[\w.]+", name):
                yield Import(module, name, alias or name) if module else Import(name, "", alias or name)


def _dunder_all(root: Node, source: Source) -> frozenset[str]:
    for node in children(root):
        if node.type == "expression_statement" and source.between(node.start_byte, node.start_byte + 7) == "__all__":
            return frozenset(re.findall(r"['\"](\w+)['\"]", source.raw(node)))
    return frozenset()


def _definitions(node: Node, source: Source) -> Iterator[Definition]:
    inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
    if inner is None:
        return
    if inner.type == "class_definition":
        yield _class(inner, node, source)
    elif inner.type == "function_definition":
        yield _function(inner, node, source, Kind.FUNCTION)
    elif inner.type == "type_alias_statement":
        name = source.text(inner.child_by_field_name("left")).split("[")[0].rstrip()
        yield Definition(
            name,
            Kind.TYPE,
            source.text(inner),
            *_lines(node),
            type_text=source.text(inner.child_by_field_name("right")),
        )
    elif inner.type == "expression_statement":
        assignment = find(inner, "assignment")
        if assignment is not None:
            yield from _assignment(assignment, source, Kind.CONSTANT)


def _class(node: Node, whole: Node, source: Source) -> Definition:
    body = node.child_by_field_name("body")
    superclasses = node.child_by_field_name("superclasses")
    bases = tuple(source.text(base) for base in children(superclasses) if base.type != "keyword_argument")
    members: dict[str, Definition] = {}
    attributes: list[Definition] = []
    for child in _statements(body) if body else ():
        for member in _definitions(child, source):
            is_field = member.kind is Kind.CONSTANT
            kind = Kind.FIELD if is_field else Kind.METHOD if member.kind is Kind.FUNCTION else member.kind
            member = _with_kind(member, kind)
            members.setdefault(member.name, member)
            if kind is Kind.METHOD:
                attributes += _self_attributes(child, member, source)
    for attribute in attributes:
        members.setdefault(attribute.name, attribute)
    name = source.text(node.child_by_field_name("name"))
    is_enum = any(base.split(".")[-1] in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag") for base in bases)
    return Definition(
        name,
        Kind.ENUM if is_enum else Kind.CLASS,
        source.head(node, body),
        *_lines(whole),
        doc=_docstring(body, source),
        bases=bases,
        members=tuple(members.values()),
        is_public=not name.startswith("_"),
    )


def _function(node: Node, whole: Node, source: Source, kind: Kind) -> Definition:
    name = source.text(node.child_by_field_name("name"))
    body = node.child_by_field_name("body")
    return_type = source.text(node.child_by_field_name("return_type"))
    returned = None if return_type or body is None else _RETURN.search(source.raw(body)[:_MAX_BODY_CHARS])
    decorators = {source.text(child).lstrip("@ ") for child in children(whole) if child.type == "decorator"}
    is_property = any(text == "property" or text.endswith("cached_property") for text in decorators)
    signature = source.head(node, body)
    if is_property:
        signature = f"{name}: {return_type}" if return_type else f"@property {signature}"
    return Definition(
        name,
        Kind.FIELD if is_property else kind,
        signature,
        *_lines(whole),
        doc=_docstring(body, source),
        type_text=return_type,
        value_text=returned[1][:MAX_VALUE_CHARS] if returned else "",
        params=tuple(_params(node.child_by_field_name("parameters"), source)),
        is_public=not name.startswith("_") or name.endswith("__"),
    )


def _params(node: Node | None, source: Source) -> Iterator[Param]:
    for child in children(node):
        type_text = source.text(child.child_by_field_name("type")).strip("'\"")
        splat = find(child, *_SPLATS)
        if splat is not None:  # `*args: int` are a tuple of what is written
            child, type_text = splat, ""
        name = child.child_by_field_name("name") or (child if child.type == "identifier" else find(child, "identifier"))
        if name is not None and child.type != "comment":
            yield Param(source.text(name), type_text)


def _assignment(node: Node, source: Source, kind: Kind) -> Iterator[Definition]:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    names, values = [left], [right]
    if left is not None and left.type in ("pattern_list", "tuple_pattern"):
        names = list(children(left))
        values = list(children(right)) if right is not None and right.type in ("expression_list", "tuple") else []
        if len(values) != len(names):  # what is unpacked is not written here
            values = [None] * len(names)
    for name_node, value in zip(names, values, strict=True):
        if name_node is None or name_node.type != "identifier":
            continue
        name = source.text(name_node)
        yield Definition(
            name,
            kind,
            source.text(node, 100),
            *_lines(node),
            type_text=source.text(node.child_by_field_name("type")).strip("'\""),
            value_text=source.text(value, MAX_VALUE_CHARS),
            is_public=not name.startswith("_"),
        )


def _self_attributes(node: Node, method: Definition, source: Source) -> Iterator[Definition]:
    declared = {param.name: param.type_text for param in method.params}
    text = source.raw(node)[:_MAX_BODY_CHARS]
    for match in _SELF_ATTRIBUTE.finditer(text):
        name, type_text, value = match[1], match[2] or "", match[3].strip()[:MAX_VALUE_CHARS]
        type_text = type_text.strip("'\"") or declared.get(value, "")
        line = method.first_line + text.count("\n", 0, match.start())
        signature = f"self.{name}: {type_text}" if type_text else f"self.{name} = {value}"
        yield Definition(
            name,
            Kind.FIELD,
            signature[:100],
            line,
            line,
            type_text=type_text,
            value_text=value,
            is_public=not name.startswith("_"),
        )


def _docstring(body: Node | None, source: Source) -> str:
    first = next(children(body), None)
    string = find(first, "string") if first is not None and first.type == "expression_statement" else None
    content = find(string, "string_content") if string is not None else None
    return first_doc_line(source.raw(content).splitlines()) if content is not None else ""


def _with_kind(definition: Definition, kind: Kind) -> Definition:
    if definition.kind is kind or definition.kind is Kind.FIELD:
        return definition
    return replace(definition, kind=kind)


def _lines(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
