"""Secrets planted in a workspace are in nothing that a run of the real server writes or shows to the model.

Every secret is made up, and put together from parts so that no scanner of this repository takes it for a real one. A
harmless name planted beside each shows that the search would find them.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fimble.cli.main import root as program

pytestmark = pytest.mark.e2e

Start = Any  # conftest's
Scripted = Any

_CHANCE = random.Random(11)
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"


def _chars(n_chars: int, alphabet: str = _ALPHABET) -> str:
    return "".join(_CHANCE.choice(alphabet) for _ in range(n_chars))


AWS_ID = "AKIA" + _chars(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
AWS_SECRET = _chars(18) + "/" + _chars(21)
PEM_LINES = [_chars(64) for _ in range(6)]
DOTENV = _chars(32)
TOKEN = "ghp_" + _chars(36)
OPENED = "AKIA" + _chars(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
ACCEPTED = "AKIA" + _chars(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
# Pieces too: an index of words would cut a key at its slash.
NEEDLES = [AWS_ID, *AWS_SECRET.split("/"), *(line[8:40] for line in PEM_LINES), DOTENV, TOKEN, OPENED, ACCEPTED]
PEM = "\n".join(["-----BEGIN " + "RSA PRIVATE KEY-----", *PEM_LINES, "-----END " + "RSA PRIVATE KEY-----"])

MAIN = """\
from shop.conf import Harmless, REGION_NAME
from shop.pem import harmless_beside_pem
from shop.client import Client


def connect(client: Client):
    region = REGION_NAME
    client.
