"""What work costs, also of what has ended; other programs' work takes the processor while it lasts, then is gone."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from fimble.evaluation.load import busy_cores
from fimble.evaluation.targets import counting_cpu

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_it_computes_and_ends_with_the_block() -> None:
    before = _children()
    with busy_cores(2) as cpu_s:
        started = _children() - before
        assert len(started) == 2
        while cpu_s() < 0.05:  # pytest-timeout ends this where nothing computes
            time.sleep(0.01)
    assert not _children() & started


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_work_of_processes_that_have_ended_counts() -> None:
    with counting_cpu() as cpu_s:
        subprocess.run([sys.executable, "-I", "-S", "-c", BURN], check=True)
        assert cpu_s() > 0.25, "the kernel counts in ticks, the process more finely"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can adopt orphans")
def test_work_of_a_process_whose_parent_has_ended_counts() -> None:
    leaves_it = f"import subprocess, sys; subprocess.Popen([sys.executable, '-I', '-S', '-c', {BURN!r}])"
    with counting_cpu() as cpu_s:
        # Its output ends when the one left behind does.
        subprocess.run([sys.executable, "-I", "-S", "-c", leaves_it], check=True, stdout=subprocess.PIPE)
        assert cpu_s() > 0.25, "the kernel counts in ticks, the process more finely"


def test_none_is_none() -> None:
    with busy_cores(0) as cpu_s:
        assert cpu_s() == 0.0
