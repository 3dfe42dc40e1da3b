"""A process that gives way says so for itself and, where it leads one, for its session."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# What a session's own niceness is: nothing where this system has no autogroups or another group stands in for one (the
# file is empty then). Asked of the process itself, as a new session may have an autogroup where its parent has none.
_SAY = """
import json
import os
from pathlib import Path
from fimble.core.priority import give_way

def session():
    file = Path("/proc/self/autogroup")
    return file.read_text().split()[-1:] if file.exists() else []

before, session_before = os.nice(0), session()
give_way(5)
print(json.dumps([before, os.nice(0), session_before, session()]))
"""


@pytest.mark.parametrize("leads_a_session", [True, False])
def test_it_gives_way_and_its_session_only_where_it_leads_one(leads_a_session: bool) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _SAY], capture_output=True, text=True, check=True, start_new_session=leads_a_session
    ).stdout
    before, after, session_before, session_after = json.loads(said)
    assert after == min(before + 5, 19)
    assert session_after == ([str(after)] if leads_a_session and session_before else session_before)
