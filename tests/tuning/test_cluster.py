"""Mining on a Ray cluster gives the bytes that mining here gives; without Ray the extra is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fimble.core.errors import FimbleError
from fimble.tuning.mine.cluster import LOCAL, find_here, find_on
from fimble.tuning.mine.run import MineOptions, mine


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FimbleError, match="needs Ray") as caught:
        find_on(LOCAL)
    assert "fimble[ray]" in caught.value.mend


@pytest.mark.filterwarnings("default")
@pytest.mark.timeout(600)
def test_a_cluster_finds_what_is_found_here(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason='the extra is not installed: pip install "fimble[ray]"')
    for out, find_all in (("here", find_here), ("there", find_on(LOCAL))):
        mine([repository], tmp_path / out, MineOptions(), lambda name: None, find_all)
    for name in ("examples.jsonl.gz", "files.jsonl.gz", "report.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
