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
print(os.nice(0) - before, Path("/proc/self/autogroup").read_text().split()[-1], os.nice(0))
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this system does not schedule by session")
@pytest.mark.parametrize("leads_a_session", [True, False])
def test_it_gives_way_and_its_session_only_where_it_leads_one(leads_a_session: bool) -> None:
    own = Path("/proc/self/autogroup").read_text().split()[-1]
    said = subprocess.run(
        [sys.executable, "-c", _SAY], capture_output=True, text=True, check=True, start_new_session=leads_a_session
    ).stdout.split()
    assert int(said[0]) == min(5, 19 - os.nice(0))
    assert said[1] == (said[2] if leads_a_session else own)
