"""`fimble complete` with a scripted model: positions, encodings, line ends, wrong inputs, the JSON object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.style import Style
from rich.text import Text

from fimble.cli.main import root
from fimble.core.errors import FimbleError, InputError, ModelMissingError

ANSWER = "answer"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scripted model that writes `answer` everywhere, as the configured model."""
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"prefix_endswith": "", "answer": ANSWER}]))
    monkeypatch.setenv("FIMBLE_MODEL_ID", f"scripted:{path}")
    return path


def ask(*arguments: str, stdin: bytes | None = None) -> dict[str, object]:
    result = CliRunner().invoke(root, ["complete", "--json", *arguments], input=stdin)
    if result.exception:
        raise result.exception
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


def test_the_other_files_of_the_workspace_are_seen(script: Path, tmp_path: Path) -> None:
    """As in an editor; by default the workspace is the repository that the file is in."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "pkg").mkdir(parents=True)
    elsewhere.mkdir()
    (project / "pyproject.toml").touch()
    (project / "pkg" / "store.py").write_text("class Store:\n    def find(self, key): ...\n")
    (project / "pkg" / "main.py").write_text("from pkg.store import Store\n\nstore = Store()\nstore.\n")
    place = f"{project}/pkg/main.py:4:7"
    n_tokens = [int(str(ask(place, *more)["n_prompt_tokens"])) for more in ((), ("--workspace", str(elsewhere)))]
    assert n_tokens[0] > n_tokens[1] + len("def find(self, key)")


def test_the_json_object_is_the_documented_one(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1\ny = \n")
    answer = ask(f"{path}:2:5")
    assert answer["completion"] == ANSWER
    assert answer["replace"] == {"start": 10, "end": 10}
    assert answer["rejection"] is None
    assert answer["model"] == "scripted"
    assert set(answer["timings"]) == {
        "queue_ms",
        "prompt_ms",
        "first_token_ms",
        "total_ms",
        "writing_ms",
        "constraint_ms",
    }  # type: ignore[call-overload]
    assert {"n_prompt_tokens", "n_reused_tokens", "n_generated_tokens"} < set(answer)


@pytest.mark.parametrize(
    ("raw", "place", "start"),
    [
        ("\ufeffx = \n".encode(), "1:5", 7),  # the byte order mark counts in the file, not in the column
        (b"a\r\nx = \r\n", "2:5", 7),
        ("s = '😀é'; x = \n".encode(), "1:15", 18),  # columns are characters
        (b"x = ", "1:5", 4),
        (b"", "1:1", 0),
        (b"x\n", "2:1", 2),
        (b"x = '<|fim_middle|>'\ny = \n", "2:5", 25),
    ],
)
def test_positions(script: Path, tmp_path: Path, raw: bytes, place: str, start: int) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(raw)
    answer = ask(f"{path}:{place}")
    assert answer["replace"] == {"start": start, "end": start}
    assert answer["completion"] == ANSWER


def test_standard_input_needs_a_name(script: Path) -> None:
    assert ask("-:1:5", "--path", "b.py", stdin=b"x = \n")["completion"] == ANSWER
    with pytest.raises(InputError, match="--path"):
        ask("-:1:5", stdin=b"x = \n")


@pytest.mark.parametrize(
    ("raw", "place", "message"),
    [
        (b"x\n", "3:1", "has 2 lines; there is no line 3"),
        (b"x\n", "0:1", "there is no line 0"),
        (b"x\n", "1:4", "columns 1 to 2; there is no column 4"),
        (b"\x7fELF\0\0", "1:1", "binary file"),
        (b"\xff\xfex\0", "1:1", "UTF-16"),
        (b"caf\xe9\n", "1:1", "not UTF-8"),
    ],
)
def test_wrong_input_is_a_sentence(script: Path, tmp_path: Path, raw: bytes, place: str, message: str) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=message):
        ask(f"{path}:{place}")


@pytest.mark.parametrize("location", ["a.py", "a.py:1", "a.py:1:x", ":1:1", "a.py:1:-1", "a.py:²:1"])
def test_a_location_that_is_none_is_a_sentence(script: Path, location: str) -> None:
    with pytest.raises(InputError, match="PATH:LINE:COL"):
        ask(location)


def test_missing_files_and_folders_are_named(script: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*nothing\.py"):
        ask(f"{tmp_path}/nothing.py:1:1")
    with pytest.raises(InputError, match="is a folder"):
        ask(f"{tmp_path}:1:1")


def test_a_large_file_is_answered_and_a_larger_one_refused(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "big.py"
    path.write_text("value = compute(value)\n" * 230_000 + "x = \n")  # over 5 MB
    assert ask(f"{path}:230001:5")["completion"] == ANSWER
    path.write_text("value = compute(value)\n" * 900_000)
    rejection = ask(f"{path}:1:1")["rejection"]
    assert isinstance(rejection, dict)
    assert rejection["reason"] == "too_large"


def test_one_endless_line_is_answered(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "min.js"
    path.write_text("var a=1;" * 600_000)
    assert ask(f"{path}:1:4800001")["completion"] == ANSWER


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = \n")
    with pytest.raises(ModelMissingError) as caught:
        ask(f"{path}:1:5")
    assert "fimble models pull" in caught.value.mend
    assert caught.value.exit_code == 3


def test_the_answer_keeps_the_files_line_ends(tmp_path: Path, script: Path) -> None:
    script.write_text(json.dumps([{"prefix_endswith": "", "answer": "a\n    b"}]))
    path = tmp_path / "a.py"
    path.write_bytes(b"def f():\r\n    \r\n")
    assert ask(f"{path}:2:5", "--lines", "multi")["completion"] == "a\r\n    b"


def test_no_completion_has_a_reason_and_exit_code_zero(script: Path, tmp_path: Path) -> None:
    script.write_text("[]")
    path = tmp_path / "a.py"
    path.write_text("x = \n")
    answer = ask(f"{path}:1:5")
    assert answer["completion"] == ""
    assert answer["replace"] is None
    assert answer["rejection"] == {"reason": "empty", "detail": "The model had nothing to add here."}


def test_people_see_the_completion_in_place(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = \n")
    result = CliRunner().invoke(root, ["complete", f"{path}:1:5"])
    assert result.exit_code == 0
    assert f"x = {ANSWER}" in result.stdout
    assert "written" in result.stdout


@pytest.mark.parametrize(
    ("name", "raw", "place", "written", "marked"),
    [
        ("a.py", b"x = \n", "1:5", ANSWER, ANSWER),
        ("a.go", b"func f() {\n\tx := \n}\n", "2:7", "foo(1)", "foo(1)"),
        ("a.go", b"func f() {\n\tlog(1)\n\ta,\tb := \n}\n", "3:10", "foo(1)", "foo(1)"),
        ("a.go", b"func f() {\n\t\n}\n", "2:2", "a :=\t1", "a :=    1"),
        ("a.py", b"import a\r\nimport b\r\nx = \r\ny = 1\r\n", "3:5", ANSWER, ANSWER),
        ("a.py", b"import a\n\x0c\nx = \n", "3:5", ANSWER, ANSWER),
        ("a.unknown", b"a\tb\r\n\tx = \n", "2:6", ANSWER, ANSWER),
    ],
    ids=["plain", "tab before", "tabs in the lines above", "tab in it", "CRLF", "form feed", "no lexer"],
)
def test_what_is_marked_is_the_completion(
    script: Path, tmp_path: Path, name: str, raw: bytes, place: str, written: str, marked: str
) -> None:
    """Tabs, line ends and control characters are drawn as others than the file has."""
    script.write_text(json.dumps([{"prefix_endswith": "", "answer": written}]))
    path = tmp_path / name
    path.write_bytes(raw)
    result = CliRunner(env={"FORCE_COLOR": "1", "TERM": "xterm-256color"}).invoke(root, ["complete", f"{path}:{place}"])
    assert result.exit_code == 0, result.output
    shown = Text.from_ansi(result.stdout)
    spans = [span for span in shown.spans if isinstance(span.style, Style) and span.style.reverse]
    assert "".join(shown.plain[span.start : span.end] for span in spans) == marked


def test_every_error_of_ours_has_an_exit_code_of_its_kind() -> None:
    codes = {
        cls.__name__: cls.exit_code
        for cls in (FimbleError, *FimbleError.__subclasses__())
        if cls.__module__ == FimbleError.__module__
    }
    assert codes["FimbleError"] == 1
    assert len(set(codes.values())) == len(codes)
