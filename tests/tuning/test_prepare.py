"""Preparing: sequences are what serving would ask, and the middle and the end marker are learned, no more."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tests.tuning.conftest import make_repository
from tests.tuning.vocabulary import WordVocabulary

from fimble.context.prompt.assemble import assemble
from fimble.context.prompt.fim import FAMILIES, Layout
from fimble.core.config import PromptOptions
from fimble.core.errors import InputError, ModelUnsuitableError
from fimble.core.flow import Context, LineMode, StopRules, TokenId
from fimble.evaluation.records import read_set
from fimble.tuning.mine.examples import load as load_mined
from fimble.tuning.mine.run import MineOptions, mine
from fimble.tuning.prepare.dataset import load
from fimble.tuning.prepare.run import PrepareOptions, prepare
from fimble.tuning.prepare.sequences import sequence_of

QWEN = next(family for family in FAMILIES if family.name == "qwen2.5-coder")
CHUNKLESS = PromptOptions(chunk_tokens=0)


async def made(prefix: str, middle: str, suffix: str, layout: Layout) -> tuple[str, str, list[TokenId], list[TokenId]]:
    """What is given and what is learned, as texts and ids."""
    vocabulary = WordVocabulary()
    options = dataclasses.replace(CHUNKLESS, layout=str(layout))
    context = Context("python", "a.py", prefix, suffix)
    end = vocabulary.end_of_middle(QWEN)
    sequence = await sequence_of(context, middle, QWEN, vocabulary, options, end)
    given, learned = list(sequence.tokens[: sequence.n_given]), list(sequence.tokens[sequence.n_given :])
    assert learned[-1] == end
    assert end not in learned[:-1]
    prompt = await assemble(context, QWEN, vocabulary, options, StopRules(1, LineMode.MULTI))
    # Serving takes at most the last token of the prompt back.
    assert tuple(given) in (prompt.tokens, prompt.tokens[:-1])
    return vocabulary.text(given), vocabulary.text(learned[:-1]), given, learned


@pytest.mark.parametrize("layout", [Layout.PSM, Layout.SUFFIX_FIRST])
async def test_the_prompt_is_given_and_the_middle_is_learned(layout: Layout) -> None:
    given, learned, _, _ = await made("x = 1\ny = ", "f(x)", "\nz = 2\n", layout)
    assert learned == "f(x)"
    assert "z = 2" in given
    assert given.count("y = ") == 1


async def test_a_word_cut_by_the_cursor_is_learned_whole_where_serving_heals_it() -> None:
    given, learned, _, _ = await made("x = 1\ny = pri", "nt(x)", "\n", Layout.SUFFIX_FIRST)
    assert learned == "print(x)"
    assert given.endswith("y = ")
    given, learned, _, _ = await made("x = 1\ny = pri", "nt(x)", "\n", Layout.PSM)
    assert learned == "nt(x)"


async def test_markers_in_the_users_text_stay_text() -> None:
    _, learned, given, ids = await made("s = '", "<|fim_middle|><|endoftext|>", "'\n", Layout.PSM)
    assert learned == "<|fim_middle|><|endoftext|>"
    marker = (await WordVocabulary().marker_ids(["<|fim_middle|>"]))[0]
    assert given.count(marker) == 1  # type: ignore[arg-type]
    assert marker not in ids


async def test_line_ends_are_learned_as_the_model_sees_them() -> None:
    _, learned, _, _ = await made("a = 1\r\n", "b = 2\r\nc = 3", "\r\nd = 4\r\n", Layout.PSM)
    assert learned == "b = 2\nc = 3"


@pytest.fixture
def mined(repository: Path, tmp_path: Path) -> Path:
    other = make_repository(tmp_path / "kiosk")
    (other / "shop" / "orders.py").write_text(
        "import sys\n\n\ndef main(names: list[str]) -> int:\n    for name in names:\n        print(name.upper())\n"
        "    return len(names)\n\n\nif __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n" * 2,
        "utf-8",
    )
    mine([repository, other], tmp_path / "mined", MineOptions(), lambda name: None)
    return tmp_path / "mined"


def run(mined: Path, out: Path, **changes: object) -> list[tuple[int, int]]:
    options = dataclasses.replace(PrepareOptions(PromptOptions()), **changes)  # type: ignore[arg-type]
    seen: list[tuple[int, int]] = []
    prepare(load_mined(mined), WordVocabulary(), "weights", out, options, lambda n, of: seen.append((n, of)))  # type: ignore[arg-type]
    return seen


def test_a_prepared_folder_holds_the_middles(mined: Path, tmp_path: Path) -> None:
    seen = run(mined, tmp_path / "out", held_out=("kiosk",))
    data, examples = load(tmp_path / "out"), load_mined(mined)
    vocabulary = WordVocabulary()
    assert seen[-1] == (len(examples.examples), len(examples.examples))
    middles = {examples.parts(example)[1] for example in examples.examples}
    for i in range(len(data)):
        sequence = data.sequence(i)
        assert sequence[-1] == data.about.end_token
        learned = vocabulary.text([TokenId(int(token)) for token in sequence[data.n_given[i] : -1]])
        # Healing may put the rest of a cut word before the middle.
        assert any(learned.endswith(middle) for middle in middles)
    assert data.about.n_train + data.about.n_held_out == len(data)
    assert data.about.n_learned_tokens == int((data.offsets[1:] - data.offsets[:-1] - data.n_given).sum())


def test_context_from_the_repository_and_distractors_are_shown(mined: Path, tmp_path: Path) -> None:
    run(mined, tmp_path / "with", cold_share=0.0, distractor_share=0.0)
    run(mined, tmp_path / "without", with_context=False)
    run(mined, tmp_path / "distracted", cold_share=0.0, distractor_share=1.0)
    lengths = {name: load(tmp_path / name).about.n_tokens for name in ("with", "without", "distracted")}
    assert lengths["without"] < lengths["with"] < lengths["distracted"]
    data, vocabulary = load(tmp_path / "with"), WordVocabulary()
    texts = [vocabulary.text([TokenId(int(token)) for token in data.sequence(i)]) for i in range(len(data))]
    # The class that orders.py imports is defined elsewhere.
    assert any("class Line" in text and "def times(self, n: int)" in text for text in texts)


def test_a_held_out_repository_is_not_trained_on_and_gives_tasks(mined: Path, tmp_path: Path) -> None:
    run(mined, tmp_path / "out", held_out=("kiosk",), n_tasks=5)
    data, examples = load(tmp_path / "out"), load_mined(mined)
    n_kiosk = sum(examples.files[example.file_id].repository == "kiosk" for example in examples.examples)
    assert 0 < data.about.n_held_out <= n_kiosk
    records = read_set(tmp_path / "out" / "tasks.jsonl").records
    assert 0 < len(records) <= 5
    for record in records:
        assert record.meta["repository"] == "kiosk"
        assert record.prefix + record.middle + record.suffix in {file.text for file in examples.files.values()}


def test_of_few_files_one_is_held_out_and_of_one_none(tmp_path: Path) -> None:
    for n_files in (1, 2, 3, 4):
        repository = make_repository(tmp_path / f"shop{n_files}")
        for path in sorted((repository / "shop").iterdir())[min(n_files, 2) :]:
            path.unlink()
        for i in range(2, n_files):
            lines = "".join(f"def shelf_{i}_{k}(width):\n    return width * {i} + {k}\n\n\n" for k in range(12))
            (repository / "shop" / f"shelf{i}.py").write_text(lines, "utf-8")
        mine([repository], tmp_path / f"mined{n_files}", MineOptions(), lambda name: None)
        run(tmp_path / f"mined{n_files}", tmp_path / f"out{n_files}")
        about = load(tmp_path / f"out{n_files}").about
        assert about.n_train > 0
        assert (about.n_held_out > 0) == (n_files > 1), n_files


def test_not_all_files_are_held_out_wherever_their_ids_fall(
    mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fimble.tuning.prepare.run._MIN_SHARE_HELD_OUT", 1.0)
    run(mined, tmp_path / "out")
    about = load(tmp_path / "out").about
    assert about.n_train > 0
    assert about.n_held_out > 0


def test_the_same_seed_gives_the_same_data_hash(mined: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        run(mined, tmp_path / out)
    run(mined, tmp_path / "three", seed=1)
    hashes = [load(tmp_path / out).about.data_hash for out in ("one", "two", "three")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_limit_samples_evenly_over_stages(mined: Path, tmp_path: Path) -> None:
    run(mined, tmp_path / "out", limit=30, max_learned_tokens=10_000)
    data = load(tmp_path / "out")
    counts = [int((data.stages[~data.held_out] == stage).sum()) for stage in range(3)]
    assert sum(counts) + data.about.n_held_out == 30
    assert max(counts) - min(counts) <= 1


def test_a_measured_loss_decides_the_stages(mined: Path, tmp_path: Path) -> None:
    prepare(
        load_mined(mined),
        WordVocabulary(),  # type: ignore[arg-type]
        "weights",
        tmp_path / "out",
        PrepareOptions(PromptOptions()),
        lambda n, of: None,
        lambda sequence: -float(sequence.n_learned),
    )
    data = load(tmp_path / "out")
    n_learned = data.offsets[1:] - data.offsets[:-1] - data.n_given
    assert n_learned[data.stages == 0].min() >= n_learned[data.stages == 2].max()


def test_wrong_inputs_end_in_a_sentence(mined: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no mined repository bank"):
        run(mined, tmp_path / "out", held_out=("bank",))
    with pytest.raises(InputError, match="No example is left"):
        run(mined, tmp_path / "out", held_out=("kiosk", "webshop"))
    with pytest.raises(ModelUnsuitableError, match="no fill-in-the-middle markers"):
        prepare(
            load_mined(mined),
            WordVocabulary(markers=()),  # type: ignore[arg-type]
            "weights",
            tmp_path / "out",
            PrepareOptions(PromptOptions()),
            lambda n, of: None,
        )
    assert not (tmp_path / "out").exists()


def test_changed_data_is_noticed(mined: Path, tmp_path: Path) -> None:
    run(mined, tmp_path / "out")
    about = tmp_path / "out" / "about.json"
    value = json.loads(about.read_text("utf-8"))
    about.write_text(json.dumps(value | {"data_hash": "0"}), "utf-8")
    with pytest.raises(InputError, match="not what was prepared"):
        load(tmp_path / "out")