"""


def plant(root: Path) -> Path:
    """A workspace large enough to have its index on disk; the file that is edited."""
    shop = root / "shop"
    shop.mkdir(parents=True)
    (root / ".env").write_text(f"API_TOKEN={DOTENV}\nHARMLESS_DOTENV=1\n")
    (root / "id_rsa").write_text(f"{PEM}\n")
    (root / "deploy.pem").write_text(f"{PEM}\n")
    (shop / "__init__.py").write_text("")
    (shop / "conf.py").write_text(
        f'AWS_ACCESS_KEY_ID = "{AWS_ID}"\nAWS_SECRET_ACCESS_KEY = "{AWS_SECRET}"\nREGION_NAME = "eu-west-1"\n\n\n'
        "class Harmless:\n    def region_of_harmless(self) -> str:\n        return REGION_NAME\n"
    )
    (shop / "pem.py").write_text(f'KEY = """{PEM}"""\n\n\ndef harmless_beside_pem() -> int:\n    return 1\n')
    (shop / "client.py").write_text(
        "from shop.conf import REGION_NAME\n\n\nclass Client:\n"
        f'    def fetch_harmless(self, region: str, token: str = "{TOKEN}") -> str:\n        return region\n\n'
        "    def close_harmless(self) -> None:\n        region = REGION_NAME\n"
    )
    for number in range(70):
        (shop / f"part{number}.py").write_text(f"def part{number}(client, region):\n    return client\n")
    (shop / "main.py").write_text(MAIN)
    return shop / "main.py"


def found_in(folder: Path, needles: list[str]) -> list[tuple[str, str]]:
    """Every file below a folder that holds one of the texts, in one of the encodings that programs write."""
    found: list[tuple[str, str]] = []
    for path in folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            found += [
                (str(path.relative_to(folder)), needle)
                for needle in needles
                if needle.encode() in raw or needle.encode("utf-16-le") in raw
            ]
    return found


async def test_planted_secrets_are_written_and_shown_nowhere(
    start_editor: Start, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "written"
    main = plant(tmp_path / "workspace")
    env = {
        "FIMBLE_HOME": str(written / "home"),
        "FIMBLE_TELEMETRY_STORE_CODE": "true",
        "FIMBLE_PROMPT_CHUNK_TOKENS": "4096",
        "FIMBLE_PROMPT_MAX_TOKENS": "16384",
        "TMPDIR": str(written / "tmp"),
    }
    (written / "tmp").mkdir(parents=True)
    rules = [scripted("client.", "fetch_harmless(region)"), scripted("key = ", f'"{ACCEPTED}"')]
    arguments = ["--log-file", str(written / "server.log"), "--log-level=debug"]
    editor = await start_editor(rules, env=env, extra_arguments=arguments, folders=[tmp_path / "workspace"])
    await editor.until_ready()

    # Tabs beside: one that shows a key in full, and the files that hold secrets by their name.
    editor.open((tmp_path / "workspace/.env").read_text(), (tmp_path / "workspace/.env").as_uri(), "dotenv")
    beside = editor.open(f'client_id = "{OPENED}"\nregion = client\n', (main.parent / "open.py").as_uri())
    editor.edit(beside, len(beside.text), len(beside.text), f'second = "{OPENED}"\nharmless_edit = region\n')
    await editor.items(beside, len(beside.text))  # edits count where completions are asked for
    text = editor.open(MAIN, main.as_uri())
    place = MAIN.index("client.\n") + len("client.")
    await editor.items(text, place)  # the first request begins the index
    (index,) = await index_of(editor, written / "home")
    (item,) = await editor.items(text, place)
    shown = await editor.command("fimble.explain", {"uri": text.uri, "position": as_json(editor.position(text, place))})
    editor.edit(text, place, place, item.insert_text)
    await editor.command("fimble.accepted", *item.command.arguments)

    # Accepted code with a key in it, kept because the user turned that on.
    editor.edit(text, len(text.text), len(text.text), "\nkey = ")
    (item,) = await editor.items(text, len(text.text))
    assert ACCEPTED in item.insert_text
    editor.edit(text, len(text.text), len(text.text), item.insert_text)
    await editor.command("fimble.accepted", *item.command.arguments)
    await editor.client.shutdown_session()
    editor.client.capabilities = None

    # The command line's ways to write and show.
    for name, value in {**env, "FIMBLE_MODEL_ID": f"scripted:{tmp_path / 'rules0.json'}"}.items():
        monkeypatch.setenv(name, value)
    told = ""
    for command in (
        ["index", str(tmp_path / "workspace")],
        ["index", "--stats", "--json", str(tmp_path / "workspace")],
        ["explain", "--text", f"{main}:8:12", "--workspace", str(tmp_path / "workspace")],
        ["explain", "--json", f"{main}:8:12", "--workspace", str(tmp_path / "workspace")],
        ["telemetry", "export", str(written / "events.jsonl")],
    ):
        done = await asyncio.to_thread(CliRunner().invoke, program, command)
        assert done.exit_code == 0, (command, done.output)
        told += done.output

    prompts = repr(shown) + told
    assert "fetch_harmless" in prompts or "close_harmless" in prompts  # the file with a token in it is shown otherwise
    assert "region_of_harmless" in prompts
    assert "harmless_edit" in prompts
    assert not [needle for needle in NEEDLES if needle in prompts]
    assert [path for path, _ in found_in(written, ["harmless_beside_pem", "region_of_harmless"])]
    assert index.exists()
    assert found_in(written / "home" / "state", ["fetch_harmless(region)"])  # accepted code is kept
    assert not found_in(written, NEEDLES)


async def index_of(editor: Any, home: Path) -> list[Path]:
    """The index, once it holds what was planted."""

    def is_there() -> bool:
        return bool(found_in(home / "cache", ["region_of_harmless"]))

    await editor.until(is_there)
    return list((home / "cache" / "index").glob("*.sqlite3"))


def as_json(position: Any) -> dict[str, int]:
    return {"line": position.line, "character": position.character}


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0\1" + AWS_ID.encode() + b"\0")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_text(TOKEN, "utf-16-le")
    assert found_in(tmp_path, NEEDLES) == [("a.bin", AWS_ID), ("deep/b.txt", TOKEN)]
