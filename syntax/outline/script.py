"""JavaScript and TypeScript outlines, CommonJS included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from fimble.syntax.outline.model import WILDCARD, Definition, Import, Kind, Outline, Param
from fimble.syntax.outline.source import MAX_VALUE_CHARS, Source, children, find

_FUNCTIONS = ("arrow_function", "function_expression", "generator_function")
_THIS_ATTRIBUTE = re.compile(r"^[ \t]*this\.(#?[A-Za-z_$][\w$]*)[ \t]*=(?!=)[ \t]*(.*?);?[ \t]*$", re.M)
_REQUIRE = re.compile(r"^(?:/\*.*?\*/\s*|\()*require\(\s*['\"]([^'\"]+)['\"]\s*\)\)?(?:\.(\w+))?$")
_INNER_REQUIRE = re.compile(
    r"^[ \t]+(?:const|let|var)[ \t]+(?:\{([^{}]*)\}|([\w$]+))[ \t]*=[ \t]*(?:await[ \t]+import|require)"
    r"\([ \t]*['\"]([^'\"\n]+)['\"]",
    re.MULTILINE,
)
_MAX_BODY_CHARS = 20_000
_DEFAULT = "default"


def read(root: Node, source: Source) -> Outline:
    """The outline of one module."""
    reader = _Reader(source)
    for node in children(root):
        reader.statement(node)
    for shown, local in reader.exports:
        if shown == _DEFAULT:  # module.exports = Local; module.exports.more = ...
            reader.prototypes.setdefault(local, []).extend(reader.exported_parts)
    definitions = [
        replace(item, members=(*item.members, *reader.prototypes.get(item.name, ()))) for item in reader.definitions
    ]
    exported = {local for _, local in reader.exports}
    # A module that exports something hides the rest; a script without exports is one page's or one program's.
    if reader.exported_names or exported:
        definitions = [
            replace(item, is_public=item.name in exported or item.name in reader.exported_names) for item in definitions
        ]
    imports = [
        replace(item, is_export=item.is_export or (bool(item.alias) and item.alias in exported))
        for item in reader.imports
    ]
    known = {item.alias for item in imports}
    imports += (item for item in _inner_imports(source.whole()) if item.alias not in known)
    return Outline(definitions=tuple(definitions), imports=tuple(imports), exports=tuple(reader.exports))


def _inner_imports(text: str) -> Iterator[Import]:
    """Modules that functions load when they run."""
    for match in _INNER_REQUIRE.finditer(text):
        if match[1]:
            for item in match[1].split(","):
                name, _, alias = (part.strip() for part in item.partition(":"))
                if name.isidentifier():
                    yield Import(match[3], name, alias or name)
        else:
            yield Import(match[3], _DEFAULT, match[2])


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.definitions: list[Definition] = []
        self.imports: list[Import] = []
        self.exports: list[tuple[str, str]] = []
        self.prototypes: dict[str, list[Definition]] = {}
        self.exported_parts: list[Definition] = []
        self.exported_names: set[str] = set()
        self._export_names = {"module.exports", "exports"}

    def statement(self, node: Node) -> None:
        """Take what a top-level statement defines, imports or exports."""
        if node.type == "import_statement":
            self.imports += self._imports(node)
        elif node.type == "export_statement":
            self._export(node)
        elif node.type in ("ambient_declaration", "statement_block", "if_statement"):
            for child in children(node):
                self.statement(child)
        elif node.type == "expression_statement":
            self._expression(node)
        elif node.type in ("lexical_declaration", "variable_declaration"):
            for declarator in children(node):
                if declarator.type == "variable_declarator":
                    self._declarator(declarator, node)
        else:
            self.definitions += self._declaration(node, node)

    def _imports(self, node: Node) -> Iterator[Import]:
        source = self._source
        module = _string(node.child_by_field_name("source"), source)
        required = find(node, "import_require_clause")
        if required is not None:
            module = _string(required.child_by_field_name("source"), source)
            yield Import(module, "", source.text(find(required, "identifier")))
        clause = find(node, "import_clause")
        for child in children(clause):
            if child.type == "identifier":
                yield Import(module, _DEFAULT, source.text(child))
            elif child.type == "namespace_import":
                yield Import(module, "", source.text(find(child, "identifier")))
            for item in children(child) if child.type == "named_imports" else ():
                name = source.text(item.child_by_field_name("name"))
                yield Import(module, name, source.text(item.child_by_field_name("alias")) or name)

    def _export(self, node: Node) -> None:
        source = self._source
        module = _string(node.child_by_field_name("source"), source)
        declaration = node.child_by_field_name("declaration")
        if declaration is not None and declaration.type == "ambient_declaration":
            declaration = next((child for child in children(declaration) if child.type != "comment"), None)
        value = node.child_by_field_name("value")
        is_default = any(child.type == _DEFAULT for child in node.children)
        clause = find(node, "export_clause")
        if declaration is not None:
            n_before = len(self.definitions)
            if declaration.type in ("lexical_declaration", "variable_declaration"):
                self.statement(declaration)
            else:
                self.definitions += self._declaration(declaration, node)
            self.exported_names.update(item.name for item in self.definitions[n_before:])
            if is_default and len(self.definitions) > n_before:
                self.exports.append((_DEFAULT, self.definitions[n_before].name))
        elif value is not None:
            self._export_value(value, node)
        elif clause is not None:
            for item in children(clause):
                name = source.text(item.child_by_field_name("name"))
                shown = source.text(item.child_by_field_name("alias")) or name
                if module:
                    self.imports.append(Import(module, name, shown, is_export=True))
                else:
                    self.exports.append((shown, name))
        elif module:
            namespace = find(node, "namespace_export")
            alias = source.text(find(namespace, "identifier")) if namespace is not None else ""
            self.imports.append(Import(module, "" if alias else WILDCARD, alias, is_export=True))

    def _export_value(self, value: Node, whole: Node) -> None:
        """`export default value`, or `module.exports = value`."""
        if value.type == "identifier":
            self.exports.append((_DEFAULT, self._source.text(value)))
        elif value.type == "object":
            made = list(self._object_members(value, Kind.FUNCTION, Kind.CONSTANT))
            self.definitions += made
            self.exported_names.update(item.name for item in made)
            self.exported_names.update(
                self._source.text(child) for child in children(value) if child.type == "shorthand_property_identifier"
            )
        elif value.type in ("class", *_FUNCTIONS):
            self.definitions.append(self._valued(_DEFAULT, value, whole, Kind.CONSTANT))
            self.exported_names.add(_DEFAULT)
        elif value.type == "call_expression":
            match = _REQUIRE.match(self._source.text(value))
            if match:
                self.imports.append(Import(match[1], WILDCARD, is_export=True))

    def _expression(self, node: Node) -> None:
        namespace = find(node, "internal_module")
        if namespace is not None:
            self.definitions += self._declaration(namespace, node)
        assignment = find(node, "assignment_expression")
        if assignment is None:
            return
        left = self._source.text(assignment.child_by_field_name("left"))
        self._assigned(left, assignment.child_by_field_name("right"), node)

    def _assigned(self, left: str, right: Node | None, node: Node) -> None:
        if right is None:
            return
        while right.type == "assignment_expression":  # module.exports = exports = value
            right = right.child_by_field_name("right") or right
        owner, _, name = left.rpartition(".")
        if left in self._export_names:
            self._export_value(right, node)
        elif owner in self._export_names:
            if right.type == "identifier":
                self.exports.append((name, self._source.text(right)))
            else:
                part = self._valued(name, right, node, Kind.CONSTANT)
                self.definitions.append(part)
                self.exported_parts.append(part)
                self.exported_names.add(name)
        elif owner.endswith(".prototype"):
            member = self._valued(name, right, node, Kind.FIELD)
            self.prototypes.setdefault(owner.removesuffix(".prototype"), []).append(member)
        elif owner.isidentifier() and right.type in _FUNCTIONS:
            self.prototypes.setdefault(owner, []).append(self._valued(name, right, node, Kind.FIELD))

    def _declarator(self, node: Node, whole: Node) -> None:
        source = self._source
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        required = _REQUIRE.match(source.text(value)) if value is not None and value.type != "object" else None
        if name.type == "identifier":
            if value is not None and source.between(value.start_byte, value.start_byte + 14) == "module.exports":
                # `const api = module.exports = {...}`: from here on `api.x = ...` exports x.
                self._export_names.add(source.text(name))
                if value.type == "assignment_expression":
                    self._assigned("module.exports", value.child_by_field_name("right"), whole)
                return
            if required:
                # What `module.exports` was set to; the module itself where it exports several names.
                self.imports.append(Import(required[1], required[2] or _DEFAULT, source.text(name)))
                return
            type_text = _type(node.child_by_field_name("type"), source)
            definition = self._valued(source.text(name), value or name, whole, Kind.CONSTANT)
            self.definitions.append(replace(definition, type_text=type_text or definition.type_text))
        elif required:
            for item in children(name):
                key = source.text(item.child_by_field_name("key") or item)
                local = source.text(item.child_by_field_name("value")) or key
                self.imports.append(Import(required[1], key, local))

    def _declaration(self, node: Node, whole: Node) -> Iterator[Definition]:
        source = self._source
        name = source.text(node.child_by_field_name("name"))
        body = node.child_by_field_name("body")
        doc = source.doc_above(whole)
        lines = _lines(whole)
        if node.type in ("class_declaration", "abstract_class_declaration"):
            yield self._class(name, node, whole)
        elif node.type in ("function_declaration", "generator_function_declaration", "function_signature"):
            yield replace(self._function(name, node, whole, Kind.FUNCTION), doc=doc)
        elif node.type == "interface_declaration":
            extends = find(node, "extends_type_clause")
            bases = tuple(source.text(base) for base in children(extends))
            members = tuple(self._type_members(body))
            yield Definition(
                name, Kind.INTERFACE, source.head(node, body), *lines, doc=doc, bases=bases, members=members
            )
        elif node.type == "type_alias_declaration":
            value = node.child_by_field_name("value")
            yield Definition(
                name,
                Kind.TYPE,
                source.text(node).rstrip(";"),
                *lines,
                doc=doc,
                type_text=source.text(value),
                members=tuple(self._object_types(value)),
            )
        elif node.type == "enum_declaration":
            constants = tuple(
                Definition(
                    source.text(item.child_by_field_name("name") or item),
                    Kind.CONSTANT,
                    source.text(item, 80),
                    *_lines(item),
                )
                for item in children(body)
                if item.type != "comment"
            )
            yield Definition(name, Kind.ENUM, source.head(node, body), *lines, doc=doc, members=constants)
        elif node.type in ("internal_module", "module"):
            inner = _Reader(source)
            for child in children(body):
                inner.statement(child)
            yield Definition(
                name.strip("'\""),
                Kind.MODULE,
                source.head(node, body),
                *lines,
                doc=doc,
                members=tuple(inner.definitions),
            )

    def _class(self, name: str, node: Node, whole: Node) -> Definition:
        source = self._source
        body = node.child_by_field_name("body")
        heritage = find(node, "class_heritage")
        bases: list[str] = []
        for child in children(heritage):
            if child.type in ("extends_clause", "implements_clause"):
                bases += [source.text(base) for base in children(child) if base.type != "type_arguments"]
            else:
                bases.append(source.text(child))
        members: dict[str, Definition] = {}
        for child in children(body):
            for member in self._member(child):
                members.setdefault(member.name, member)
        return Definition(
            name,
            Kind.CLASS,
            source.head(node, body),
            *_lines(whole),
            doc=source.doc_above(whole),
            bases=tuple(bases),
            members=tuple(members.values()),
        )

    def _member(self, node: Node) -> Iterator[Definition]:
        source = self._source
        name_node = node.child_by_field_name("name") or node.child_by_field_name("property")
        if name_node is None:
            return
        name = source.text(name_node)
        is_public = not name.startswith("#") and source.text(find(node, "accessibility_modifier")) != "private"
        doc = source.doc_above(node)
        if node.type in ("method_definition", "abstract_method_signature", "method_signature"):
            is_accessor = any(child.type in ("get", "set") for child in node.children)
            method = self._function(name, node, node, Kind.FIELD if is_accessor else Kind.METHOD)
            yield replace(method, doc=doc, is_public=is_public)
            if name == "constructor":
                yield from self._constructor_fields(node, method)
        elif node.type in ("public_field_definition", "field_definition"):
            field = self._valued(name, node.child_by_field_name("value") or name_node, node, Kind.FIELD)
            type_text = _type(node.child_by_field_name("type"), source)
            yield replace(field, type_text=type_text or field.type_text, is_public=is_public, doc=doc)

    def _constructor_fields(self, node: Node, constructor: Definition) -> Iterator[Definition]:
        source = self._source
        for child in children(node.child_by_field_name("parameters")):
            pattern = child.child_by_field_name("pattern")
            modifier = find(child, "accessibility_modifier")
            if pattern is not None and (modifier is not None or source.text(child).startswith("readonly ")):
                yield Definition(
                    source.text(pattern),
                    Kind.FIELD,
                    source.text(child),
                    *_lines(child),
                    type_text=_type(child.child_by_field_name("type"), source),
                    is_public=source.text(modifier) != "private",
                )
        body = node.child_by_field_name("body")
        declared = {param.name: param.type_text for param in constructor.params}
        for match in _THIS_ATTRIBUTE.finditer(source.raw(body)[:_MAX_BODY_CHARS] if body else ""):
            name, value = match[1], match[2][:MAX_VALUE_CHARS]
            yield Definition(
                name,
                Kind.FIELD,
                f"this.{name} = {value}"[:100],
                *_lines(node),
                type_text=declared.get(value, ""),
                value_text=value,
                is_public=not name.startswith("#"),
            )

    def _function(self, name: str, node: Node, whole: Node, kind: Kind) -> Definition:
        source = self._source
        return Definition(
            name,
            kind,
            source.head(node, node.child_by_field_name("body")),
            *_lines(whole),
            type_text=_type(node.child_by_field_name("return_type"), source),
            params=tuple(self._params(node)),
            is_public=not name.startswith(("_", "#")),
        )

    def _valued(self, name: str, value: Node, whole: Node, kind: Kind) -> Definition:
        """A name with a value: a function where the value is one, an object with its members, else a constant."""
        source = self._source
        doc = source.doc_above(whole)
        if value.type in _FUNCTIONS:
            end = value.child_by_field_name("body")
            function = self._function(name, value, whole, Kind.METHOD if kind is Kind.FIELD else Kind.FUNCTION)
            signature = source.head(whole, end).removesuffix("=>").rstrip()
            return replace(function, signature=signature, doc=doc)
        if value.type == "class":
            return replace(self._class(name, value, whole), signature=source.head(whole, find(value, "class_body")))
        members = tuple(self._object_members(value, Kind.METHOD, Kind.FIELD)) if value.type == "object" else ()
        return Definition(
            name,
            kind,
            source.head(whole, value) if members else source.text(whole, 100).rstrip(";"),
            *_lines(whole),
            doc=doc,
            value_text="" if members else source.text(value, MAX_VALUE_CHARS),
            members=members,
        )

    def _object_members(self, node: Node, function_kind: Kind, value_kind: Kind) -> Iterator[Definition]:
        source = self._source
        for child in children(node):
            if child.type == "pair":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                if key is None or value is None:
                    continue
                member = self._valued(source.text(key).strip("'\""), value, child, value_kind)
                kind = function_kind if member.kind in (Kind.FUNCTION, Kind.METHOD) else member.kind
                yield replace(member, kind=kind)
            elif child.type == "method_definition":
                name = source.text(child.child_by_field_name("name"))
                yield replace(self._function(name, child, child, function_kind), doc=source.doc_above(child))
            elif child.type == "shorthand_property_identifier" and value_kind is Kind.FIELD:
                name = source.text(child)
                yield Definition(name, value_kind, name, *_lines(child), value_text=name)

    def _type_members(self, node: Node | None) -> Iterator[Definition]:
        source = self._source
        for child in children(node):
            name = source.text(child.child_by_field_name("name"))
            if child.type == "method_signature":
                yield replace(self._function(name, child, child, Kind.METHOD), doc=source.doc_above(child))
            elif child.type == "property_signature":
                type_node = child.child_by_field_name("type")
                yield Definition(
                    name,
                    Kind.FIELD,
                    source.text(child),
                    *_lines(child),
                    doc=source.doc_above(child),
                    type_text=_type(type_node, source),
                    members=tuple(self._object_types(type_node)),
                )

    def _object_types(self, node: Node | None) -> Iterator[Definition]:
        """Members of the object types that a type is made of."""
        if node is None:
            return
        if node.type == "object_type":
            yield from self._type_members(node)
        elif node.type in ("intersection_type", "union_type", "type_annotation", "parenthesized_type", "array_type"):
            for child in children(node):
                yield from self._object_types(child)

    def _params(self, node: Node) -> Iterator[Param]:
        source = self._source
        single = node.child_by_field_name("parameter")
        if single is not None:
            yield Param(source.text(single))
        for child in children(node.child_by_field_name("parameters")):
            if child.type == "comment":
                continue
            name = child.child_by_field_name("pattern") or child.child_by_field_name("left") or child
            yield Param(source.text(name, 80), _type(child.child_by_field_name("type"), source))


def _type(node: Node | None, source: Source) -> str:
    return source.text(node).lstrip(": ")


def _string(node: Node | None, source: Source) -> str:
    return source.text(node).strip("'\"`")


def _lines(node: Node) -> tuple[int, int]:
    return node.start_point.row, node.end_point.row
