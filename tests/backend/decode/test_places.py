"""Where a completion might end, by its text: `|` marks the places, `$0` what stands right of the cursor."""

from __future__ import annotations

import pytest

from fimble.backend.decode import places


def marked(text: str) -> tuple[str, list[int]]:
    *parts, last = text.split("|")
    lengths = [sum(map(len, parts[: n + 1])) for n in range(len(parts))]
    return "".join([*parts, last]), lengths


@pytest.mark.parametrize("text", ["a|\nb|\n", "\n\na|\n|\n|\nb", "a", "\n"])
def test_line_ends(text: str) -> None:
    written, lengths = marked(text)
    assert sorted(places.at_line_ends(written)) == lengths


@pytest.mark.parametrize("text", ["f(a|,|)|;", "\n  f(a|)|;\nb;", "f(a) |+ b"])
def test_signs_at_the_end_of_the_first_line(text: str) -> None:
    written, lengths = marked(text)
    expected = [at for at in lengths if not written[at - 1].isspace()]
    assert sorted(places.before_signs_of_first_line(written)) == expected


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("x > 0|) {\n  y|) {\nz", ") {"),
        ("x > 0) {", "){"),
        (") {", ") {"),
        ("a", ""),
    ],
)
def test_lines_that_end_with_all_of_the_rest(text: str, rest: str) -> None:
    assert (*marked(text)[:1], places.before_rest(marked(text)[0], rest)) == marked(text)


@pytest.mark.parametrize(
    ("text", "rest", "lengths"),
    [
        ("return x\nreturn y", "rn y", [13, 4]),
        ("return x", "rn z", [4]),
        ("return x", "n", []),
        ("return x", "", []),
        ("  a", "  a", []),
        ("a b c", " c d", [3]),
        ("a, b", ",", []),
    ],
)
def test_where_the_rest_begins(text: str, rest: str, lengths: list[int]) -> None:
    assert places.where_rest_begins(text, rest) == lengths


def test_places_are_few() -> None:
    text = "ab " * 1_000
    assert len(places.where_rest_begins(text, "ab c")) == places.MAX_PLACES
    assert len(places.within_line(text, range(len(text)))) == places.MAX_PLACES


@pytest.mark.parametrize(
    ("text", "rest", "leaves_none_open", "lengths"),
    [
        ("\n  a ) {\n)", " ) {", True, [4]),
        ("a).then(() => {", ");", True, []),
        ("a).then(() => {", ");", False, [1]),
        ("a) and (b)", "):", True, [9, 1]),
        (") a", ")", True, []),
        ("a", "", True, []),
        ("a, b", ", c", True, []),
    ],
)
def test_before_the_texts_own_closer(text: str, rest: str, *, leaves_none_open: bool, lengths: list[int]) -> None:
    assert places.before_own_closer(text, rest, leaves_none_open=leaves_none_open) == lengths


@pytest.mark.parametrize(
    ("text", "rest", "lengths"),
    [
        ("\n    <p>a</p>\n  </div>\n</body>", "</div>", [13]),
        ("\n    <div>\n    </div>\n  </div>", "</div>;", [21]),
        ("a</div>\n</body>", "</div>", []),
        ("\n  </div>", "</div>", []),
        ("\n    a\n  </b>", ")", []),
    ],
)
def test_before_the_texts_own_end_of_a_tag(text: str, rest: str, lengths: list[int]) -> None:
    assert places.before_own_tag(text, "  <div>", rest) == lengths
