"""Fusion of rankings, and what is left out of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fimble.context.rank import fuse
from fimble.core.flow import Chunk


def chunk(path: str, source: str = "definitions", text: str | None = None, score: float = 1.0) -> Chunk:
    return Chunk(path, text or f"def something_of_{path}(): ...\n", source, score)


def order(*found: list[Chunk], prefix: str = "", suffix: str = "") -> list[str]:
    return [item.path for item in fuse(found, prefix, suffix)]


def test_ranks_decide_not_scores() -> None:
    first = [chunk("a", "similar", score=0.001), chunk("b", "similar", score=0.0001)]
    second = [chunk("c", "open files", score=900.0), chunk("d", "open files", score=800.0)]
    assert order(first, second) == ["a", "c", "b", "d"]


def test_a_surer_source_comes_first_and_its_tail_does_not() -> None:
    sure = [chunk(f"s{rank}") for rank in range(12)]
    ranking = order([chunk("t", "similar")], sure)
    assert ranking[0] == "s0"
    assert 3 < ranking.index("t") < 12


def test_what_stands_around_the_cursor_is_left_out() -> None:
    prefix = "import os\n\ndef load(path):\n    with open(path) as file:\n        return file.read()\n"
    same = chunk("self.py", "similar", "def load(path):\n    with open(path) as file:\n        return file.read()\n")
    other = chunk(
        "b.py", "similar", "def save(path, text):\n    with open(path, 'w') as file:\n        file.write(text)\n"
    )
    assert order([same, other], prefix=prefix) == ["b.py"]
    assert order([same, other], suffix=prefix) == ["b.py"]
    assert order([same, other]) == ["self.py", "b.py"]


def test_lines_of_a_file_are_shown_once() -> None:
    whole = chunk("a.py", "definitions", "def one_thing(): ...\ndef other_thing(): ...\n")
    part = chunk("a.py", "similar", "def other_thing(): ...\n")
    more = chunk("a.py", "similar", "def other_thing(): ...\ndef third_thing(): ...\n")
    assert [item.source for item in fuse([[whole], [part]])] == ["definitions"]
    assert [item.source for item in fuse([[whole], [more]])] == ["definitions", "similar"]


def test_small_chunks_stay() -> None:
    assert order([chunk("a", text="x = 1\n")], prefix="x = 1\n") == ["a"]


@given(
    st.lists(
        st.lists(
            st.builds(
                Chunk,
                st.sampled_from(["a", "b", "c"]),
                st.text("abc \n", max_size=40),
                st.sampled_from(["definitions", "similar", "x"]),
                st.floats(0, 9),
            ),
            max_size=6,
        ),
        max_size=4,
    )
)
def test_a_ranking_is_ordered_and_the_same_each_time(found: list[list[Chunk]]) -> None:
    fused = fuse(found)
    scores = [item.score for item in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    assert fuse(found) == fused
    texts = {(item.path, item.text, item.source) for chunks in found for item in chunks}
    assert all((item.path, item.text, item.source) in texts for item in fused)
