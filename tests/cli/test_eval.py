"""`fimble eval`, `fimble replay` and `fimble bench` end to end with a scripted model."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fimble.backend.catalog.adapters import AdapterStore
from fimble.backend.catalog.store import InstalledModel, ModelStore
from fimble.cli.eval import settings_for, weights_name
from fimble.cli.main import root
from fimble.core.errors import FimbleError, InputError, ModelMissingError
from fimble.evaluation import sandbox
from fimble.evaluation.results import config_hash

TRUE_MIDDLE = "return a + b"


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scripted model: right for `add`, silent elsewhere."""
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"prefix_endswith": "def add(a, b):\n    ", "answer": TRUE_MIDDLE}]))
    monkeypatch.setenv("FIMBLE_MODEL_ID", f"scripted:{path}")
    return path


def value(record_id: str, name: str, **changes: object) -> dict[str, object]:
    return {
        "id": record_id,
        "language": "python",
        "path": "m.py",
        "prefix": f"def {name}(a, b):\n    ",
        "suffix": "\n",
        "middle": TRUE_MIDDLE,
        "tests": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
        "entry_point": name,
        **changes,
    }


def write_set(path: Path, *records: dict[str, object]) -> Path:
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    return path


def fimble(*arguments: object) -> Result:
    result = CliRunner().invoke(root, [str(argument) for argument in arguments])
    if isinstance(result.exception, FimbleError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Two records: one the scripted model gets right, one it does not answer."""
    return write_set(tmp_path / "mine.jsonl.gz", value("right", "add"), value("silent", "mul"))


def test_scores_every_record_and_writes_the_run(tmp_path: Path, mine: Path) -> None:
    out = tmp_path / "run.json"
    shown = fimble("eval", "--set", mine, "--lines", "single", "--json", out).stdout
    run = json.loads(out.read_text())
    by_id = {result["record_id"]: result for result in run["results"]}
    assert by_id["right"]["scores"]["em"] == by_id["right"]["scores"]["parse_ok"] == 1
    assert (by_id["silent"]["scores"]["em"], by_id["silent"]["rejection"]) == (0, "empty")
    if sandbox.problem() is None:
        assert (by_id["right"]["test_outcome"], by_id["silent"]["test_outcome"]) == ("passed", "failed: no answer")
    assert run["config"]["sets"][0]["lines"] == "single"
    assert "tree-sitter-python" in run["config"]["versions"]
    assert ("node" in run["config"]["programs"]) is bool(shutil.which("node"))
    assert run["machine"]["versions"]["fimble"]
    assert "0.500" in shown
    assert "no answer: empty 1" in shown
    assert [path.name for path in tmp_path.glob("run.json*")] == ["run.json"]


def test_a_run_with_another_context_is_paired_with_one_without(tmp_path: Path, mine: Path) -> None:
    old, new = tmp_path / "none.json", tmp_path / "workspace.json"
    fimble("eval", "--set", mine, "--context", "none", "--json", old)
    assert json.loads(old.read_text())["config"]["context"] == "none"
    shown = fimble("eval", "--set", mine, "--json", new, "--against", old).stdout
    assert "context" not in json.loads(new.read_text())["config"]
    assert [line for line in shown.splitlines() if " em " in line and "mine" in line and "+0.000" in line]
    with pytest.raises(InputError, match="repository"):
        fimble("eval", "--set", mine, "--context", "repository", "--repositories", tmp_path)


def test_each_record_is_asked_again_with_a_changed_option(tmp_path: Path, mine: Path, script: Path) -> None:
    script.write_text(json.dumps([{"prefix_endswith": "", "answer": f"{TRUE_MIDDLE})"}]))
    out = tmp_path / "run.json"
    changed = ("--beside", "completion.check_syntax=false")
    shown = fimble("eval", "--set", mine, "--lines", "single", *changed, "--json", out).stdout
    runs = [json.loads(path.read_text()) for path in (out, tmp_path / "run-beside.json")]
    assert [[result["answer"] for result in run["results"]] for run in runs] == [
        [TRUE_MIDDLE] * 2,
        [f"{TRUE_MIDDLE})"] * 2,
    ]
    assert [run["config"]["options"]["completion"]["check_syntax"] for run in runs] == [True, False]
    assert [[result["asked_first"] for result in run["results"]] for run in runs] == [[True, False], [False, True]]
    assert "against completion.check_syntax=false" in shown
    assert [line for line in shown.splitlines() if " em " in line and "+1.000" in line]


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ("completion.check_syntax", "OPTION=VALUE"),
        ("completion.chekc=1", "docs/configuration.md"),
        ("model.id=other", "not about the model"),
        ("completion.check_syntax=maybe", "must be true or false"),
    ],
)
def test_a_change_that_is_none_is_refused(mine: Path, beside: str, said: str) -> None:
    result = CliRunner().invoke(root, ["eval", "--set", str(mine), "--beside", beside])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_the_peer_is_asked_of_what_its_results_say_alone(
    tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = CliRunner().invoke(root, ["eval", "--set", str(mine), "--backend", "llama-server", "--lines", "single"])
    assert result.exit_code == 2
    assert "--lines is an option of fimble" in " ".join(result.output.split())
    monkeypatch.setenv("FIMBLE_MODEL_ADAPTER", "mine")
    monkeypatch.setenv("FIMBLE_DATA", str(tmp_path))
    traces = write_trace(tmp_path / "traces.jsonl.gz")
    both = ("--backend", "fimble", "--backend", "llama-server")
    with pytest.raises(InputError, match="cannot load the adapter mine"):
        fimble("eval", "--set", mine, "--backend", "llama-server")
    with pytest.raises(InputError, match="cannot load the adapter mine"):
        fimble("replay", traces, *both)
    with pytest.raises(InputError, match="cannot load the adapter mine"):
        fimble("bench", *both, "--only", "replay", "--baselines", tmp_path / "b", "--page", tmp_path / "p.md")


def test_weights_and_adapter_are_told_apart_by_their_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, adapter = tmp_path / "small.gguf", tmp_path / "mine.gguf"
    weights.write_bytes(b"12345")
    adapter.write_bytes(b"adapter")
    on_record = InstalledModel("small", "abc", 5, 0, "", "")
    monkeypatch.setattr(ModelStore, "resolve", lambda store, model: weights)
    monkeypatch.setattr(ModelStore, "find", lambda store, model: on_record)
    monkeypatch.setattr(AdapterStore, "resolve", lambda store, name, base_sha256: adapter)
    monkeypatch.delenv("FIMBLE_MODEL_ID")
    assert weights_name(settings_for("small")) == "small.gguf:abc:5"
    digest = hashlib.sha256(b"adapter").hexdigest()
    assert weights_name(settings_for("small", {"model.adapter": "mine"})) == f"mine.gguf:{digest}:small.gguf:abc:5"
    assert weights_name(settings_for(str(weights))) == "small.gguf:5"


def test_compares_with_an_earlier_run(tmp_path: Path, mine: Path, script: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    fimble("eval", "--set", mine, "--json", old)
    script.write_text(json.dumps([{"prefix_endswith": "", "answer": "pass"}]))
    shown = fimble("eval", "--set", mine, "--json", new, "--against", old).stdout
    line = next(line for line in shown.splitlines() if " em " in line and "mine" in line and "-0.500" in line)
    assert "0.000" in line


def test_a_stopped_run_goes_on(tmp_path: Path, mine: Path) -> None:
    out = tmp_path / "run.json"
    fimble("eval", "--set", mine, "--json", out)
    run = json.loads(out.read_text())
    out.unlink()
    partial = tmp_path / f"run.json.{config_hash(run['config'])}.partial.jsonl"
    first = {**run["results"][0], "answer": "kept from before"}
    header = {"schema": "fimble-eval/1", "config_hash": config_hash(run["config"])}
    partial.write_text(f"{json.dumps(header)}\n{json.dumps(first)}\n")
    fimble("eval", "--set", mine, "--json", out)
    again = json.loads(out.read_text())["results"]
    assert again[0]["answer"] == "kept from before"
    assert again[1]["record_id"] == run["results"][1]["record_id"]
    assert not partial.exists()


@pytest.mark.parametrize(
    ("record", "field"), [(value("b", "add", prefix=5), "prefix"), ({"path": "a.py", "id": "x"}, "language")]
)
def test_a_broken_set_stops_before_anything_is_written(
    tmp_path: Path, mine: Path, record: dict[str, object], field: str
) -> None:
    broken, out = write_set(tmp_path / "broken.jsonl.gz", value("a", "add"), record), tmp_path / "run.json"
    with pytest.raises(InputError) as caught:
        fimble("eval", "--set", mine, "--set", broken, "--json", out)
    assert f"line 2: field '{field}'" in caught.value.message
    assert list(tmp_path.glob("run.json*")) == []


def test_what_leaves_nothing_to_run_says_what_there_is(tmp_path: Path, mine: Path) -> None:
    with pytest.raises(InputError, match="no record is left") as caught:
        fimble("eval", "--set", mine, "--language", "cobol")
    assert "Its languages are python" in caught.value.mend
    with pytest.raises(InputError, match="given twice"):
        fimble("eval", "--set", mine, "--set", mine)


def test_a_missing_model_is_said_before_anything_runs(mine: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError):
        fimble("eval", "--set", mine, "--model", tmp_path / "none.gguf", "--json", tmp_path / "run.json")
    assert list(tmp_path.glob("run.json*")) == []


def test_plots_are_drawn(tmp_path: Path, mine: Path) -> None:
    pytest.importorskip("matplotlib")
    fimble("eval", "--set", mine, "--plots", tmp_path / "plots")
    drawn = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert drawn == ["confidence.svg", "exact-match.svg", "latency.svg"]


def write_trace(path: Path) -> Path:
    before, final = "def add(a, b):\n    ", "def add(a, b):\n    return a"
    keys = [
        {"t_ms": 500 + 400 * n, "line": 1, "character": 4 + n, "delete_chars": 0, "insert_text": char, "kind": "type"}
        for n, char in enumerate("return a")
    ]
    trace = {"id": "t", "language": "python", "path": "m.py", "initial_text": before, "events": keys}
    trace["final_sha256"] = hashlib.sha256(final.encode()).hexdigest()
    path.write_bytes(gzip.compress(json.dumps(trace).encode()))
    return path


def test_replay_types_and_reports(tmp_path: Path, script: Path) -> None:
    script.write_text(json.dumps([{"prefix_endswith": "    r", "answer": "eturn a"}]))
    out = tmp_path / "replay.json"
    pytest.importorskip("matplotlib")
    traces = write_trace(tmp_path / "traces.jsonl.gz")
    shown = fimble("replay", traces, "--json", out, "--plots", tmp_path / "plots").stdout
    kept = json.loads(out.read_text())
    (summary,) = kept["summaries"]
    assert (summary["n_keystrokes"], summary["n_saved_chars"], summary["n_typed_chars"]) == (8, 7, 8)
    assert len(kept["replays"]["fimble"][0]["asked"]) == 8
    assert "7 (87.5%)" in shown
    drawn = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert drawn == ["replay-latency.svg", "replay-reuse.svg"]


def test_bench_writes_baselines_and_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    if problem := sandbox.problem():
        pytest.skip(f"no sandbox here: {problem}")
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("FIMBLE_DATA", str(data))
    for name in ("humaneval_single", "humaneval_multi", "humaneval_randomspan", "santacoder_fim", "safim", "commitfim"):
        write_set(data / f"{name}.jsonl.gz", value("a", "add"), value("b", "mul"))
    write_set(data / "xfile.jsonl.gz", value("a", "add", meta={"definer_imported": True}), value("b", "mul"))
    write_set(data / "cceval.jsonl.gz", value("a", "add", meta={"retrieval": "rg1_bm25"}, tests=None))
    write_trace(data / "traces.jsonl.gz")
    page, baselines = tmp_path / "docs" / "benchmarks.md", tmp_path / "baselines"
    common = ("--backend", "fimble", "--baselines", baselines, "--page", page)
    fimble("bench", *common)
    text = page.read_text()
    assert "### humaneval_single" in text
    assert "| fimble | all | 2 | 0.500 [0.095, 0.905] | 0.500 [0.095, 0.905] |" in text
    assert "keystroke to answer, p50 ms" in text
    assert "images/benchmarks/exact-match.svg" in text
    sets = ("cceval", "commitfim", "humaneval_multi", "humaneval_randomspan", "humaneval_single", "safim")
    expected = [
        f"small-{name}-fimble{kind}.json" for name in (*sets, "santacoder_fim", "xfile") for kind in ("", "-no-grammar")
    ]
    assert sorted(path.name for path in baselines.iterdir()) == sorted([*expected, "small-replay.json"])
    kept = baselines / "small-humaneval_single-fimble.json"
    assert all(result["answer"] is None for result in json.loads(kept.read_text())["results"])
    assert TRUE_MIDDLE not in kept.read_text()
    assert "| humaneval_single | fimble, no grammar |" in text
    assert "fimble minus fimble, no grammar, over the same records" in text
    # Only what is missing is scored again, and the same file comes out of it.
    scored = json.loads(kept.read_text())["results"]
    other = baselines / "small-safim-fimble.json"
    before = other.stat().st_mtime_ns
    kept.unlink()
    fimble("bench", *common, "--only", "sets", "--set", "safim")
    assert not kept.exists()
    fimble("bench", *common, "--only", "sets")
    assert [one["scores"] for one in json.loads(kept.read_text())["results"]] == [one["scores"] for one in scored]
    assert other.stat().st_mtime_ns == before
    # Scores of another program are made anew, unless only missing ones are wanted.
    kept.write_text(kept.read_text().replace('"code": "', '"code": "other-'))
    before = kept.stat().st_mtime_ns
    fimble("bench", *common, "--only", "sets", "--missing")
    assert kept.stat().st_mtime_ns == before
    fimble("bench", *common, "--only", "sets")
    assert "other-" not in kept.read_text()
    # One row of a set may be made without the others.
    beside = baselines / "small-humaneval_single-fimble-no-grammar.json"
    beside.unlink()
    kept.unlink()
    fimble("bench", *common, "--only", "sets", "--row", "fimble")
    assert kept.exists()
    assert not beside.exists()
    before = kept.stat().st_mtime_ns
    fimble("bench", *common, "--only", "sets")
    assert beside.exists()
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(AssertionError, match="the rows are fimble; fimble, no grammar; llama-server"):
        fimble("bench", *common, "--row", "another")
    text = page.read_text()
    # The page is made of the baselines alone.
    page.unlink()
    fimble("bench", *common, "--render-only")
    assert page.read_text() == text


def test_bench_says_where_it_looked_for_the_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nowhere") as caught:
        fimble("bench", "--baselines", tmp_path / "b", "--page", tmp_path / "p.md")
    assert "FIMBLE_DATA" in caught.value.mend
    assert not (tmp_path / "p.md").exists()
