"""Mining on a Ray cluster gives the bytes that mining here gives; without Ray the extra is named."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from fimble.core.errors import FimbleError
from fimble.tuning.mine.cluster import LOCAL, find_here, find_on, require_cluster
from fimble.tuning.mine.run import MineOptions, mine


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FimbleError, match="needs Ray") as caught:
        find_on(LOCAL)
    assert "fimble[ray]" in caught.value.mend


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import time; time.sleep(60)", "no answer within 1 s"),
        ("raise ConnectionError('nobody there')", "ConnectionError: nobody there"),
    ],
    ids=["silent", "refused"],
)
def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    monkeypatch.setattr("fimble.tuning.mine.cluster._REACH_S", 1.0 if "sleep" in script else 60.0)
    monkeypatch.setattr("fimble.tuning.mine.cluster._TRY", script)
    with pytest.raises(FimbleError) as caught:
        require_cluster("192.0.2.1:6379")
    assert caught.value.message == f"The Ray cluster at 192.0.2.1:6379 cannot be reached: {reason}."
    assert "--ray" in caught.value.mend


@pytest.mark.timeout(120)
def test_a_port_that_is_no_cluster_is_told_within_seconds() -> None:
    pytest.importorskip("ray.data", reason='the extra is not installed: pip install "fimble[ray]"')
    # A port that takes connections and says nothing: what keeps `ray.init` waiting for minutes.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(FimbleError, match="cannot be reached: no answer within 15 s"):
            find_on(address)


@pytest.mark.filterwarnings("default")
@pytest.mark.timeout(600)
def test_a_cluster_finds_what_is_found_here(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason='the extra is not installed: pip install "fimble[ray]"')
    for out, find_all in (("here", find_here), ("there", find_on(LOCAL))):
        mine([repository], tmp_path / out, MineOptions(), lambda name: None, find_all)
    for name in ("examples.jsonl.gz", "files.jsonl.gz", "report.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
