"""What a person does in a real Neovim ends as the right rows: accepted, in part, edited after, and what is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.editor, pytest.mark.e2e]

Start = Any  # conftest's
Rows = list[dict[str, Any]]

# A model takes its time, in which the syntax at the cursor is looked at.
RETURN = ("ret", "urn a + b", 150)
# The first measure is taken half a minute after accepting, by a clock that ticks every two seconds.
MEASURED_S = 45.0


def test_what_is_taken_and_what_is_left_of_it(
    start_nvim: Start, tmp_path: Path, counted: Callable[[Path], Rows]
) -> None:
    home = Path(os.environ["FIMBLE_HOME"])
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "part.py", "\n")
    nvim.until_ready()
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<M-w>")
    nvim.until_text("return")
    nvim.until_ghost(" a + b")
    nvim.keys("<C-]><Esc>")
    nvim.until_no_ghost()
    nvim.api.command("write")
    nvim.edit(tmp_path / "whole.py", "\n")
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Tab>")
    nvim.until_text("return a + b")
    nvim.keys("<BS>c<Esc>")
    nvim.until_text("return a + c")

    def measured() -> tuple[dict[str, Any], dict[str, Any]] | None:
        accepted = [row for row in counted(home) if row["accepted_how"]]
        if len(accepted) == 2 and all(row["kept_30s"] is not None for row in accepted):
            return accepted[0], accepted[1]
        return None

    nvim.lua("return vim.wait(30000)")  # nothing is typed; both texts only lie there
    part, whole = nvim.wait_for(measured, MEASURED_S)
    assert (part["accepted_how"], part["n_accepted_chars"], part["is_accepted_exact"]) == ("part", 3, 1)
    assert (part["kept_30s"], part["is_unmodified_30s"], part["is_carried_30s"]) == (1.0, 1, 0)
    assert (whole["accepted_how"], whole["n_accepted_chars"], whole["is_accepted_exact"]) == ("whole", 9, 1)
    # `b` was deleted, and the `c` typed behind what is left is the user's own: 8 of 9 characters.
    assert (whole["kept_30s"], whole["n_kept_chars_30s"]) == (pytest.approx(8 / 9), 8)
    assert (whole["is_unmodified_30s"], whole["is_carried_30s"]) == (0, 0)
    for row in (part, whole):
        assert row["client"].startswith("Neovim")
        assert (row["language"], row["node_kind"]) == ("python", "module")
        assert row["model"] == "scripted"
        assert row["is_shown_exact"] == 1
    assert "a + " not in str(counted(home))
    nvim.close()
