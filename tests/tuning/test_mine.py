"""Mining: what is let in, what is kept out, and that an example is exactly a part of its file."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.tuning.conftest import MIT, MONEY, ORDERS, make_repository

from fimble.cli.tune import tune
from fimble.core.errors import InputError
from fimble.tuning.mine.decontaminate import excluded_as
from fimble.tuning.mine.examples import load
from fimble.tuning.mine.licence import header_forbids, is_permissive, licence_of, licence_of_text
from fimble.tuning.mine.run import MineOptions, MineReport, mine
from fimble.tuning.mine.sources import open_repository


def run(paths: list[Path], out: Path, options: MineOptions | None = None) -> MineReport:
    return mine(paths, out, options or MineOptions(), lambda name: None)


def test_examples_are_parts_of_their_files(repository: Path, tmp_path: Path) -> None:
    report = run([repository], tmp_path / "out")
    mined = load(tmp_path / "out")
    assert report.n_examples == len(mined.examples) > 20
    assert {"call", "function_body", "signature", "property", "import", "condition", "random"} <= set(report.kinds)
    texts = {file.path: file.text for file in mined.files.values()}
    assert texts == {"shop/orders.py": ORDERS, "shop/money.py": MONEY}
    for example in mined.examples:
        assert "".join(mined.parts(example)) == mined.files[example.file_id].text
        assert mined.parts(example)[1].strip()


def test_the_same_seed_gives_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        run([repository], tmp_path / out)
    for name in ("examples.jsonl.gz", "files.jsonl.gz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_planted_evaluation_file_is_dropped(repository: Path, evaluation_set: Path, tmp_path: Path) -> None:
    reformatted = ORDERS.replace("    ", "\t").replace('"""Orders and their lines."""', "# Copied from elsewhere")
    (repository / "shop" / "copied.py").write_text(reformatted, "utf-8")
    without = run([repository], tmp_path / "all")
    report = run([repository], tmp_path / "out", MineOptions(evaluation_sets=(evaluation_set,)))
    paths = {file.path for file in load(tmp_path / "out").files.values()}
    assert paths == {"shop/money.py"}
    assert report.left_out["file with text of an evaluation set"] == 2
    assert without.n_files == 2  # orders.py or its copy, and money.py


def test_repositories_of_evaluation_sets_are_left_out_by_name_and_by_home(tmp_path: Path) -> None:
    by_name = make_repository(tmp_path / "gson")
    by_home = make_repository(tmp_path / "other")
    (by_home / "PKG-INFO").write_text("Name: x\nProject-URL: Source, https://github.com/Encode/HTTPX.git\n", "utf-8")
    innocent = make_repository(tmp_path / "innocent")
    (innocent / "PKG-INFO").write_text("Name: y\nSummary: like github.com/encode/httpx\n", "utf-8")
    report = run([by_name, by_home, innocent], tmp_path / "out")
    assert {file.repository for file in load(tmp_path / "out").files.values()} == {"innocent"}
    assert "google/gson" in report.repositories["gson"]
    assert "encode/httpx" in report.repositories["other"]


def test_only_permissive_licences_count(tmp_path: Path) -> None:
    gpl = make_repository(tmp_path / "copyleft", licence="GNU General Public License, version 3")
    (tmp_path / "none").mkdir()
    unknown = make_repository(tmp_path / "none" / "unlicensed", licence="Ask us first.")
    for path in (gpl, unknown):
        with pytest.raises(InputError, match="without a permissive licence"):
            run([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert run([gpl], tmp_path / "own", MineOptions(any_licence=True)).n_examples


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("Business Source License 1.1\nChange License: Apache License, Version 2.0", "BUSL"),
        ("# Functional Source License, Version 1.1, MIT Future License\n" + MIT, "FSL"),
        ('"Commons Clause" License Condition v1.0\nLicense: MIT\n' + MIT, "Commons-Clause"),
        ("Elastic License 2.0\nParts are under the Apache License, Version 2.0", "Elastic"),
        ("Server Side Public License\nApache License, Version 2.0", "SSPL"),
        ("# PolyForm Noncommercial License 1.0.0\n" + MIT, "PolyForm"),
        ("BigCode OpenRAIL-M v1\n" + MIT, "RAIL"),
        (MIT, "MIT"),
    ],
)
def test_a_licence_with_strings_attached_is_not_the_one_it_quotes(text: str, licence: str) -> None:
    assert licence_of_text(text) == licence
    assert is_permissive(licence) is (licence == "MIT")


@pytest.mark.parametrize(
    ("claim", "licence"), [("FSL-1.1-MIT", None), ("MIT with Commons Clause", None), ("BUSL-1.1", None), ("MIT", "MIT")]
)
def test_metadata_that_claims_strings_attached_is_not_permissive(
    tmp_path: Path, claim: str, licence: str | None
) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"license": claim}), "utf-8")
    assert licence_of(tmp_path) == licence


@pytest.mark.parametrize(
    ("declared", "is_forbidden"),
    [
        ("MIT", False),
        ("MIT OR GPL-3.0-only", False),
        ("GPL-2.0-only or (MIT and BSD-3-Clause)", False),
        ("(MIT OR GPL-3.0-only) AND BSD-3-Clause", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("MIT -->", False),
        ("GPL-2.0-only", True),
        ("MIT AND GPL-3.0-only", True),
        ("Apache-2.0 AND LGPL-2.1-or-later", True),
        ("(MIT OR GPL-3.0-only) AND GPL-2.0-only", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("MIT AND", True),
        ("MIT AND GPL-2.0-or-later", True),
        ("MIT (see LICENSE)", False),
        ("(MIT", False),
    ],
)
def test_all_terms_of_some_alternative_are_permissive_or_the_file_is_left_out(
    declared: str, is_forbidden: bool
) -> None:
    assert header_forbids(f"// SPDX-License-Identifier: {declared}\ncode();\n") is is_forbidden


def test_files_under_other_terms_or_with_secrets_or_generated_are_left_out(repository: Path, tmp_path: Path) -> None:
    shop = repository / "shop"
    (shop / "foreign.py").write_text(
        "# SPDX-License-Identifier: GPL-3.0-only\n" + ORDERS.replace("Order", "A"), "utf-8"
    )
    key = "ghp_" + "a1B2" * 9
    (shop / "keys.py").write_text(f"TOKEN = '{key}'\n" + ORDERS.replace("Order", "B"), "utf-8")
    (shop / "made.py").write_text("# @generated by a tool\n" + ORDERS.replace("Order", "C"), "utf-8")
    report = run([repository], tmp_path / "out")
    assert {file.path for file in load(tmp_path / "out").files.values()} == {"shop/orders.py", "shop/money.py"}
    assert report.left_out["file under other terms than its repository"] == 1
    assert report.left_out["file with what looks like a key or password"] == 1
    assert report.left_out["file that is generated, minified or binary"] == 1


def test_a_near_duplicate_is_context_only(repository: Path, tmp_path: Path) -> None:
    (repository / "shop" / "orders_copy.py").write_text(ORDERS + "\nVERSION = 2\n", "utf-8")
    run([repository], tmp_path / "out")
    mined = load(tmp_path / "out")
    assert {file.path for file in mined.files.values() if not file.is_mined} == {"shop/orders_copy.py"}
    assert {mined.files[example.file_id].path for example in mined.examples} == {"shop/orders.py", "shop/money.py"}


def test_a_package_archive_is_mined(repository: Path, tmp_path: Path) -> None:
    archive = tmp_path / "webshop-1.2.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(repository, "webshop-1.2")
    report = run([archive], tmp_path / "out")
    assert report.repositories == {"webshop": "MIT"}
    assert report.n_files == 2


@pytest.mark.parametrize(
    ("archive", "name", "excluded"),
    [
        ("flask-cors-4.0.0.tar.gz", "flask-cors", None),
        ("flask_login-0.6.3-py3-none-any.whl", "flask_login", None),
        ("two-2d-1.0rc1.tgz", "two-2d", None),
        ("vite-5.0.0-beta.1.tgz", "vite", None),
        ("pytz-2024.zip", "pytz", None),
        ("plain.zip", "plain", None),
        ("Polly-v8.1.zip", "polly", "App-vNext/Polly"),
        ("human-eval-master.zip", "human-eval", "openai/human-eval"),
        ("human-eval-" + "0a" * 20 + ".zip", "human-eval", "openai/human-eval"),
        ("Qwen2.5-Coder-main.zip", "qwen2.5-coder", "QwenLM/Qwen2.5-Coder"),
        ("jedi-language-server-main.zip", "jedi-language-server", "pappasam/jedi-language-server"),
        ("jedi_language_server-0.41.1.tar.gz", "jedi_language_server", "pappasam/jedi-language-server"),
    ],
)
def test_an_archive_has_its_packages_whole_name(archive: str, name: str, excluded: str | None, tmp_path: Path) -> None:
    path = tmp_path / archive
    if archive.endswith("gz"):
        tarfile.open(path, "w:gz").close()
    else:
        zipfile.ZipFile(path, "w").close()
    repository = open_repository(path, tmp_path / "unpacked")
    assert repository.name == name
    assert excluded_as(name, repository.root) == excluded


@pytest.mark.parametrize("name", ["missing", "empty", "notes.txt", "broken.tar.gz"])
def test_wrong_inputs_end_in_a_sentence_and_write_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no archive", "utf-8")
    (tmp_path / "broken.tar.gz").write_text("no archive", "utf-8")
    with pytest.raises(InputError) as caught:
        run([tmp_path / name], tmp_path / "out")
    assert caught.value.mend
    assert not (tmp_path / "out").exists()


def test_an_unfinished_folder_is_not_read(repository: Path, tmp_path: Path) -> None:
    run([repository], tmp_path / "out")
    (tmp_path / "out" / "report.json").unlink()
    with pytest.raises(InputError, match="no finished folder"):
        load(tmp_path / "out")


def test_what_a_compiler_wrote_is_left_out_and_its_declarations_are_context(repository: Path, tmp_path: Path) -> None:
    source = "export class Cart {\n  total(): number {\n    return this.lines.length;\n  }\n}\n" * 4
    for name, text in {
        "cart.ts": source,
        "cart.js": source.replace(": number", "") + "//# sourceMappingURL=cart.js.map\n",
        "types.d.ts": "export declare class Shelf {\n  readonly width: number;\n  fill(name: string): void;\n}\n" * 4,
    }.items():
        (repository / "shop" / name).write_text(text, "utf-8")
    report = run([repository], tmp_path / "out")
    mined = {file.path: file.is_mined for file in load(tmp_path / "out").files.values()}
    assert mined == {
        "shop/cart.ts": True, "shop/money.py": True, "shop/orders.py": True, "shop/types.d.ts": False
    }  # fmt: skip
    assert report.left_out["file that is generated, minified or binary"] == 1
    assert report.left_out["file of type declarations (kept as context)"] == 1


def test_the_command_prints_counts(repository: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(tune, ["mine", str(repository), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert f"{report['n_examples']} examples from 2 files" in result.output


def show(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(tune, ["show", str(folder), *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_examples_can_be_looked_at(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = run([repository], out)
    first = show(out, "--count", "5")
    assert first.count("⟦") == first.count("⟧") == 5
    assert "webshop/shop/" in first
    assert show(out, "--count", "5") == first != show(out, "--count", "5", "--seed", "1")
    assert show(out, "--count", "999").count("⟦") == report.n_examples
    assert show(out, "--kind", "import").count(" import, ") == report.kinds["import"]
    with pytest.raises(InputError, match="No example is of the kind poem"):
        CliRunner().invoke(tune, ["show", str(out), "--kind", "poem"], catch_exceptions=False)
