"""What each context arm shows the model: nothing, the record's pieces, or what fimble chooses."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from fimble.backend.scripted import ScriptedBackend
from fimble.context.sources.definitions import Definitions
from fimble.core.config import Layer
from fimble.core.errors import InputError
from fimble.core.flow import Prompt
from fimble.engine.complete import Engine
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine
from fimble.evaluation.answers import Completer
from fimble.evaluation.context_arms import ContextArm, files_digest, with_context
from fimble.evaluation.fim import prepare, run_records
from fimble.evaluation.records import CrossFile, Record
from fimble.evaluation.results import Partial
from fimble.evaluation.sets import spec_of
from fimble.evaluation.targets import Subject, open_subject

RECORD = Record(
    id="r",
    language="python",
    path="pkg/main.py",
    prefix="from pkg.store import Store\n\n\ndef run(store: Store):\n    return store.",
    suffix="\n",
    middle="find(1)",
    cross_file=(CrossFile("pkg/notes.py", "second_piece = 2\n"), CrossFile("pkg/notes.py", "first_piece = 1\n")),
    meta={"repo": "owner/name", "definer_imported": True},
)


class Seen:
    """A subject over a scripted model; keeps the prompts."""

    def __init__(self, home: Path | None = None) -> None:
        self.backend = ScriptedBackend(lambda prompt: "find(1)")
        self.settings = load_settings(environ={"FIMBLE_HOME": str(home)} if home else {})

        @contextlib.asynccontextmanager
        async def open_it(workspace: Path) -> AsyncGenerator[Completer]:
            engine = build_engine(self.settings, backend=self.backend, workspace=workspace)
            yield engine
            await engine.aclose()

        unused: Any = None
        self.subject = Subject("scripted", lambda lines: open_it, unused, self.settings.paths.cache if home else None)

    async def prompt(self, arm: ContextArm, repositories: Path | None = None, record: Record = RECORD) -> str:
        """What the model was shown for the record."""
        shown = with_context(self.subject, arm, [record], repositories)
        partial = Partial(None, {})
        (result,) = await run_records(
            "xfile", [record], spec_of("xfile"), shown.completers("single"), partial, lambda _: None
        )
        assert result.scores["em"] == 1
        return text_of(self.backend.prompts[-1])


def text_of(prompt: Prompt) -> str:
    return "".join(segment.text for segment in prompt.segments)


async def test_none_shows_the_file_alone() -> None:
    shown = await Seen().prompt("none")
    assert "def run(store: Store)" in shown
    assert "piece" not in shown


async def test_given_shows_every_piece_in_the_order_given() -> None:
    shown = await Seen().prompt("given")
    assert 0 <= shown.index("second_piece") < shown.index("first_piece") < shown.index("def run")


async def test_a_busy_machine_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources and names that take longer than an editor would wait are waited for."""
    for name, look in {"find": Definitions.find, "names": Definitions.names}.items():

        def late(*arguments: Any, look: Callable[..., Any] = look) -> Any:
            time.sleep(0.6)
            return look(*arguments)

        monkeypatch.setattr(Definitions, name, late)
    monkeypatch.setattr("fimble.engine.complete._SETTLE_S", 0.1)
    script = tmp_path / "rules.json"
    script.write_text("[]")
    settings = load_settings(
        [Layer("test", {"model.id": f"scripted:{script}"})], environ={"FIMBLE_HOME": str(tmp_path / "home")}
    )
    workspace = tmp_path / "w"
    workspace.mkdir()
    store = CrossFile("pkg/store.py", "class Store:\n    def find(self, key: int) -> str: ...\n")
    asked = prepare(dataclasses.replace(RECORD, cross_file=(store,)), workspace)
    async with open_subject("fimble", settings, Path) as subject, subject.completers("single")(workspace) as engine:
        assert isinstance(engine, Engine)
        prompt = await engine.prompt_for(asked)
    assert "def find(self, key: int) -> str" in text_of(prompt)
    assert prompt.name_rests


async def test_repository_shows_what_fimble_finds_there(tmp_path: Path) -> None:
    package = tmp_path / "owner__name" / "pkg"
    package.mkdir(parents=True)
    (package / "store.py").write_text("class Store:\n    def find(self, key: int) -> str: ...\n")
    (package / "main.py").write_text(RECORD.prefix + "the_true_middle" + RECORD.suffix)
    shown = await Seen().prompt("repository", tmp_path)
    assert "def find(self, key: int) -> str" in shown
    assert "piece" not in shown
    assert "the_true_middle" not in shown
    assert (package / "main.py").read_text().count("the_true_middle") == 1


@pytest.mark.parametrize("name", ["main.py", "[id].py", "[[...all]]*?.py"])
async def test_a_repository_is_indexed_whatever_its_size_and_the_hole_is_in_no_index(tmp_path: Path, name: str) -> None:
    package = tmp_path / "owner__name" / "pkg"
    package.mkdir(parents=True)
    (package / "store.py").write_text("class Store:\n    def find(self, key): ...\n")
    (package / "jobs.py").write_text("def run(store, kind):\n    return store.find(kind.key)\n")
    (package / name).write_text(RECORD.prefix + "the_true_middle()" + RECORD.suffix)
    for n in range(80):
        (package / f"filler_{n}.py").write_text(f"def filler_{n}(): ...\n")
    # The same file where it stood at another commit.
    (package / "old").mkdir()
    (package / "old" / name).write_text("import old\n" + RECORD.prefix + "find(old_key)" + RECORD.suffix)
    record = dataclasses.replace(RECORD, path=f"pkg/{name}")
    shown = await Seen(tmp_path / "home").prompt("repository", tmp_path, record)
    assert "return store.find(kind.key)" in shown
    assert "the_true_middle()" not in shown
    assert "old_key" not in shown
    assert (package / "old" / name).exists()
    assert len(list((tmp_path / "home" / "cache" / "index").iterdir())) == 1


def test_a_repository_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="owner/name"):
        with_context(Seen().subject, "repository", [RECORD], tmp_path)


def test_repositories_with_other_files_are_told_apart(tmp_path: Path) -> None:
    root = tmp_path / "owner__name"
    (root / ".git").mkdir(parents=True)
    (root / "a.py").write_text("x")
    first = files_digest([RECORD, RECORD], tmp_path)
    (root / ".git" / "index").write_text("not copied")
    (tmp_path / "other__name").mkdir()
    assert files_digest([RECORD], tmp_path) == first
    (root / "a.py").write_text("xy")
    second = files_digest([RECORD], tmp_path)
    (root / "b.py").touch()
    assert len({first, second, files_digest([RECORD], tmp_path)}) == 3


async def test_a_peer_cannot_be_shown_other_files() -> None:
    seen = Seen()

    @contextlib.asynccontextmanager
    async def open_peer(workspace: Path) -> AsyncGenerator[Any]:
        yield object()

    peer = Subject("peer", lambda lines: open_peer, seen.subject.replay)
    with pytest.raises(InputError, match="own engine"):
        async with with_context(peer, "none", [RECORD], None).completers("single")(Path()):
            pass
