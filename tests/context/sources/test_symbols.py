"""How far a name is followed through modules that pass on what others have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.context.sources.conftest import Case

from fimble.context.sources.symbols import Symbols
from fimble.syntax.outline.model import Outline

# Each module of a web includes eight others, so that there are 8 ** 5 ways through it.
N_MODULES = 60
WEBS = [
    ("h", '#include "m{}.h"', "main.c", '#include "m0.h"'),
    ("ts", 'export * from "./m{}";', "main.ts", 'import { nowhere } from "./m0";'),
]


@pytest.mark.parametrize(("suffix", "passes_on", "path", "own"), WEBS, ids=[web[0] for web in WEBS])
def test_modules_that_include_each_other_are_not_read_over_and_over(
    case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch, suffix: str, passes_on: str, path: str, own: str
) -> None:
    text = f"#- {path}\n{own}\n$0\n"
    for number in range(N_MODULES):
        others = [passes_on.format((number * 7 + at * 5 + 1) % N_MODULES) for at in range(8)]
        text += f"#- m{number}.{suffix}\n" + "".join(f"{line}\n" for line in others)
    symbols = Symbols(case(text).workspace)
    n_looks = 0
    look = Symbols.outline

    def count(self: Symbols, path: str) -> Outline:
        nonlocal n_looks
        n_looks += 1
        return look(self, path)

    monkeypatch.setattr(Symbols, "outline", count)
    assert symbols.lookup("nowhere", path) is None
    assert N_MODULES / 2 < n_looks < 10 * N_MODULES


def test_a_module_too_far_away_on_one_way_is_found_on_a_shorter_one(case: Callable[[str], Case]) -> None:
    chain = "".join(f'#- m{number}.h\n#include "m{number + 1}.h"\n' for number in range(5))
    found = case(
        f'#- main.c\n#include "m0.h"\n#include "short.h"\n$0\n{chain}'
        '#- short.h\n#include "m4.h"\n#- m5.h\nint far_away(void);\n'
    )
    meant = Symbols(found.workspace).lookup("far_away", "main.c")
    assert meant is not None
    assert meant.path == "m5.h"
