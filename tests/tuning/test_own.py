"""`fimble tune own` from end to end with a tiny random model: stopped in any stage it goes on, and a loser stays out.

Needs the extra `tune`; `make test-tune` installs it and runs these.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.tuning.conftest import make_large_repository, make_repository
from tests.tuning.tiny_model import write_tiny_model

from fimble.backend.catalog.adapters import AdapterStore
from fimble.cli import tune as stages
from fimble.cli import tuned
from fimble.cli.main import root
from fimble.core.errors import FimbleError, InputError, ModelUnsuitableError
from fimble.engine.settings import user_paths
from fimble.tuning.gate import Verdict
from fimble.tuning.own import OwnFolder
from fimble.tuning.prepare.dataset import load
from fimble.tuning.training.run_folder import RunFolder

for _name in ("torch", "transformers", "peft"):
    pytest.importorskip(_name, reason='the extra is not installed: pip install "fimble[tune]"')
pytestmark = pytest.mark.filterwarnings("default", "ignore::ResourceWarning")  # the model process ends by itself


class Killed(BaseException):
    """As if the process had ended here: nothing of ours catches it."""


@pytest.fixture(autouse=True)
def _tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_MODEL_ID", str(write_tiny_model(tmp_path / "tiny.gguf")))
    monkeypatch.setenv("FIMBLE_MODEL_N_THREADS", "1")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository of a few files that differ enough to be learned from."""
    return make_large_repository(tmp_path / "My Shop", ("Basket", "Invoice", "Parcel", "Coupon", "Ledger", "Supplier"))


def own(repository: Path, work: Path, *options: str) -> Result:
    arguments = ["tune", "own", str(repository), "--work", str(work), "--threads", "1", "--examples", "80", *options]
    return CliRunner().invoke(root, arguments)


def installed() -> list[str]:
    return [adapter.name for adapter in AdapterStore(user_paths(os.environ).models).all()]


