"""The plugin around the suggestions: status, death and restart of the server, commands, health, options, help."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.editor, pytest.mark.e2e]

Start = Any  # conftest's

RETURN = ("ret", "urn a + b")


def _server_pid(nvim: Any) -> int:
    """The server is Neovim's child; Neovim itself is ours."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(nvim.api.eval("getpid()"))], capture_output=True, text=True, check=True
    )
    (line,) = [line for line in found.stdout.splitlines() if "fimble.cli.serve" in line]
    return int(line.split()[0])


def test_a_killed_server_shows_and_comes_back(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.lua(
        "_G.states = {} vim.api.nvim_create_autocmd('User', { pattern = 'FimbleStatus', "
        "callback = function(event) table.insert(states, event.data) end })"
    )
    os.kill(_server_pid(nvim), signal.SIGKILL)
    nvim.wait(lambda: len(nvim.lua("return states")) > 1 and nvim.status()["state"] == "ready", "the new server")
    states = nvim.lua("return states")
    assert states[0]["state"] == "stopped"
    assert "killed by signal 9" in states[0]["message"]
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")


def test_a_server_that_dies_again_and_again_is_left_alone(start_nvim: Start, tmp_path: Path) -> None:
    dying = [sys.executable, "-c", "import sys; sys.exit(3)"]
    nvim = start_nvim(cmd=dying, restart_limit=2)
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.wait(lambda: "again and again" in nvim.status()["message"], "giving up")
    assert "exit code 3" in nvim.status()["message"]
    assert nvim.lua("return require('fimble').statusline()") == "fimble ✗"
    assert any("checkhealth" in text for text in nvim.told())


def test_a_server_that_is_not_there(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim(cmd=["no-such-fimble", "serve"])
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.wait(lambda: "cannot be run" in nvim.status()["message"], "the status")
    nvim.keys("A<Tab>x")
    nvim.until_text("    x")
    nvim.keys("<Esc>:checkhealth fimble<CR>")
    nvim.wait(lambda: "no-such-fimble cannot be run" in "\n".join(nvim.text), "the report")


def test_the_status_component(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    assert nvim.lua("return require('fimble').statusline()") == "fimble ✗"
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    assert nvim.lua("return require('fimble').statusline()") == "fimble ●"
    nvim.lua("require('fimble.status').set({ state = 'downloading', message = '', percent = 45 })")
    assert nvim.lua("return require('fimble').statusline()") == "fimble ↓ 45%%"
    nvim.api.command("set laststatus=2 statusline=%!v:lua.require('fimble').statusline()")
    assert "fimble ↓ 45%" in "".join(nvim.screen(14))


def test_switching_by_command(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.api.command("Fimble disable")
    nvim.wait(lambda: nvim.status()["state"] == "paused", "paused")
    nvim.keys("Aret")
    nvim.stays(lambda: nvim.ghost() is None)
    nvim.keys("<Esc>")
    nvim.api.command("Fimble enable")
    nvim.until_ready()
    nvim.keys("A<BS>t")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Esc>")
    nvim.api.command("Fimble disable language")
    nvim.keys("A<BS>t")
    nvim.stays(lambda: nvim.ghost() is None)
    nvim.keys("<Esc>")
    nvim.api.command("Fimble status")
    nvim.wait(lambda: any("No completions in this file (language)" in text for text in nvim.told()), "the message")


def test_restart_by_command(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    before = _server_pid(nvim)
    nvim.api.command("Fimble restart")
    nvim.wait(lambda: nvim.status()["state"] == "ready" and _alive_other(nvim, before), "another server")
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")


def _alive_other(nvim: Any, before: int) -> bool:
    try:
        return _server_pid(nvim) != before
    except ValueError:
        return False


def test_why_by_command(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "a.py", "def seen_by_the_model(): ...\n\n")
    nvim.until_ready()
    nvim.api.command("normal! G")
    nvim.api.command("Fimble why")
    nvim.wait(lambda: nvim.text[0].startswith("# What fimble's model sees here"), "the page")
    assert any(line.endswith("def seen_by_the_model(): ...") for line in nvim.text)
    assert nvim.api.eval("&filetype") == "markdown"
    nvim.api.command("Fimble why")
    nvim.wait(lambda: any("does not serve this buffer" in text for text in nvim.told()), "a refusal")


def test_the_commands_words(start_nvim: Start) -> None:
    nvim = start_nvim()
    complete = nvim.api.funcs.getcompletion
    assert complete("Fimble ", "cmdline") == [
        "disable", "download", "enable", "log", "restart", "status", "trigger", "why",
    ]  # fmt: skip
    assert complete("Fimble disable l", "cmdline") == ["language"]
    nvim.api.command("Fimble nonsense")
    nvim.api.command("Fimble enable everything")
    assert "cannot do" in nvim.told()[0]
    assert "no scope" in nvim.told()[1]
    nvim.api.command("Fimble status")
    assert "stopped" in nvim.told()[2]


def test_asking_where_nothing_can_be_shown_says_so(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN], auto_trigger=False)
    nvim.api.command("Fimble trigger")
    assert "does not serve this buffer" in nvim.told()[0]
    nvim.edit(tmp_path / "a.py", "ret\n")
    nvim.until_ready()
    nvim.api.command("Fimble trigger")
    assert "in insert mode only" in nvim.told()[1]
    nvim.keys("A<Cmd>Fimble trigger<CR>")
    nvim.until_ghost("urn a + b")
    assert len(nvim.told()) == 2


def test_a_download_that_fails_says_why(start_nvim: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_NETWORK_OFFLINE", "true")
    monkeypatch.setenv("FIMBLE_MODEL_ID", "qwen2.5-coder-0.5b")
    nvim = start_nvim()
    # The server's question about the missing model waits for nobody here.
    nvim.lua("vim.ui.select = function(items, opts, done) done(nil) end")
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.wait(lambda: nvim.status()["state"] == "error", "the error")
    nvim.api.command("Fimble download")
    nvim.wait(lambda: any("offline" in text for text in nvim.told()), "the message")


def test_checkhealth(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN], nonsense=1)
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.api.command("checkhealth fimble")
    report = "\n".join(nvim.text)
    assert re.search(r"OK Neovim 0\.\d+", report)
    assert "The server runs" in report
    assert "positions in utf-8" in report
    assert "is ready" in report
    assert 'there is no option "nonsense"' in report
    assert "ERROR" not in report.replace("fimble --version", "")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"debounce": 1}, 'there is no option "debounce"'),
        ({"debounce_ms": "fast"}, "debounce_ms must be a number, not a string"),
        ({"renderer": "pretty"}, "renderer must be"),
        ({"keymaps": {"acept": "<Tab>"}}, 'there is no keymap "acept"'),
        ({"keymaps": {"accept": True}}, "keymaps.accept must be a key or false"),
    ],
)
def test_wrong_options_are_told(start_nvim: Start, options: dict[str, Any], problem: str) -> None:
    nvim = start_nvim(**options)
    assert any(problem in text for text in nvim.told())


