"""llama.vim's behaviour: what is sent, what is shown, what the ring holds, what the cache answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fimble.core.errors import BackendError
from fimble.core.flow import (
    AnswerSource,
    Completion,
    CompletionRequest,
    Document,
    Rejection,
    RejectReason,
    RequestId,
    StopReason,
    Trigger,
)
from fimble.core.position import CharIndex, TextIndex
from fimble.evaluation.answers import answer_of
from fimble.evaluation.peers import llama_vim
from fimble.evaluation.peers.llama_server import LlamaVim
from fimble.evaluation.peers.llama_vim import Chunk, Place, Ring, local_context, shown, similarity


def place(marked: str) -> Place:
    """`$0` marks the cursor."""
    before = marked.split("$0")[0]
    lines = tuple(marked.replace("$0", "").split("\n"))
    return Place(lines, before.count("\n"), len(before.rpartition("\n")[2]))


def test_the_context_is_lines_around_and_the_line_itself_apart() -> None:
    context = local_context(place("a\nb\n    x = $0f(1)\nc\nd"))
    assert (context.prefix, context.middle, context.suffix) == ("a\nb\n", "    x = ", "f(1)\nc\nd\n")
    assert (context.n_indent, context.n_chars_right) == (4, 4)


def test_a_blank_line_starts_at_its_beginning() -> None:
    context = local_context(place("a\n    $0  \nb"))
    assert (context.middle, context.suffix, context.n_indent, context.n_chars_right) == ("", "\nb\n", 0, 0)


def test_the_window_is_256_lines_above_and_64_below() -> None:
    context = local_context(place("\n".join(f"l{n}" for n in range(400)) + "$0\n" + "\n".join("m" for _ in range(100))))
    assert context.prefix.count("\n") == 256
    assert context.prefix.startswith("l143\n")
    assert context.suffix.count("\n") == 1 + 64


def test_the_request_is_llama_vims() -> None:
    body = llama_vim.request_body(local_context(place("a\nb$0")), [Chunk(("x", "y"), "f.py")], 250, 1)
    assert body["prompt"] == "b"
    assert body["input_extra"] == [{"text": "x\ny\n", "filename": "f.py"}]
    assert body["samplers"] == ["top_k", "top_p", "infill"]
    assert (body["top_k"], body["top_p"], body["n_predict"], body["t_max_predict_ms"]) == (40, 0.90, 128, 250)
    assert "temperature" not in body
    assert body["cache_prompt"] is True


@pytest.mark.parametrize(
    ("marked", "content", "expected"),
    [
        ("x = $0", "f(1)\n\n", ("f(1)",)),  # line ends at the end go
        ("x = $0", "", None),
        ("x = $0", "\n \n", None),  # only white space
        ("x = $0", "f(\n  1)", ("f(", "  1)")),
        ("x = $0)", ")", None),  # what stands right of the cursor
        ("a$0\nb\nc", "\nb\nc", None),  # a line end, then the lines below
        ("    $0\n\n    return x", "    return x", None),  # the next line that says something
        ("    $0\n    a\n    b", "    a\n    b", None),  # it and the beginning of the one after
        ("    $0\n    a\n    b\n    c", "    a\n    b\n    c", None),
        ("    $0\n    a\n    z", "    a\n    b", ("    a", "    b")),
        ("    $0", "    return x", ("    return x",)),  # its own indentation replaces the line's
        ("    $0", "return x", ("return x",)),
        ("    $0", "        deeper", ("        deeper",)),
    ],
)
def test_shown(marked: str, content: str, expected: tuple[str, ...] | None) -> None:
    made = shown(content, place(marked))
    assert (made.lines if made else None) == expected


def test_similarity_counts_shared_words() -> None:
    assert similarity(["a b"], ["a b"]) == 1.0
    assert similarity(["a b"], ["c d"]) == 0.0
    assert similarity(["a b c"], ["a x"]) == pytest.approx(2 * 1 / 5)
    assert similarity([], [""]) == 1.0


def test_the_ring_takes_one_queued_chunk_at_a_time_and_drops_the_oldest() -> None:
    ring = Ring()
    for n in range(18):
        ring.pick([f"word{n}"] * 3, "f", evicts=True)
        assert ring.advance()
    assert not ring.advance()
    assert len(ring.chunks) == llama_vim.RING_N_CHUNKS
    assert ring.chunks[0].lines == ("word2",) * 3
    ring.pick(["word5"] * 3, "f", evicts=True)  # known already
    ring.pick(["too", "short"], "f", evicts=True)
    assert not ring.advance()


def test_chunks_like_the_text_at_the_cursor_are_dropped_before_a_request() -> None:
    ring = Ring()
    for words in ("first one", "alpha beta", "gamma delta"):
        ring.pick([words] * 3, "f", evicts=True)
        ring.advance()
    ring.drop_similar(place("alpha beta\nalpha beta\nalpha beta$0"))
    assert [chunk.lines[0] for chunk in ring.chunks] == ["first one", "gamma delta"]


class FakeServer:
    """Answers /infill with prepared contents; the last one for ever."""

    model_id = "m"

    def __init__(self, *contents: str) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._contents = list(contents)

    async def infill(self, body: dict[str, Any]) -> dict[str, Any]:
        self.bodies.append(body)
        content = self._contents.pop(0) if len(self._contents) > 1 else self._contents[0]
        timings = {"cache_n": 30, "prompt_n": 12, "prompt_ms": 5.0, "predicted_n": 4, "predicted_ms": 8.0}
        return {"content": content, "stop_type": "limit", "timings": timings}


def request(marked: str, folder: Path, trigger: Trigger = Trigger.INVOKED) -> CompletionRequest:
    before, _, after = marked.partition("$0")
    text = before + after
    document = Document((folder / "a.py").as_uri(), "python", 1, text)
    return CompletionRequest(RequestId("1"), document, TextIndex(text).to_byte(CharIndex(len(before))), trigger)


def vim(server: Any, folder: Path) -> LlamaVim:
    return LlamaVim(server, folder)


@pytest.mark.parametrize(
    ("marked", "content", "document"),
    [
        ("é = $0)\n", "f(1\n", "é = f(1)\n"),
        ("def f():\n    $0\n", "    return 1\n", "def f():\n    return 1\n"),
        ("def f():\n    $0\n", "return 1\n", "def f():\nreturn 1\n"),  # as it would look in the editor
        ("def f():\r\n    $0\r\n", "    a\n    b", "def f():\r\n    a\r\n    b\r\n"),
    ],
)
async def test_an_answer_is_put_into_the_document(tmp_path: Path, marked: str, content: str, document: str) -> None:
    asked = request(marked, tmp_path)
    outcome = await vim(FakeServer(content), tmp_path).complete(asked)
    assert isinstance(outcome, Completion)
    assert answer_of(asked, outcome).document == document
    assert (outcome.n_prompt_tokens, outcome.n_reused_tokens, outcome.n_generated_tokens) == (42, 30, 4)
    assert outcome.stop_reason is StopReason.TIME_BOX


async def test_typing_into_a_suggestion_asks_nobody(tmp_path: Path) -> None:
    server = FakeServer("hello()", "other")
    editor = vim(server, tmp_path)
    await editor.complete(request("x = $0\n", tmp_path))
    outcome = await editor.complete(request("x = he$0\n", tmp_path))
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.source, outcome.n_prompt_tokens) == ("llo()", AnswerSource.TYPE_THROUGH, 0)
    assert len(server.bodies) == 1
    outcome = await editor.complete(request("x = hex$0\n", tmp_path))
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.source) == ("other", AnswerSource.MODEL)


async def test_it_asks_ahead_as_if_the_suggestion_were_accepted(tmp_path: Path) -> None:
    server = FakeServer("f(\n    1)", "\ny = 2")
    editor = vim(server, tmp_path)
    await editor.complete(request("x = $0\nz = 3\n", tmp_path))
    await editor.follow_up(1_000.0)
    await editor.follow_up(1_000.0)  # known by now
    first, ahead = server.bodies
    assert (first["t_max_predict_ms"], ahead["t_max_predict_ms"]) == (250, 1000)
    assert (ahead["input_prefix"], ahead["prompt"]) == ("\nx = f(\n"[1:], "    1)")
    assert first["input_suffix"] == ahead["input_suffix"] == "\nz = 3\n"


@pytest.mark.parametrize(
    ("marked", "suffix"),
    [("$0\nend", "\nend\n"), ("$0\nend\n\n", "\nend\n\n"), ("x = $0\n", "\n\n"), ("x\n$0", "\n\n")],
)
async def test_the_last_line_end_begins_no_line(tmp_path: Path, marked: str, suffix: str) -> None:
    server = FakeServer("x")
    await vim(server, tmp_path).complete(request(marked, tmp_path))
    assert server.bodies[0]["input_suffix"] == suffix


async def test_far_left_of_a_lines_end_it_asks_nothing_by_itself(tmp_path: Path) -> None:
    server = FakeServer("x")
    marked = "f($0, a long rest)\n"
    outcome = await vim(server, tmp_path).complete(request(marked, tmp_path, Trigger.AUTOMATIC))
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, server.bodies) == (RejectReason.DISABLED, [])
    assert isinstance(await vim(server, tmp_path).complete(request(marked, tmp_path)), Completion)


async def test_other_files_of_the_workspace_count_as_opened_before(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "b.py").write_text("\n".join(f"line {n}" for n in range(100)))
    (tmp_path / "a.py").write_text("the edited file\n" * 5)
    server = FakeServer("x")
    await vim(server, tmp_path).complete(request("y = $0\n", tmp_path))
    (extra,) = server.bodies[0]["input_extra"]
    assert extra["filename"] == "lib/b.py"
    assert extra["text"].count("\n") == 33


async def test_it_warms_the_ring_only_after_three_seconds_of_rest(tmp_path: Path) -> None:
    server = FakeServer("x")
    editor = vim(server, tmp_path)
    text = "\n".join(f"some words {n}" for n in range(600)) + "$0\n" + "\n".join(f"below {n}" for n in range(200))
    asked = request(text, tmp_path)
    await editor.complete(asked)
    await editor.idle(asked.document, asked.cursor, 2900)
    assert len(server.bodies) == 1
    await editor.idle(asked.document, asked.cursor, 60_000)
    assert [body["n_predict"] for body in server.bodies[1:]] == [0, 0]  # a chunk above the window, one below
    assert [len(body["input_extra"]) for body in server.bodies[1:]] == [1, 2]


async def test_a_server_that_is_gone_is_a_rejection_with_its_error(tmp_path: Path) -> None:
    class Gone(FakeServer):
        async def infill(self, body: dict[str, Any]) -> dict[str, Any]:
            raise BackendError("gone")

    outcome = await vim(Gone("x"), tmp_path).complete(request("x = $0", tmp_path))
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, isinstance(outcome.error, BackendError)) == (RejectReason.BACKEND_FAILED, True)
