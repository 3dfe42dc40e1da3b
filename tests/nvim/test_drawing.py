"""What no scripted model makes the server say: candidates, odd ranges, errors. The server is a few lines of Lua."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.editor]

Start = Any  # conftest's

SERVER = """
_G.sent, _G.answer = {}, nil
function _G.serve(dispatchers)
  local is_closing = false
  return {
    request = function(method, params, callback)
      table.insert(sent, { method, params })
      if method == 'initialize' then
        callback(nil, { capabilities = {
          inlineCompletionProvider = true,
          executeCommandProvider = { commands = { 'fimble.accepted' } },
          textDocumentSync = { openClose = true, change = 2 },
        } })
        vim.schedule(function()
          dispatchers.notification('fimble/status', { state = 'ready', message = 'fake' })
        end)
      elseif method == 'textDocument/inlineCompletion' then
        callback(unpack(_G.answer(params)))
      else
        callback(nil, vim.NIL)
      end
      return true, #sent
    end,
    notify = function(method, params)
      table.insert(sent, { method, params })
      return true
    end,
    is_closing = function() return is_closing end,
    terminate = function() is_closing = true end,
  }
end
-- Items at the cursor: { text, units of the range before it, units behind it }.
function _G.answer_with(...)
  local wanted = { ... }
  _G.answer = function(params)
    local items = {}
    for i, item in ipairs(wanted) do
      local at = params.position
      items[i] = {
        insertText = item[1],
        range = {
          start = { line = at.line, character = at.character - (item[2] or 0) },
          ['end'] = { line = at.line, character = at.character + (item[3] or 0) },
        },
        command = { title = 'Accepted', command = 'fimble.accepted', arguments = { 'r', i - 1 } },
      }
    end
    return { nil, { items = params.context.triggerKind == 1 and items or { items[1] } } }
  end
end
function _G.sent_of(method)
  local found = {}
  for _, message in ipairs(sent) do
    if message[1] == method then table.insert(found, message[2]) end
  end
  return found