def test_keys_of_ones_own_and_none(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN], keymaps={"accept": "<C-y>", "accept_word": False})
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<C-y>")
    nvim.until_text("return a + b")
    assert nvim.lua("return vim.fn.maparg('<M-w>', 'i')") == ""


def test_setting_up_again_reaches_open_buffers(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    pid = _server_pid(nvim)
    nvim.setup(cmd=nvim.lua("return require('fimble.config').options.cmd"), keymaps={"accept": "<C-y>"})
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    assert nvim.lua("return vim.fn.maparg('<Tab>', 'i', false, true).buffer") == 0
    nvim.keys("<C-y>")
    nvim.until_text("return a + b")
    assert _server_pid(nvim) == pid


def test_setting_up_again_with_other_settings_restarts_the_server(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([("def f():", "\n    x = 1\n    return x")], settings={"completion": {"lines": "single"}})
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    pid = _server_pid(nvim)
    nvim.setup(cmd=nvim.lua("return require('fimble.config').options.cmd"), settings={"completion": {"lines": "multi"}})
    nvim.wait(lambda: _alive_other(nvim, pid) and nvim.status()["state"] == "ready", "another server")
    nvim.keys("Adef f():")
    nvim.until_ghost("\n    x = 1\n    return x")


def test_functions_for_ones_own_mappings(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    assert nvim.lua("return require('fimble').accept_word()") is True
    nvim.until_text("return")
    assert nvim.lua("return require('fimble').accept()") is True
    nvim.until_text("return a + b")
    assert nvim.lua("return require('fimble').accept()") is False


def test_buffers_that_are_left_alone(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN], exclude_filetypes=["text"])
    nvim.edit(tmp_path / "a.txt", "\n")
    nvim.stays(lambda: nvim.lua("return #vim.lsp.get_clients()") == 0)
    nvim.api.command("let b:fimble = v:false")
    nvim.edit(tmp_path / "b.py", "\n")
    nvim.until_ready()
    nvim.lua("vim.b.fimble = false")
    nvim.keys("Aret")
    nvim.stays(lambda: nvim.ghost() is None)


def test_folders_of_other_buffers_are_added(start_nvim: Start, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
    nvim = start_nvim([RETURN])
    nvim.edit(tmp_path / "one" / "a.py", "\n")
    nvim.until_ready()
    nvim.edit(tmp_path / "two" / "b.py", "\n")
    nvim.wait(
        lambda: nvim.lua("return #vim.lsp.get_clients({ name = 'fimble' })[1].workspace_folders") == 2, "two folders"
    )
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")


def test_of_unnamed_buffers_the_server_has_one(start_nvim: Start) -> None:
    nvim = start_nvim([RETURN])
    nvim.api.command("enew | setfiletype lua")
    nvim.until_ready()
    nvim.keys("iret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Esc>")
    nvim.api.command("set hidden | enew | setfiletype python")
    attached = "return vim.lsp.buf_is_attached(..., require('fimble.server').client().id)"
    first, second = (buffer.number for buffer in nvim.api.buffers)
    assert (nvim.lua(attached, first), nvim.lua(attached, second)) == (True, False)
    nvim.api.command("bwipeout!")
    nvim.keys("A<BS>t")
    nvim.until_ghost("urn a + b")


def test_an_unnamed_buffer_is_served_once_the_other_is_gone_or_it_has_a_name(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.api.command("set hidden | enew | setfiletype lua")
    nvim.until_ready()
    nvim.api.command("call setline(1, 'x') | enew | setfiletype python")
    assert nvim.lua("return require('fimble.server').client(0)") is None
    nvim.api.command(f"write {tmp_path / 'named.py'}")
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Esc>")
    nvim.api.command("enew | setfiletype python")
    nvim.api.command("bwipeout! 1")
    nvim.api.command("call setline(1, 'x') | edit # | buffer #")
    nvim.keys("ccret")
    nvim.until_ghost("urn a + b")


@pytest.mark.parametrize("command", ["write", "saveas", "file"])
def test_the_folder_of_a_buffer_that_is_named_is_added(start_nvim: Start, tmp_path: Path, command: str) -> None:
    (tmp_path / "project" / ".git").mkdir(parents=True)
    nvim = start_nvim([RETURN])
    nvim.api.command("enew | setfiletype python")
    nvim.until_ready()
    folders = "return require('fimble.server').client(0).workspace_folders"
    assert nvim.lua(folders) is None
    nvim.api.command(f"{command} {tmp_path / 'project' / 'a.py'}")
    assert [folder["name"] for folder in nvim.lua(folders)] == ["project"]
    nvim.api.command("silent write!")
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Tab>")
    nvim.until_text("return a + b")


def test_detaching_gives_the_keys_back(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN], setup=False)
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.api.command("inoremap <buffer> <Tab> MINE")
    nvim.setup()
    nvim.lua("require('fimble.server').attach_all()")
    nvim.until_ready()
    nvim.wait(lambda: nvim.lua("return vim.fn.maparg('<Tab>', 'i', false, true).desc") == "fimble: accept")
    nvim.lua("vim.lsp.buf_detach_client(0, vim.lsp.get_clients({ name = 'fimble' })[1].id)")
    assert nvim.lua("return vim.fn.maparg('<Tab>', 'i')") == "MINE"


def test_the_help_file_has_its_tags(start_nvim: Start, repo_root: Path, tmp_path: Path) -> None:
    text = (repo_root / "editors/nvim/doc/fimble.txt").read_text("utf-8")
    tags = re.findall(r"\*([^*\s]+)\*", text)
    assert len(tags) == len(set(tags))
    assert {"fimble", ":Fimble", "fimble.setup()", "fimble-keymaps"} <= set(tags)
    linked = set(re.findall(r"\|([^|\s]+)\|", text))
    assert {link for link in linked if "imble" in link} <= set(tags)
    assert max(map(len, text.splitlines())) <= 78
    nvim = start_nvim()
    (tmp_path / "doc").mkdir()
    (tmp_path / "doc" / "fimble.txt").write_text(text, "utf-8")
    nvim.api.command(f"helptags {tmp_path / 'doc'}")
    nvim.api.command(f"set rtp^={tmp_path}")
    nvim.api.command("help fimble-keymaps")
    assert nvim.api.eval("expand('%:t')") == "fimble.txt"


def test_the_help_file_names_every_option_and_key(start_nvim: Start, repo_root: Path) -> None:
    text = (repo_root / "editors/nvim/doc/fimble.txt").read_text("utf-8")
    nvim = start_nvim()
    options = nvim.lua("local o = require('fimble.config').options o.cmd = nil return vim.tbl_keys(o)")
    keymaps = nvim.lua("return require('fimble.config').options.keymaps")
    for name in options:
        assert f"`{name}`" in text, name
    for name, lhs in keymaps.items():
        assert re.search(rf"`{name}`\s+`{re.escape(lhs)}`", text), name


def test_what_became_of_suggestions_is_counted(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN, ("loc", "al_x"), ("som", "e(words)")])
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Tab><CR>loc")
    nvim.until_ghost("al_x")
    nvim.keys("<C-]>")
    nvim.until_no_ghost()
    nvim.keys("<CR>som")
    nvim.until_ghost("e(words)")
    nvim.keys("<M-w>")
    nvim.until_ghost("(words)")
    nvim.keys("<Esc>")
    nvim.wait(lambda: nvim.text == ["return a + b", "loc", "some"])
    nvim.close()
    target = tmp_path / "rows.jsonl"
    export = [sys.executable, "-P", "-m", "fimble.cli.main", "telemetry", "export", str(target)]

    def shown() -> list[dict[str, Any]]:
        subprocess.run(export, check=True, capture_output=True, timeout=60)
        rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
        return [row for row in rows if row["shown_ms"] is not None and not row["is_continuation"]]

    # The server writes what is left while it ends, after Neovim.
    rows = nvim.wait_for(lambda: found if len(found := shown()) == 3 and found[2]["accepted_how"] else None)
    assert [(row["accepted_how"], row["n_accepted_chars"], row["is_shown_exact"]) for row in rows] == [
        ("whole", 9, 1),
        (None, None, 1),
        ("part", 1, 1),
    ]
    assert (rows[1]["ended_how"], rows[1]["is_ended_exact"]) == ("dismissed", 1)


def test_a_server_behind_a_socket(start_nvim: Start, tmp_path: Path) -> None:
    script = tmp_path / "tcp.json"
    script.write_text(json.dumps([{"prefix_endswith": "ret", "answer": "urn a + b"}]), "utf-8")
    command = [sys.executable, "-P", "-m", "fimble.cli.main", "serve", "--tcp", "127.0.0.1:0"]
    server = subprocess.Popen(
        command, stderr=subprocess.PIPE, env={**os.environ, "FIMBLE_MODEL_ID": f"scripted:{script}"}
    )
    assert server.stderr is not None
    try:
        port = int(server.stderr.readline().decode().rsplit(":", 1)[1])
        nvim = start_nvim(setup=False)
        nvim.lua("require('fimble').setup({ cmd = vim.lsp.rpc.connect('127.0.0.1', ...) })", port)
        nvim.edit(tmp_path / "a.py", "\n")
        nvim.until_ready()
        nvim.keys("Aret")
        nvim.until_ghost("urn a + b")
        nvim.close()
    finally:
        server.terminate()
        server.wait(30)
        server.stderr.close()


def test_the_log(start_nvim: Start) -> None:
    nvim = start_nvim()
    nvim.api.command("Fimble log")
    assert nvim.api.eval("expand('%:t')") == "lsp.log"
