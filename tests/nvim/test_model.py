"""The real model, in a real Neovim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.editor, pytest.mark.e2e, pytest.mark.model]

Start = Any  # conftest's


def test_ghost_text_of_the_real_model(
    start_nvim: Start, tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIMBLE_MODEL_ID", str(model_path))
    nvim = start_nvim()
    nvim.edit(tmp_path / "a.py", "def add(a, b):\n    \n\n\nprint(add(1, 2))\n")
    nvim.until_ready()
    nvim.at(2, 4)
    nvim.keys("Areturn ")
    nvim.wait(lambda: (nvim.ghost() or "").startswith("a + b"), "a + b")
    nvim.keys("<Tab><Esc>:w<CR>")
    nvim.wait(lambda: "    return a + b\n" in (tmp_path / "a.py").read_text(), "the file on disk")
    source = (tmp_path / "a.py").read_text()
    compile(source, "a.py", "exec")
