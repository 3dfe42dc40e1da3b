"""Open files and recent edits: what the session tells, and the chunks that come of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fimble.context.sources.activity import Activity
from fimble.context.sources.open_files import OpenFiles
from fimble.context.sources.recent_edits import RecentEdits
from fimble.context.sources.surroundings import Surveyor

HIDDEN = {".env"}
LONG = "".join(f"line_{number} = {number}\n" for number in range(400))


def edited(text: str, line: int, new: str) -> str:
    lines = text.split("\n")
    lines[line] = new
    return "\n".join(lines)


def places(activity: Activity) -> list[tuple[str, int, int]]:
    return [(edit.path, edit.first_line, edit.end_line) for edit, _ in activity.edits()]


def test_edits_are_found_by_lines() -> None:
    activity = Activity()
    activity.on_open("a.py", LONG)
    assert places(activity) == []
    activity.on_edit("a.py", edited(LONG, 100, "changed = True"))
    assert places(activity) == [("a.py", 100, 101)]


def test_edits_near_each_other_are_one_and_the_latest_comes_first() -> None:
    activity = Activity()
    activity.on_open("a.py", LONG)
    text = LONG
    for line in (100, 300, 103):
        text = edited(text, line, f"changed_{line}")
        activity.on_edit("a.py", text)
    assert places(activity) == [("a.py", 100, 104), ("a.py", 300, 301)]


def test_places_move_with_lines_put_in_above() -> None:
    activity = Activity()
    activity.on_open("a.py", LONG)
    text = edited(LONG, 300, "changed")
    activity.on_edit("a.py", text)
    activity.on_edit("a.py", edited(text, 50, "one\ntwo\nthree"))
    assert ("a.py", 302, 303) in places(activity)


def test_a_closed_text_is_forgotten() -> None:
    activity = Activity()
    activity.on_open("a.py", LONG)
    activity.on_edit("a.py", edited(LONG, 1, "x"))
    activity.on_close("a.py")
    assert (places(activity), activity.open_texts()) == ([], ())


def test_recent_edits_show_what_was_written_elsewhere() -> None:
    activity = Activity()
    activity.on_open("b.py", LONG)
    activity.on_edit("b.py", edited(LONG, 200, "def new_helper(): ..."))
    source = RecentEdits(activity, HIDDEN)
    [chunk] = source.find("a.py", "import b\n", "")
    assert (chunk.path, chunk.first_line) == ("b.py", 197)
    assert "def new_helper(): ..." in chunk.text
    assert source.find("b.py", LONG[: LONG.index("line_190")], "") == []
    assert len(source.find("b.py", "", LONG)) == 1


def test_no_secret_comes_from_an_edit() -> None:
    activity = Activity()
    for path in ("b.py", ".env"):
        activity.on_open(path, LONG)
        activity.on_edit(path, edited(LONG, 200, "KEY = '" + "AKIA" + "ABCDEFGHIJKLMNOP'"))
    chunks = RecentEdits(activity, HIDDEN).find("a.py", "", "")
    assert [chunk.path for chunk in chunks] == ["b.py"]
    assert all("AKIA" not in chunk.text for chunk in chunks)
    chunks = OpenFiles(activity, Surveyor(), HIDDEN).find("a.py", LONG, "")
    assert all("AKIA" not in chunk.text and chunk.path != ".env" for chunk in chunks)


def test_open_files_show_the_likest_window() -> None:
    activity = Activity()
    like = "def parse_invoice(invoice, ledger):\n    return ledger.book(invoice.number)\n"
    activity.on_open("b.py", LONG + like + LONG)
    activity.on_open("c.py", LONG)
    source = OpenFiles(activity, Surveyor(), HIDDEN)
    before = "def parse_receipt(receipt, ledger):\n    invoice = receipt.invoice\n    ledger.book(invoice.number)\n    "
    chunks = source.find("a.py", before, "")
    assert [chunk.path for chunk in chunks] == ["b.py"]
    assert "def parse_invoice" in chunks[0].text


def test_a_scope_that_has_hardly_begun_is_asked_about_again() -> None:
    activity = Activity()
    activity.on_open("b.py", "def parse(text, ledger):\n    return ledger.book(text)\n" * 3)
    source = OpenFiles(activity, Surveyor(), HIDDEN)
    assert source.find("a.py", "", "") == ()
    assert source.find("a.py", "def parse(text, ledger):\n    ledger.book(text)\n", "")


def test_what_was_written_in_another_tab_is_seen() -> None:
    activity = Activity()
    text = "def parse(text, ledger):\n    return ledger.book(text)\n" * 3
    activity.on_open("b.py", text)
    source = OpenFiles(activity, Surveyor(), HIDDEN)
    before = "def parse(text, ledger):\n    x = ledger.book(text)\n"
    assert "ledger.book(text)" in source.find("a.py", before, "")[0].text
    activity.on_edit("b.py", text.replace("book(text)", "book(text, now)"))
    assert "ledger.book(text, now)" in source.find("a.py", before, "")[0].text


def test_nothing_of_a_private_key_comes_from_an_edit_or_a_tab() -> None:
    body = "\n".join(f"MIIEowIBAAKCAQEA{number:048d}" for number in range(35))
    key = 'KEY = """-----BEGIN ' + f"RSA PRIVATE KEY-----\n{body}\n-----END " + 'RSA PRIVATE KEY-----"""\n'
    like = "def parse(text, ledger):\n    return ledger.book(text)\n"
    activity = Activity()
    activity.on_open("b.py", "import os\n")
    activity.on_edit("b.py", f"import os\n{key}{like}")
    assert RecentEdits(activity, HIDDEN).find("a.py", "", "") == []
    chunks = OpenFiles(activity, Surveyor(), HIDDEN).find("a.py", "def parse(text, ledger):\n    x = ledger.book\n", "")
    assert all("MIIE" not in chunk.text for chunk in chunks)


def test_looking_at_another_tab_does_not_change_the_chunks() -> None:
    activity = Activity()
    for path in ("b.py", "c.py"):
        activity.on_open(path, "def parse(text, ledger):\n    return ledger.book(text)\n" * 3)
    source = OpenFiles(activity, Surveyor(), HIDDEN)
    before = "def parse(text, ledger):\n    x = ledger.book(text)\n"
    first = source.find("a.py", before, "")
    assert first
    activity.on_open("b.py", activity.open_texts()[1][1])
    assert source.find("a.py", before + "    y", "") == first


@given(st.lists(st.text("ab\n", max_size=30), min_size=1, max_size=8))
def test_places_lie_within_their_text(texts: list[str]) -> None:
    activity = Activity()
    activity.on_open("a.py", "")
    for text in texts:
        activity.on_edit("a.py", text)
        for edit, current in activity.edits():
            assert 0 <= edit.first_line <= edit.end_line <= current.count("\n") + 1
