"""Grammars of the user's own: pieces are judged by them where the file follows them, else by the language's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.backend.decode.constraint import LeftConstraint
from fimble.backend.decode.user_grammar import require_usable, viability_by
from fimble.core.errors import InputError
from fimble.core.flow import Constraint, GrammarKind, UserGrammar
from fimble.syntax.parse import TreeCache

pytest.importorskip("llguidance")

CONF = UserGrammar(
    GrammarKind.LARK,
    """start: line*
line: KEY " = " VALUE "\\n"
KEY: /[a-z_]+/
VALUE: /[0-9]+/ | "yes" | "no"
""",
)
GBNF = UserGrammar(
    GrammarKind.GBNF,
    """root ::= line*
line ::= key " = " ("yes" | "no") "\\n"
key ::= [a-z]+
""",
)
SCHEMA = UserGrammar(
    GrammarKind.JSON_SCHEMA,
    """{"type": "object", "additionalProperties": false,
    "properties": {"name": {"type": "string"}, "level": {"enum": ["low", "high"]}}}""",
)


@pytest.mark.parametrize(
    ("grammar", "prefix", "yes", "no"),
    [
        (CONF, "port = ", [b"80", b"y", b"yes\n", b"no\nab"], [b"x", b" 8", b"yes no", b"\n"]),
        (CONF, "", [b"a", b"port = 1\n"], [b"1", b"=", b"A"]),
        (CONF, "a = 1\nb = ye", [b"s", b"s\n"], [b"es", b"\n"]),
        (GBNF, "port = ", [b"ye", b"no\n"], [b"80", b"maybe"]),
        (SCHEMA, '{"na', [b'me": "', b'me": "\xc3'], [b'mes"', b'm": 1']),
        (SCHEMA, '{"name": "x", "level": "', [b"l", b"high", b'low"}'], [b"x", b'lower"']),
    ],
)
def test_pieces(grammar: UserGrammar, prefix: str, yes: list[bytes], no: list[bytes]) -> None:
    viability = viability_by(grammar, prefix)
    assert viability is not None
    for _ in range(2):  # judging leaves no trace
        assert [piece for piece in yes if not viability.viable(piece)] == []
        assert [piece for piece in no if viability.viable(piece)] == []


@given(st.lists(st.sampled_from([b"a", b" = ", b"1", b"yes", b"\n", b"=", b"\xff"]), max_size=8))
def test_taking_back_undoes_taking(pieces: list[bytes]) -> None:
    viability = viability_by(CONF, "a")
    fresh = viability_by(CONF, "a")
    assert viability is not None
    assert fresh is not None
    for piece in pieces:
        viability.accept(piece)
    for _ in pieces:
        viability.pop()
    for piece in (b"b", b" = 1", b"=", b"\n"):
        assert viability.viable(piece) == fresh.viable(piece)


def test_after_a_piece_that_is_not_viable_nothing_is() -> None:
    viability = viability_by(CONF, "a = ")
    assert viability is not None
    viability.skip(b"yex")
    assert not viability.viable(b"\n")
    viability.pop()
    assert viability.viable(b"yes")


@pytest.mark.parametrize("prefix", ["a: ", "a = 1 ", "A"])
def test_a_file_that_does_not_follow_it_is_not_judged_by_it(prefix: str) -> None:
    assert viability_by(CONF, prefix) is None


@pytest.mark.parametrize(
    ("grammar", "prefix", "expected"),
    [(GBNF, "port = ", b"ny"), (SCHEMA, '{"level": "', b"hl"), (SCHEMA, '{"level": "l', b"o"), (CONF, "a = y", b"e")],
)
def test_the_bytes_that_may_come_next(grammar: UserGrammar, prefix: str, expected: bytes) -> None:
    viability = viability_by(grammar, prefix)
    assert viability is not None
    assert bytes(viability.next_bytes()) == expected
    viability.skip(b"\xff")
    assert viability.next_bytes() == ()


def test_the_constraint_names_them_where_they_are_few() -> None:
    def next_bytes(prefix: str, share: float = 1.0) -> tuple[int, ...] | None:
        hole = Constraint("json", prefix, "", share, SCHEMA)
        ticks = iter(range(100))
        constraint = LeftConstraint(hole, TreeCache(), clock_ms=lambda: float(next(ticks)))
        constraint.start()
        return constraint.next_bytes()

    assert next_bytes('{"level": "') == (ord("h"), ord("l"))
    assert next_bytes('{"name": "') is None, "nearly every byte may come"
    assert next_bytes('{"level": "', share=0.0) is None
    assert next_bytes('{"other": "') is None, "the language's own grammar judges there"


def test_a_long_file_is_not_read() -> None:
    assert viability_by(CONF, "a = 1\n" * 20_000) is None
    assert viability_by(CONF, "a = 1\n" * 10_000) is not None


@pytest.mark.parametrize(
    "grammar",
    [
        UserGrammar(GrammarKind.LARK, "start: nothing"),
        UserGrammar(GrammarKind.GBNF, "root ::= ("),
        UserGrammar(GrammarKind.GBNF, ""),
        UserGrammar(GrammarKind.GBNF, "root ::= nothing"),
        UserGrammar(GrammarKind.JSON_SCHEMA, "{"),
        UserGrammar(GrammarKind.JSON_SCHEMA, '{"type": "no such"}'),
    ],
)
def test_a_broken_grammar_is_said_to_be_and_judges_nothing(grammar: UserGrammar) -> None:
    with pytest.raises(InputError, match="cannot be used") as caught:
        require_usable(grammar)
    assert caught.value.mend
    assert viability_by(grammar, "") is None


def test_the_constraint_refuses_by_it_and_falls_back() -> None:
    def refuses(prefix: str, piece: bytes, language_id: str = "plaintext") -> bool:
        constraint = LeftConstraint(Constraint(language_id, prefix, "\n", 1.0, CONF), TreeCache(), clock_ms=lambda: 0.0)
        constraint.start()
        return constraint.push(piece) is not None

    assert refuses("port = ", b"x")
    assert not refuses("port = ", b"8")
    assert not refuses("Port: ", b"x"), "the grammar judged a file that does not follow it"
    assert refuses("x = (1 + ", b")", "python"), "the language's own grammar has to judge then"


def test_pieces_are_taken_back_through_the_constraint() -> None:
    constraint = LeftConstraint(Constraint("plaintext", "a = ", "", 1.0, CONF), TreeCache(), clock_ms=lambda: 0.0)
    constraint.start()
    assert constraint.push(b"y") is None
    assert constraint.push(b"x") is not None
    constraint.take_back(1)
    assert constraint.push(b"1") is None
