"""Ghost text in a real Neovim: shown, taken whole and in part, typed into, turned away, in the way of no key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.editor, pytest.mark.e2e]

Start = Any  # conftest's

RETURN = ("ret", "urn a + b")
SEVERAL = ("def f():", "\n    x = 1\n    return x")
MULTI = {"completion": {"lines": "multi"}}


def _open(
    start_nvim: Start, tmp_path: Path, text: str, *rules: tuple[Any, ...], name: str = "a.py", **options: Any
) -> Any:
    nvim = start_nvim(rules, **options)
    nvim.edit(tmp_path / name, text)
    nvim.until_ready()
    return nvim


def test_ghost_text_and_tab(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "def add(a, b):\n    \n", RETURN)
    nvim.at(2, 4)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    assert nvim.text == ["def add(a, b):", "    ret"]
    assert nvim.screen(2) == ["def add(a, b):", "    return a + b"]
    nvim.keys("<Tab>")
    nvim.until_text("def add(a, b):", "    return a + b")
    assert nvim.cursor == (2, 16)
    assert nvim.ghost() is None
    nvim.keys("<Esc>:w<CR>")
    nvim.wait(lambda: (tmp_path / "a.py").read_text() == "def add(a, b):\n    return a + b\n", "the file on disk")


def test_tab_is_tab_when_nothing_is_shown(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "x\n", RETURN)
    nvim.api.command("set expandtab shiftwidth=4 softtabstop=4")
    nvim.keys("A<Tab>y")
    nvim.until_text("x   y")


def test_tab_falls_through_to_what_it_was(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.api.command("inoremap <Tab> GLOBAL")
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.keys("A<Tab>")
    nvim.until_text("GLOBAL")
    nvim.keys(" ret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Tab>")
    nvim.until_text("GLOBAL return a + b")


@pytest.mark.parametrize(
    "mapping",
    [
        "inoremap <buffer> <Tab> OTHER",
        "inoremap <buffer> <expr> <Tab> 'OTHER'",
        "imap <buffer> <Tab> zz",
        "lua vim.keymap.set('i', '<Tab>', function() return 'OTHER' end, { buffer = 0, expr = true })",
        "lua vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({'OTHER'}, 'c', true, true) end, {buffer = 0})",
        "imap <buffer> <expr> <Tab> 1 < 2 ? '<Plug>(other)' : '<Tab>'",
        "lua vim.keymap.set('i', '<Tab>', function() return 'zz' end, { buffer = 0, expr = true, remap = true })",
    ],
    ids=["plain", "expr", "remapped", "lua expr", "lua", "remapped expr", "remapped lua expr"],
)
def test_tab_falls_through_to_the_buffers_own_mapping(start_nvim: Start, tmp_path: Path, mapping: str) -> None:
    nvim = start_nvim([RETURN], setup=False)
    nvim.api.command("inoremap zz OTHER")
    nvim.api.command("inoremap <Plug>(other) OTHER")
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.api.command(mapping)
    nvim.setup()
    nvim.lua("require('fimble.server').attach_all()")
    nvim.until_ready()
    nvim.wait(lambda: nvim.lua("return vim.fn.maparg('<Tab>', 'i', false, true).desc") == "fimble: accept")
    nvim.keys("A<Tab>")
    nvim.until_text("OTHER")


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ("imap <expr> <Tab> 1 < 2 ? '<Tab>zz' : ''", "x\tOTHER!"),
        ("imap <Tab> <Tab>zz", "x\tOTHER!"),
        ("inoremap <expr> <Tab> '…<lt>Tab>'", "x…<Tab>!"),
        ("inoremap <Tab> …", "x…!"),
        ("lua vim.keymap.set('i', '<Tab>', function() return '…<Tab>' end, { expr = true })", "x…\t!"),
        ("lua vim.keymap.set('i', '<Tab>', function() end, { expr = true })", "x!"),
    ],
    ids=["expr with itself", "itself", "expr with text", "text", "lua expr with text", "lua expr with nothing"],
)
def test_tab_types_what_its_mapping_does(start_nvim: Start, tmp_path: Path, mapping: str, text: str) -> None:
    nvim = start_nvim([RETURN])
    nvim.api.command("set noexpandtab")
    nvim.api.command("inoremap zz OTHER")
    nvim.api.command(mapping)
    nvim.edit(tmp_path / "a.txt", "x\n")
    nvim.until_ready()
    nvim.keys("A<Tab>!")
    nvim.until_text(text)
    assert "Error" not in nvim.api.command_output("messages")


def test_control_keys_fall_through_to_the_buffers_own_mapping(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN], setup=False)
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.api.command("inoremap <buffer> <C-]> OTHER")
    nvim.setup()
    nvim.lua("require('fimble.server').attach_all()")
    nvim.until_ready()
    nvim.wait(lambda: nvim.lua("return vim.fn.maparg('<C-]>', 'i', false, true).desc") == "fimble: dismiss")
    nvim.keys("A<C-]>")
    nvim.until_text("OTHER")


def test_word_by_word(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    for text, ghost in (("return", " a + b"), ("return a", " + b"), ("return a +", " b")):
        nvim.keys("<M-w>")
        nvim.until_text(text)
        nvim.until_ghost(ghost)
    nvim.keys("<M-w>")
    nvim.until_text("return a + b")
    assert nvim.ghost() is None


def test_line_by_line(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(
        start_nvim,
        tmp_path,
        "\n",
        SEVERAL,
        settings=MULTI,
    )
    nvim.keys("Adef f():")
    nvim.until_ghost("\n    x = 1\n    return x")
    assert nvim.screen(3) == ["def f():", "    x = 1", "    return x"]
    nvim.keys("<M-l>")
    nvim.until_text("def f():", "    x = 1")
    assert nvim.cursor == (2, 9)
    nvim.until_ghost("\n    return x")
    nvim.keys("<M-l>")
    nvim.until_text("def f():", "    x = 1", "    return x")


def test_several_lines_at_once(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(
        start_nvim,
        tmp_path,
        "\nprint()\n",
        SEVERAL,
        settings=MULTI,
    )
    nvim.keys("Adef f():")
    nvim.until_ghost("\n    x = 1\n    return x")
    assert nvim.screen(4) == ["def f():", "    x = 1", "    return x", "print()"]
    nvim.keys("<Tab>!")
    nvim.until_text("def f():", "    x = 1", "    return x!", "print()")


def test_typing_into_the_suggestion_keeps_it(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    n_before = nvim.server_log().count("inlineCompletion")
    for char, ghost in (("u", "rn a + b"), ("r", "n a + b"), ("n", " a + b")):
        nvim.keys(char)
        nvim.until_ghost(ghost)
    assert nvim.server_log().count("inlineCompletion") == n_before
    nvim.keys("<Tab>")
    nvim.until_text("return a + b")


def test_typing_past_the_suggestion_drops_it(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("x")
    nvim.until_no_ghost()
    nvim.until_text("retx")


def test_moving_away_drops_it(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Left><Left>")
    nvim.until_no_ghost()


def test_moving_back_into_what_was_typed_drops_it(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("ur")
    nvim.until_ghost("n a + b")
    nvim.keys("<Left>")
    nvim.until_no_ghost()
    nvim.keys("<M-w>")
    nvim.stays(lambda: "returnr" not in nvim.text[0])


def test_deleting_what_was_typed_keeps_it(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    n_before = nvim.server_log().count("inlineCompletion")
    nvim.keys("ur")
    nvim.until_ghost("n a + b")
    nvim.keys("<BS>")
    nvim.until_ghost("rn a + b")
    assert nvim.server_log().count("inlineCompletion") == n_before


@pytest.mark.parametrize("keys", ["<Esc>", "<C-c>"])
def test_leaving_insert_mode_drops_it(start_nvim: Start, tmp_path: Path, keys: str) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys(keys)
    nvim.wait(lambda: nvim.ghost() is None or keys == "<C-c>")  # <C-c> tells no plugin that insert mode ended
    nvim.keys("a")
    nvim.until_ghost("urn a + b")
    assert nvim.text == ["ret"]


def test_dismissing(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<C-]>")
    nvim.until_no_ghost()
    nvim.stays(lambda: nvim.ghost() is None)
    assert nvim.text == ["ret"]
    nvim.keys("<Tab>!")
    nvim.until_text("ret !")


def test_middle_of_a_line(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "ret  # tail\n", ("retu", "rn a"))
    nvim.at(1, 3)
    nvim.keys("iu")
    nvim.until_ghost("rn a")
    assert nvim.screen(1) == ["return a  # tail"]
    nvim.keys("<Tab>")
    nvim.until_text("return a  # tail")
    assert nvim.cursor == (1, 8)


def test_a_closing_bracket_behind_the_cursor_is_not_doubled(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "x = add()\n", ("add(1", ", 2)"))
    nvim.at(1, 8)
    nvim.keys("i1")
    nvim.until_ghost(", 2")
    assert nvim.screen(1) == ["x = add(1, 2)"]
    nvim.keys("<Tab>")
    nvim.until_text("x = add(1, 2)")


def test_taking_words_up_to_a_bracket_behind_the_cursor(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "x = add()\n", ("add(1", ", 2)"))
    nvim.at(1, 8)
    nvim.keys("i1")
    nvim.until_ghost(", 2")
    nvim.keys("<M-w>")
    nvim.until_text("x = add(1,)")
    nvim.until_ghost(" 2")
    nvim.keys("<M-w>")
    nvim.until_text("x = add(1, 2)")


def test_a_block_between_the_braces_of_an_editor_that_closes_them(start_nvim: Start, tmp_path: Path) -> None:
    body = "\n  const c = a + b;\n  return c;"
    nvim = _open(start_nvim, tmp_path, "\nadd(1, 2);\n", ("b) {", f"{body}\n}}\n\nadd(3, 4);"), name="a.js")
    nvim.api.command("inoremap { {}<Left>")
    nvim.keys("Afunction add(a, b) {")
    nvim.until_ghost(f" {body}\n")  # the blank covers the brace, which is drawn below
    assert nvim.screen(5) == ["function add(a, b) {", "  const c = a + b;", "  return c;", "}", "add(1, 2);"]
    nvim.keys("<Tab>")
    nvim.until_text("function add(a, b) {", "  const c = a + b;", "  return c;", "}", "add(1, 2);")


def test_wide_characters_and_tabs(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "日本 = '😀'\n\n", ("é\t= ", "'日\t本😀'"))
    nvim.api.command("set noexpandtab tabstop=8")
    nvim.at(2, 0)
    nvim.keys("Aé\x16\t= ")
    nvim.wait(nvim.ghost, "a ghost")
    promised = nvim.screen(2)
    nvim.keys("<Tab>")
    nvim.until_text("日本 = '😀'", "é\t= '日\t本😀'")
    assert nvim.screen(2) == promised


def test_crlf_files_stay_crlf(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(
        start_nvim,
        tmp_path,
        "x = 1\r\n\r\n",
        ("def f():", "\n    return 1"),
        settings=MULTI,
    )
    assert nvim.api.eval("&fileformat") == "dos"
    nvim.at(2, 0)
    nvim.keys("Adef f():")
    nvim.until_ghost("\n    return 1")
    nvim.keys("<Tab><Esc>:w<CR>")
    nvim.wait(lambda: (tmp_path / "a.py").read_bytes() == b"x = 1\r\ndef f():\r\n    return 1\r\n", "CRLF on disk")


def test_undo_takes_back_the_suggestion_alone(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Tab>")
    nvim.until_text("return a + b")
    nvim.keys("  # more<Esc>")
    nvim.until_text("return a + b  # more")
    for text in ("return a + b", "ret", ""):
        nvim.keys("u")
        nvim.until_text(text)
    for text in ("ret", "return a + b", "return a + b  # more"):
        nvim.keys("<C-r>")
        nvim.until_text(text)


def test_keys_typed_right_after_tab_come_after_the_suggestion(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Tab> + c<CR>x")
    nvim.until_text("return a + b + c", "x")


def test_a_late_answer_is_not_shown(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ("slow", "er", 1500), ("x", "y"))
    nvim.keys("Aslow")
    nvim.wait(lambda: nvim.status()["state"] == "busy", "busy")
    nvim.keys("<BS><BS><BS><BS>x")
    nvim.until_ghost("y")
    nvim.stays(lambda: nvim.ghost() == "y", 2.0)


def test_asking_by_key_only(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN, auto_trigger=False)
    nvim.keys("Aret")
    nvim.stays(lambda: nvim.ghost() is None)
    nvim.keys("<M-\\>")
    nvim.until_ghost("urn a + b")


def test_typing_out_what_was_asked_for_by_key_leaves_nothing(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "x = add()\n", ("add(1", ", 2)"), auto_trigger=False)
    nvim.api.command("set expandtab shiftwidth=4 softtabstop=4")
    nvim.at(1, 8)
    nvim.keys("i1<M-\\>")
    nvim.until_ghost(", 2")
    nvim.keys(", 2")
    nvim.until_no_ghost()
    nvim.keys("<Tab>")
    nvim.until_text("x = add(1, 2    )")


def test_deleting_behind_what_was_asked_for_by_key_drops_it(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "ret  # tail\n", ("retu", "rn a"), auto_trigger=False)
    nvim.at(1, 3)
    nvim.keys("iu<M-\\>")
    nvim.until_ghost("rn a")
    nvim.keys("<Del>")
    nvim.until_no_ghost()


def test_with_the_menu_open_the_keys_are_the_menus(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "retold retry\n\n", RETURN)
    nvim.at(2, 0)
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<C-n>")
    nvim.wait(lambda: nvim.api.eval("pumvisible()") == 1, "the menu")
    nvim.until_no_ghost()
    nvim.keys("<C-e>")
    nvim.until_ghost("urn a + b")


def test_untitled_buffers_and_other_languages(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim([RETURN])
    nvim.api.command("enew")
    nvim.api.command("setfiletype lua")
    nvim.until_ready()
    nvim.keys("iret")
    nvim.until_ghost("urn a + b")


def test_two_buffers_do_not_mix(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", RETURN, ("loc", "al x"))
    nvim.keys("Aret")
    nvim.until_ghost("urn a + b")
    nvim.keys("<Esc>:w<CR>")
    nvim.until_no_ghost()
    nvim.edit(tmp_path / "b.lua", "\n")
    nvim.keys("Aloc")
    nvim.until_ghost("al x")
    assert nvim.lua("return #vim.lsp.get_clients({ name = 'fimble' })") == 1