def let_it_win(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(compared: Any, tasks: str) -> Verdict:
        return Verdict(wins=True, reason=f"better on {tasks}", compared=tuple(compared))

    monkeypatch.setattr(tuned, "judge", judge)


def test_an_adapter_that_does_not_win_is_not_installed(shop: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    result = own(shop, work)
    assert isinstance(result.exception, FimbleError), result.output
    assert "does not win on your held-out files" in result.exception.message
    assert str(work / "run" / "adapter.gguf") in result.exception.mend
    for said in ("1/5 mining", "2/5 preparing", "3/5 training", "4/5 writing", "5/5 asking"):
        assert said in result.output
    assert "held-out loss" in result.output
    assert "em_first_line" in result.output
    data = load(work / "prepared")
    assert data.about.n_train + data.about.n_held_out <= 80
    assert RunFolder(work / "run").is_done
    assert installed() == []
    assert not list((work / "run").glob(".*.jsonl"))  # the comparison's answers go with the verdict


def test_a_winner_is_installed_under_the_folders_name_and_serves(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_win(monkeypatch)
    result = own(shop, tmp_path / "work")
    assert result.exit_code == 0, result.output
    assert 'set model.adapter to "my-shop"' in result.output
    assert installed() == ["my-shop"]
    monkeypatch.setenv("FIMBLE_MODEL_ADAPTER", "my-shop")
    place = f"{shop / 'shop' / 'money.py'}:14:9"
    answered = CliRunner().invoke(root, ["complete", place, "--json"])
    assert answered.exception is None, answered.output
    assert json.loads(answered.output)


def _while_mining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fimble.tuning.mine.run.save", _killed)


def _while_preparing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fimble.tuning.prepare.run.save", _killed)


def _while_training(monkeypatch: pytest.MonkeyPatch) -> None:
    _after(monkeypatch, RunFolder, "log", lambda values: values.get("step", 0) >= 7)


def _before_the_adapter_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned, "_export", _killed)


def _while_comparing(monkeypatch: pytest.MonkeyPatch) -> None:
    _after(monkeypatch, tuned.Partial, "add", lambda result: True)


def _before_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned, "_install", _killed)


def _killed(*_arguments: object, **_options: object) -> None:
    raise Killed


def _after(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, is_time: Callable[[Any], bool]) -> None:
    """Killed after `owner.name` did its work for a value of which `is_time` holds."""
    before = getattr(owner, name)

    def replaced(self: object, value: Any) -> None:
        before(self, value)
        if is_time(value):
            raise Killed

    monkeypatch.setattr(owner, name, replaced)


@pytest.mark.parametrize(
    ("kill", "done"),
    [
        (_while_mining, ()),
        (_while_preparing, ("mined/report.json",)),
        (_while_training, ("mined/report.json", "prepared/about.json", "run/run.json")),
        (_before_the_adapter_is_written, ("prepared/about.json", "run/adapter.npz")),
        (_while_comparing, ("prepared/about.json", "run/adapter.npz")),
        (_before_it_is_installed, ("prepared/about.json", "run/adapter.npz")),
    ],
)
def test_killed_it_goes_on_where_it_was_and_nothing_is_half_installed(
    kill: Callable[[pytest.MonkeyPatch], None],
    done: tuple[str, ...],
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = tmp_path / "work"
    with monkeypatch.context() as first:
        let_it_win(first)
        kill(first)
        with pytest.raises(Killed):
            own(shop, work)
    assert installed() == []
    times = {name: (work / name).stat().st_mtime_ns for name in done}
    n_steps_before = _n_steps(work)
    let_it_win(monkeypatch)
    result = own(shop, work)
    assert result.exit_code == 0, result.output
    assert "Going on with" in result.output
    assert {name: (work / name).stat().st_mtime_ns for name in done} == times
    if n_steps_before > 0:
        # Killed after step 7 with a checkpoint at 5: steps 6 and 7 are done again. Trained out, none is.
        n_steps = len([value for value in RunFolder(work / "run").metrics() if "loss" in value])
        assert _n_steps(work) == n_steps + (2 if kill is _while_training else 0)
    assert installed() == ["my-shop"]


def _n_steps(work: Path) -> int:
    """Steps that were made, those made twice counted twice."""
    curve = work / "run" / "metrics.jsonl"
    return curve.read_text("utf-8").count('"loss"') if curve.exists() else 0


def test_stopped_by_the_user_says_how_to_go_on(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "run_preparing", stop)
    result = own(shop, tmp_path / "work")
    assert result.exit_code == 1
    assert "The same command goes on from here." in result.output


def test_what_was_begun_otherwise_is_begun_anew(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    with monkeypatch.context() as first:
        _while_preparing(first)
        with pytest.raises(Killed):
            own(shop, work)
    with monkeypatch.context() as second:
        _while_preparing(second)
        with pytest.raises(Killed):
            own(shop, work, "--examples", "70")
    before = (work / "mined" / "report.json").stat().st_mtime_ns
    result = own(shop, work)
    assert "Going on" not in result.output
    assert (work / "mined" / "report.json").stat().st_mtime_ns > before


def test_two_at_once_do_not_work_in_one_folder(shop: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with OwnFolder(work).alone():
        result = own(shop, work)
    assert isinstance(result.exception, InputError)
    assert "is at work in" in result.exception.message
    assert not work.exists()


@pytest.mark.parametrize("stage", ["mined", "prepared", "run"])
def test_a_folder_of_somebody_else_is_left_alone(stage: str, shop: Path, tmp_path: Path) -> None:
    precious = tmp_path / "work" / stage / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine", "utf-8")
    result = own(shop, tmp_path / "work")
    assert isinstance(result.exception, InputError)
    assert "did not make" in result.exception.message
    assert precious.read_text("utf-8") == "mine"


def test_no_code_or_too_little_of_it_is_said_before_training(tmp_path: Path) -> None:
    empty, small = tmp_path / "empty", make_repository(tmp_path / "small")
    empty.mkdir()
    (small / "shop" / "orders.py").unlink()
    for repository, said in ((empty, "Nothing to learn from"), (small, "held-out tasks")):
        result = own(repository, tmp_path / "work")
        assert isinstance(result.exception, InputError), result.output
        assert said in result.exception.message
        assert result.exception.mend
        assert not (tmp_path / "work" / "run").exists()
    result = own(tmp_path / "nowhere", tmp_path / "other")
    assert isinstance(result.exception, InputError)
    assert "There is no folder" in result.exception.message
    assert not (tmp_path / "other").exists()


def test_a_model_that_cannot_be_tuned_is_refused_before_anything_is_written(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = write_tiny_model(tmp_path / "plain.gguf", has_markers=False)
    foreign = write_tiny_model(tmp_path / "foreign.gguf", architecture="llama")
    for model, said in ((plain, "no fill-in-the-middle markers"), (foreign, "llama architecture cannot be exported")):
        monkeypatch.setenv("FIMBLE_MODEL_ID", str(model))
        result = own(shop, tmp_path / "work")
        assert isinstance(result.exception, ModelUnsuitableError), result.output
        assert said in result.exception.message
        assert result.exception.mend
    assert not (tmp_path / "work").exists()


def test_too_little_memory_is_said_before_anything_is_written(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Memory:
        available = 900_000_000

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    result = own(shop, tmp_path / "work")
    assert isinstance(result.exception, ModelUnsuitableError), result.output
    assert "of memory; 0.9 GB are free" in result.exception.message
    assert not (tmp_path / "work").exists()
