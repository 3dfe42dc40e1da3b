"""Where names come into being and where they are used, by tree-sitter's kinds of nodes and their fields."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Role(Enum):
    """What an identifier does where it stands.

    A receiver is looked into where only a variable or a class may stand; what is indexed can only be an array.
    """

    BOUND = auto()
    USED = auto()
    LOOKED_INTO = auto()
    RECEIVER = auto()
    CALLED = auto()
    INDEXED = auto()


class Declares(Enum):
    """What the definition of a variable begins with."""

    BY_NAME = auto()
    BY_WORD = auto()
    BY_TYPE = auto()


@dataclass(frozen=True, slots=True)
class Naming:
    """One language's rules. A place is a kind of node and the field of it that holds the identifier.

    `bound_within` are kinds all of whose identifiers come into being; within `patterns` what is bound stays bound,
    within other nodes (`a[i] = 1`) it is a use. What comes into being in one of `functions` or `scopes` ends with it.
    `known` are names that exist without a definition, `importable` modules that one line brings in.
    `defines_all_it_uses` says that a file does, functions that are called and objects that are looked into among them;
    elsewhere names from nowhere are everyday.
    """

    functions: frozenset[str]
    bound_at: frozenset[tuple[str, str]]
    bound_within: frozenset[str]
    patterns: frozenset[str]
    called_at: frozenset[tuple[str, str]]
    looked_into_at: frozenset[tuple[str, str]]
    no_name_at: frozenset[tuple[str, str]]
    receiver_at: frozenset[tuple[str, str]] = field(default=frozenset())
    indexed_at: frozenset[tuple[str, str]] = field(default=frozenset())
    bound_identifiers: frozenset[str] = field(default=frozenset())
    scopes: frozenset[str] = field(default=frozenset())
    has_inherited_names: bool = False
    known: frozenset[str] = frozenset()
    importable: frozenset[str] = frozenset()
    declares: Declares = Declares.BY_TYPE
    defines_all_it_uses: bool = False

    @property
    def identifiers(self) -> frozenset[str]:
        """Kinds of nodes that are names."""
        return self.bound_identifiers | {"identifier"}

    def role_of(self, parent: str, field_name: str | None, parent_role: Role) -> Role | None:
        """The role of a child in this place; None where it names no variable."""
        place = (parent, field_name or "")
        if place in self.no_name_at:
            return None
        if place in self.bound_at or parent in self.bound_within:
            return Role.BOUND
        if place in self.called_at:
            return Role.CALLED
        if place in self.receiver_at:
            return Role.RECEIVER
        if place in self.indexed_at:
            return Role.INDEXED
        if place in self.looked_into_at:
            return Role.LOOKED_INTO
        return Role.BOUND if parent_role is Role.BOUND and parent in self.patterns else Role.USED


_PYTHON_BOUND_WITHIN = frozenset(
    {
        "as_pattern_target",
        "typed_parameter",
        "list_splat_pattern",
        "dictionary_splat_pattern",
        "parameters",
        "lambda_parameters",
        "import_statement",
        "import_from_statement",
        "global_statement",
        "nonlocal_statement",
        "case_pattern",
        "type_parameter",
        "delete_statement",
    }
)
_PYTHON: Final = Naming(
    functions=frozenset({"function_definition"}),
    bound_at=frozenset(
        {
            ("assignment", "left"),
            ("for_statement", "left"),
            ("for_in_clause", "left"),
            ("named_expression", "name"),
            ("default_parameter", "name"),
            ("typed_default_parameter", "name"),
            ("function_definition", "name"),
            ("class_definition", "name"),
            ("aliased_import", "alias"),
        }
    ),
    bound_within=_PYTHON_BOUND_WITHIN,
    patterns=_PYTHON_BOUND_WITHIN | {"pattern_list", "tuple_pattern", "list_pattern", "as_pattern", "dotted_name"},
    called_at=frozenset({("call", "function")}),
    looked_into_at=frozenset({("attribute", "object")}),
    no_name_at=frozenset({("attribute", "attribute"), ("keyword_argument", "name")}),
    scopes=frozenset(
        {"lambda", "list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression"}
    ),
    known=frozenset(dir(builtins)) | {"__file__", "__class__"},
    importable=frozenset(sys.stdlib_module_names),
    declares=Declares.BY_NAME,
    defines_all_it_uses=True,
)
_SCRIPT_BOUND_WITHIN = frozenset(
    {
        "formal_parameters",
        "rest_pattern",
        "import_clause",
        "named_imports",
        "import_specifier",
        "namespace_import",
        "array_pattern",
        "required_parameter",
        "optional_parameter",
    }
)
_JAVASCRIPT: Final = Naming(
    functions=frozenset(
        {
            "function_declaration",
            "function_expression",
            "arrow_function",
            "method_definition",
            "generator_function_declaration",
        }
    ),
    bound_at=frozenset(
        {
            ("variable_declarator", "name"),
            ("for_in_statement", "left"),
            ("catch_clause", "parameter"),
            ("arrow_function", "parameter"),
            ("assignment_expression", "left"),
            ("assignment_pattern", "left"),
            ("object_assignment_pattern", "left"),
            ("pair_pattern", "value"),
            ("function_declaration", "name"),
            ("function_expression", "name"),
            ("generator_function_declaration", "name"),
            ("class_declaration", "name"),
            ("enum_declaration", "name"),
        }
    ),
    bound_within=_SCRIPT_BOUND_WITHIN,
    patterns=_SCRIPT_BOUND_WITHIN | {"object_pattern", "pair_pattern", "assignment_pattern"},
    called_at=frozenset({("call_expression", "function"), ("new_expression", "constructor")}),
    looked_into_at=frozenset({("member_expression", "object")}),
    no_name_at=frozenset({("member_expression", "property"), ("pair", "key")}),
    bound_identifiers=frozenset({"shorthand_property_identifier_pattern"}),
    # A `var` outlives these: what it is found in is then said to define more than it does, never less.
    scopes=frozenset({"for_statement", "for_in_statement", "statement_block"}),
    known=frozenset({"NaN", "Infinity", "arguments", "window", "document", "event", "name", "location", "self"}),
    declares=Declares.BY_WORD,
)
_JAVA: Final = Naming(
    functions=frozenset({"method_declaration", "constructor_declaration", "lambda_expression"}),
    bound_at=frozenset(
        {
            ("variable_declarator", "name"),
            ("formal_parameter", "name"),
            ("catch_formal_parameter", "name"),
            ("enhanced_for_statement", "name"),
            ("instanceof_expression", "name"),
            ("lambda_expression", "parameters"),
            ("resource", "name"),
            ("assignment_expression", "left"),
            ("enum_constant", "name"),
        }
    ),
    bound_within=frozenset({"inferred_parameters", "import_declaration", "record_pattern_component", "type_pattern"}),
    patterns=frozenset({"inferred_parameters", "scoped_identifier", "import_declaration"}),
    called_at=frozenset(),
    looked_into_at=frozenset({("field_access", "object")}),
    receiver_at=frozenset({("method_invocation", "object")}),
    indexed_at=frozenset({("array_access", "array")}),
    no_name_at=frozenset(
        {
            ("method_invocation", "name"),
            ("field_access", "field"),
            ("method_declaration", "name"),
            ("class_declaration", "name"),
            ("constructor_declaration", "name"),
            ("element_value_pair", "key"),
            ("labeled_statement", ""),
            ("break_statement", ""),
            ("continue_statement", ""),
            ("method_reference", ""),
        }
    ),
    has_inherited_names=True,
    scopes=frozenset({"block", "for_statement", "enhanced_for_statement", "try_with_resources_statement"}),
)
NAMING: Final[Mapping[str, Naming]] = {
    "python": _PYTHON,
    "javascript": _JAVASCRIPT,
    "javascriptreact": _JAVASCRIPT,
    "typescript": _JAVASCRIPT,
    "typescriptreact": _JAVASCRIPT,
    "java": _JAVA,
}
