"""A process that gives way says so for itself and, where it leads one, for its session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SAY = """
import os
from pathlib import Path
from fimble.core.priority import give_way

before = os.nice(0)
give_way(5)
session = Path("/proc/self/autogroup")
print(os.nice(0) - before, os.nice(0), *(session.read_text().split()[-1:] if session.exists() else []))
"""


def _niceness_of_session() -> list[str]:
    """Nothing where this system has no autogroups, or a cgroup has taken their place (the file is empty then)."""
    session = Path("/proc/self/autogroup")
    return session.read_text().split()[-1:] if session.exists() else []


@pytest.mark.parametrize("leads_a_session", [True, False])
def test_it_gives_way_and_its_session_only_where_it_leads_one(leads_a_session: bool) -> None:
    own = _niceness_of_session()
    said = subprocess.run(
        [sys.executable, "-c", _SAY], capture_output=True, text=True, check=True, start_new_session=leads_a_session
    ).stdout.split()
    assert int(said[0]) == min(5, 19 - os.nice(0))
    assert said[2:] == (said[1:2] if leads_a_session and own else own)
