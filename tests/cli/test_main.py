"""What the console script does with its output: any encoding, and readers that have had enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_FIMBLE = (sys.executable, "-P", "-m", "fimble.cli.main")


def _run(*arguments: str | Path, encoding: str) -> bytes:
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([*_FIMBLE, *arguments], env=environ, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8:strict"])
@pytest.mark.parametrize("name", ["日本", "😀é", "caf\udce9"], ids=ascii)
def test_what_the_output_cannot_hold_is_written_by_its_number(tmp_path: Path, encoding: str, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    assert json.loads(_run("index", "--json", folder, encoding=encoding))["workspace"] == str(folder)
    assert b"0 files" in _run("index", folder, encoding=encoding)


@pytest.mark.parametrize("arguments", [["stats", "--csv"], ["config"], ["--help"], ["index", "--help"]], ids=" ".join)
def test_a_reader_that_has_had_enough_is_no_failure(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as broken:
        done = subprocess.run([*_FIMBLE, *arguments], stdout=broken, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
