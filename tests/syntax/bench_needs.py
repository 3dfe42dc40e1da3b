"""Counts how often static analysis asks a blank line for something, and how often wrongly: run by hand, no test.

    python tests/syntax/bench_needs.py SET.jsonl.gz [...]

For every record whose hole is a whole blank line: is one name needed there (and does the true middle define it), must a
block be opened (and may the true middle stand there)? At most 500 records a set, evenly spread. No model runs.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from fimble.backend.decode.guard import guard_for
from fimble.core.flow import Constraint
from fimble.evaluation.records import Record, read_set
from fimble.syntax.needs import defines, needed_definition
from fimble.syntax.parse import TreeCache

_MOST = 500


def count(record: Record, counts: Counter[str]) -> None:
    """One record."""
    middle, suffix = record.middle, record.suffix
    if middle.endswith("\n"):
        middle, suffix = middle[:-1], f"\n{suffix}"
    line_head = record.prefix.rpartition("\n")[2]
    if line_head.strip() or suffix.partition("\n")[0].strip():
        return
    counts["blank lines"] += 1
    indent = line_head + middle[: len(middle) - len(middle.lstrip())].rpartition("\n")[2]
    if need := needed_definition(record.language, record.prefix, suffix, indent):
        counts["names needed"] += 1
        counts["wrongly"] += not defines(record.language, record.prefix, middle, suffix, need.name)
    guard = guard_for(Constraint(record.language, record.prefix, suffix), TreeCache())
    if guard is not None and not guard.may_end_at_last(""):
        counts["nothing may not stand there"] += 1
        counts["true middle refused"] += not guard.may_end(middle)


def main() -> None:
    """Count and print."""
    for name in sys.argv[1:]:
        found = read_set(Path(name))
        records = found.records[:: max(1, len(found.records) // _MOST)]
        counts: Counter[str] = Counter()
        for record in records:
            count(record, counts)
        print(found.name, dict(counts))


if __name__ == "__main__":
    main()