end
"""


def _open(start_nvim: Start, tmp_path: Path, text: str, *items: list[Any], **options: Any) -> Any:
    nvim = start_nvim(setup=False)
    nvim.lua(SERVER)
    nvim.lua("answer_with(...)", *items)
    nvim.lua(
        "require('fimble').setup(vim.tbl_extend('force', { cmd = serve, debounce_ms = 10 }, ...))",
        options or {"rest_ms": 10},
    )
    nvim.edit(tmp_path / "a.py", text)
    nvim.until_ready()
    return nvim


def _sent(nvim: Any, method: str) -> list[Any]:
    return nvim.lua("return sent_of(...)", method)


def test_a_range_that_begins_before_the_cursor(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["os.getcwd()", 6])
    nvim.keys("Aos.get")
    nvim.until_ghost("cwd()")
    nvim.keys("<Tab>")
    nvim.until_text("os.getcwd()")


def test_a_range_whose_text_is_another_is_not_shown(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["getcwd()", 2])
    nvim.keys("Axx")
    nvim.wait(lambda: _sent(nvim, "textDocument/inlineCompletion"))
    nvim.stays(lambda: nvim.ghost() is None)


@pytest.mark.parametrize(
    ("line", "item", "shown", "text"),
    [
        ("f()", ["1, 2)", 0, 1], ["f(1, 2)"], ["f(1, 2)"]),
        ("f()  # c", ["1, 2)", 0, 1], ["f(1, 2)  # c"], ["f(1, 2)  # c"]),
        ("f(x)", ["1, 2", 0, 1], ["f(1, 2)"], ["f(1, 2)"]),
        ("f()", ["\n    a,\n)", 0, 1], ["f(", "    a,", ")"], ["f(", "    a,", ")"]),
        ("f()  # c", ["\n    a,\n)", 0, 1], ["f(", "    a,", ")  # c"], ["f(", "    a,", ")  # c"]),
        ("f(  # c", ["1,\n  2)", 0, 0], ["f(1,", "  2)  # c"], ["f(1,", "  2)  # c"]),
    ],
    ids=["its end", "its end, more behind", "another text", "lines", "lines, more behind", "lines in the middle"],
)
def test_what_is_shown_is_what_comes(
    start_nvim: Start, tmp_path: Path, line: str, item: list[Any], shown: list[str], text: list[str]
) -> None:
    nvim = _open(start_nvim, tmp_path, f"{line}\nlast\n", item)
    nvim.at(1, 2)
    nvim.keys("i")
    nvim.wait(nvim.ghost, "a ghost")
    assert nvim.screen(len(shown) + 1) == [*shown, "last"]
    nvim.lua("answer_with()")
    nvim.keys("<Tab>")
    nvim.until_text(*text, "last")
    assert nvim.screen(len(shown) + 1) == [*shown, "last"]


def test_candidates(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["one"], ["two"], ["three"])
    nvim.keys("A<M-\\>")
    nvim.until_ghost("one")
    for key, ghost in (("<M-]>", "two"), ("<M-]>", "three"), ("<M-]>", "one"), ("<M-[>", "three")):
        nvim.keys(key)
        nvim.until_ghost(ghost)
    nvim.keys("<Tab>")
    nvim.until_text("three")
    (accepted,) = _sent(nvim, "workspace/executeCommand")
    assert accepted == {"command": "fimble.accepted", "arguments": ["r", 2]}


@pytest.mark.parametrize(
    ("texts", "keys", "rest", "cycling", "ghost"),
    [
        (["foo(a)", "bar(b)"], "f", "oo(a)", "<M-]>", "oo(a)"),
        (["foo(a)", "bar(b)"], "f", "oo(a)", "<M-[>", "oo(a)"),
        (["foo(a)", "bar(b)"], "<M-w>", "(a)", "<M-]>", "(a)"),
        (["foo(a)", "bar(b)", "for(c)"], "f", "oo(a)", "<M-]>", "or(c)"),
    ],
    ids=["next", "previous", "a word taken", "one that fits further on"],
)
def test_candidates_that_no_longer_fit_are_passed_over(
    start_nvim: Start, tmp_path: Path, texts: list[str], keys: str, rest: str, cycling: str, ghost: str
) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", *([text] for text in texts), auto_trigger=False)
    nvim.keys("A<M-\\>")
    nvim.until_ghost(texts[0])
    nvim.keys(keys)
    nvim.until_ghost(rest)
    typed = nvim.text[0]
    nvim.keys(cycling)
    nvim.until_ghost(ghost)
    nvim.keys("<Tab>")
    nvim.until_text(typed + ghost)


def test_next_asks_for_more_when_there_is_one(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["one"], ["two"])
    nvim.keys("A")
    nvim.until_ghost("one")
    nvim.keys("<M-]>")
    nvim.until_ghost("two")
    kinds = [params["context"]["triggerKind"] for params in _sent(nvim, "textDocument/inlineCompletion")]
    assert kinds == [2, 1]


def test_next_with_one_candidate_in_all_stays(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["one"])
    nvim.keys("A")
    nvim.until_ghost("one")
    nvim.keys("<M-]><M-]>")
    nvim.stays(lambda: nvim.ghost() == "one")
    assert len(_sent(nvim, "textDocument/inlineCompletion")) == 2


def test_what_the_server_is_told(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["😀é = one two"])
    nvim.keys("A")
    nvim.until_ghost("😀é = one two")
    (shown,) = _sent(nvim, "textDocument/didShowCompletion")
    assert shown["item"]["command"]["arguments"] == ["r", 0]
    nvim.keys("<M-w>")
    nvim.until_ghost(" = one two")
    nvim.keys("<M-w><M-w>")
    nvim.until_ghost(" two")
    parts = _sent(nvim, "textDocument/didPartiallyAcceptCompletion")
    assert [part["acceptedLength"] for part in parts] == [3, 5, 9]
    assert _sent(nvim, "workspace/executeCommand") == []
    nvim.keys("<C-]>")
    nvim.until_no_ghost()
    assert len(_sent(nvim, "fimble/didDismiss")) == 1
    (moved, *_) = _sent(nvim, "fimble/didMoveCursor")
    assert moved["textDocument"]["uri"].endswith("a.py")


def test_the_last_word_counts_as_accepted(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["one two"])
    nvim.keys("A")
    nvim.until_ghost("one two")
    nvim.lua("answer_with()")
    nvim.keys("<M-w><M-w>")
    nvim.until_text("one two")
    nvim.wait(lambda: len(_sent(nvim, "workspace/executeCommand")) == 1, "the command")


@pytest.mark.parametrize(
    "answer",
    [
        "{ { code = -32800, message = 'cancelled' } }",
        "{ { code = -32603, message = 'broken' } }",
        "{ nil, vim.NIL }",
        "{ nil, {} }",
        "{ nil, { items = {} } }",
        "{ nil, { items = { { insertText = '' } } } }",
        "{ nil, { items = { { insertText = { kind = 'snippet', value = 'x$0' } } } } }",
    ],
)
def test_answers_with_nothing_to_show(start_nvim: Start, tmp_path: Path, answer: str) -> None:
    nvim = _open(start_nvim, tmp_path, "\n")
    nvim.lua(f"_G.answer = function() return {answer} end")
    nvim.keys("Ax")
    nvim.wait(lambda: _sent(nvim, "textDocument/inlineCompletion"))
    nvim.stays(lambda: nvim.ghost() is None)
    assert nvim.told() == []
    assert nvim.api.command_output("messages").strip() == ""


def test_a_plain_list_without_ranges(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n")
    nvim.lua("_G.answer = function() return { nil, { { insertText = 'bare' } } } end")
    nvim.keys("A")
    nvim.until_ghost("bare")
    nvim.keys("<Tab>")
    nvim.until_text("bare")


NATIVE = """
-- Stands in for Neovim 0.12's module, of which no binary is to be had here: the calls made of it, and its contract.
_G.calls, _G.item = {}, nil
vim.lsp.inline_completion = {
  enable = function(on, filter) table.insert(calls, { 'enable', on, filter.client_id ~= nil }) end,
  get = function(opts)
    if not _G.item then return false end
    local item = _G.item
    vim.schedule(function()
      if opts and opts.on_accept then opts.on_accept(item) else table.insert(calls, { 'accepted' }) end
    end)
    return true
  end,
  select = function(opts) table.insert(calls, { 'select', opts.count }) end,
}
"""


def test_newer_neovims_draw_themselves(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim(setup=False)
    nvim.lua(SERVER)
    nvim.lua(NATIVE)
    nvim.lua("answer_with({ 'one' }) require('fimble').setup({ cmd = serve, rest_ms = 10 })")
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.wait(lambda: nvim.lua("return calls"), "enable")
    assert nvim.lua("return calls") == [["enable", True, True]]
    nvim.keys("A<Tab>x")
    nvim.until_text("    x")
    nvim.lua(
        "_G.item = { insert_text = 'x one two', range = { start = { row = 0, col = 4 } }, command = { command = 'c' } }"
    )
    nvim.keys("<M-w>")
    nvim.until_text("    x one")
    nvim.wait(lambda: [p["acceptedLength"] for p in _sent(nvim, "textDocument/didPartiallyAcceptCompletion")] == [5])
    nvim.keys("<Tab><M-]><M-[>")
    nvim.wait(lambda: len(nvim.lua("return calls")) == 4, "the calls")
    assert sorted(nvim.lua("return calls")[1:], key=str) == [["accepted"], ["select", -1], ["select", 1]]
    nvim.keys("<M-\\>")
    nvim.wait(lambda: len(nvim.told()) == 1, "the key's word")
    nvim.api.command("Fimble trigger")
    assert all("cannot be asked for them by key" in text for text in nvim.told())
    assert len(nvim.told()) == 2
    assert _sent(nvim, "textDocument/inlineCompletion") == []
    assert nvim.ghost() is None


def test_setting_up_again_takes_the_drawing_from_neovim(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim(setup=False)
    nvim.lua(SERVER)
    nvim.lua(NATIVE)
    nvim.lua("answer_with({ 'one' }) require('fimble').setup({ cmd = serve, debounce_ms = 10 })")
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.wait(lambda: nvim.lua("return calls"), "enable")
    nvim.lua("require('fimble').setup({ cmd = serve, renderer = 'own', debounce_ms = 10 })")
    assert nvim.lua("return calls") == [["enable", True, True], ["enable", False, True]]
    nvim.keys("A")
    nvim.until_ghost("one")


def test_the_plugin_can_be_told_to_draw(start_nvim: Start, tmp_path: Path) -> None:
    nvim = start_nvim(setup=False)
    nvim.lua(SERVER)
    nvim.lua(NATIVE)
    nvim.lua("answer_with({ 'one' }) require('fimble').setup({ cmd = serve, renderer = 'own', debounce_ms = 10 })")
    nvim.edit(tmp_path / "a.py", "\n")
    nvim.until_ready()
    nvim.keys("A")
    nvim.until_ghost("one")
    assert nvim.lua("return calls") == []


def test_slow_answers_are_not_waited_for_twice(start_nvim: Start, tmp_path: Path) -> None:
    nvim = _open(start_nvim, tmp_path, "\n", ["one"], debounce_ms=60, rest_ms=100_000)
    nvim.lua("""
      _G.now_ns, _G.takes_ms, _G.waits = 0, 0, {}
      vim.uv.hrtime = function() return now_ns end
      local quick = _G.answer
      _G.answer = function(params)
        now_ns = now_ns + takes_ms * 1e6
        return quick(params)
      end
      local new_timer = vim.uv.new_timer
      vim.uv.new_timer = function()
        local timer = new_timer()
        return setmetatable({}, { __index = function(_, name)
          return function(_, wait_ms, ...)
            if name == 'start' then table.insert(waits, wait_ms) end
            return timer[name](timer, wait_ms, ...)
          end
        end })
      end
    """)

    def waits_of(takes_ms: int) -> list[int]:
        nvim.lua("takes_ms, waits = ..., {}", takes_ms)
        for n_asked in range(1, 7):
            n_before = len(_sent(nvim, "textDocument/inlineCompletion"))
            nvim.keys("Ax" if n_asked == 1 else "x")
            nvim.wait(lambda n=n_before: len(_sent(nvim, "textDocument/inlineCompletion")) > n)
        nvim.keys("<Esc>")
        return [wait for wait in nvim.lua("return waits") if wait <= 60]

    assert set(waits_of(0)) == {60}
    assert waits_of(200)[-1] < 20
    assert 40 < waits_of(0)[-1] < 60
