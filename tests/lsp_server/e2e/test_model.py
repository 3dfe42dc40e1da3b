"""The real model behind the real server: an answer, and one that is stopped on the way."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from pygls.exceptions import JsonRpcException

pytestmark = [pytest.mark.e2e, pytest.mark.model]

Start = Any  # conftest's


async def test_the_real_model_answers_and_can_be_stopped(start_editor: Start, model_path: Path) -> None:
    editor = await start_editor(env={"FIMBLE_MODEL_ID": str(model_path)}, encodings=["utf-8"])
    await editor.until_ready()
    source = "def add(a, b):\n    return \n\n\nprint(add(1, 2))\n"
    text = editor.open(source)
    at = source.index("return ") + len("return ")
    (item,) = await editor.items(text, at)
    applied = editor.applied(text, item)
    assert applied.startswith("def add(a, b):\n    return a + b\n")
    compile(applied, "a.py", "exec")

    # A long file makes a request that takes long enough to be stopped.
    long = "".join(f"def f{i}(x):\n    return x * {i}\n\n\n" for i in range(400)) + "def g(x):\n    "
    other = editor.open(long, "file:///w/b.py")
    msg_id, answer = editor.ask(other.uri, editor.position(other, len(long)))
    await asyncio.sleep(0.05)
    editor.cancel(msg_id)
    with pytest.raises(JsonRpcException) as caught:
        await answer
    assert caught.value.code == -32800
    # The model is free for the next one, and the first file's place in its cache is still warm.
    assert await editor.items(text, at)
    assert editor.answers[msg_id] == 1


async def test_several_candidates_by_hand(start_editor: Start, model_path: Path) -> None:
    editor = await start_editor(env={"FIMBLE_MODEL_ID": str(model_path)})
    text = editor.open("import os\n\n# the current folder\nfolder = \n")
    items = await editor.items(text, len(text.text) - 1, kind=1)
    assert items
    assert len({item.insert_text for item in items}) == len(items)
    assert [item.command.arguments[1] for item in items] == list(range(len(items)))


async def test_a_killed_model_process_costs_one_answer(start_editor: Start, model_path: Path) -> None:
    editor = await start_editor(env={"FIMBLE_MODEL_ID": str(model_path)})
    await editor.until_ready()
    source = "def add(a, b):\n    return \n"
    text = editor.open(source)
    assert await editor.items(text, len(source) - 1)
    home = os.environ["FIMBLE_HOME"]
    (worker,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "fimble.backend.host.worker" in (process.info["cmdline"] or ()) and home in str(process.info["cmdline"])
    ]
    worker.kill()
    worker.wait(30)
    editor.edit(text, 0, 0, "# other\n")
    at = text.text.index("return ") + len("return ")
    for _ in range(20):
        items = await editor.items(text, at)
        if items:
            break
        await asyncio.sleep(0.5)
    assert items
    await editor.until_ready()
