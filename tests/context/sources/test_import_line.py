"""The module whose names are being imported at the cursor."""

from __future__ import annotations

import time

import pytest

from fimble.context.sources.import_line import import_at_cursor

CASES = [
    ("python", "from a.b import $0", "a.b"),
    ("python", "from a.b import c, $0", "a.b"),
    ("python", "from ..x import (\n    c,\n    d$0\n)", "..x"),
    ("python", "import a.b.$0", "a.b"),
    ("python", "from a.b.c$0", "a.b"),
    ("python", "from a import b\nx = $0", None),
    ("python", "important = $0", None),
    ("python", "from x import import_module, $0", "x"),
    ("python", "from x import (\n    reimport,\n    $0", "x"),
    ("typescript", 'import { a, $0 } from "./m";', "./m"),
    ("typescript", 'import type {\n  A,\n  $0\n} from "./m";', "./m"),
    ("typescript", 'export { $0 } from "./m";', "./m"),
    ("typescript", 'import a from "./m";\nconst x = { $0 };', None),
    ("typescript", 'import { exportData, $0 } from "./m";', "./m"),
    ("typescript", 'export { $import, important, $0 } from "./m";', "./m"),
    ("javascript", 'const { a, $0 } = require("./m");', "./m"),
    ("javascript", 'const { variant, outlet, $0} = require("./m")', "./m"),
    ("rust", "use crate::a::b::{C, $0};", "crate::a::b"),
    ("rust", "use crate::a::$0", "crate::a"),
    ("rust", "use crate::a::{reuse , $0", "crate::a"),
    ("java", "import a.b.$0", "a.b"),
    ("java", "import static a.b.C.$0", "a.b.C"),
    ("csharp", "using A.B.$0", "A.B"),
    ("go", 'import "a/$0"', None),
]


@pytest.mark.parametrize(("language", "text", "module"), CASES)
def test_import_at_cursor(language: str, text: str, module: str | None) -> None:
    before, after = text.split("$0")
    found = import_at_cursor(language, before, after)
    assert (found.module if found else None) == module


@pytest.mark.parametrize("language", ["python", "typescript", "rust", "java"])
def test_long_files_take_no_longer(language: str) -> None:
    def seconds(n_lines: int) -> float:
        before = "from a import (\n" + "name, other_name, third\n" * n_lines + "x = {"
        best = float("inf")
        for _ in range(5):
            started = time.process_time()
            import_at_cursor(language, before, "}" * n_lines)
            best = min(best, time.process_time() - started)
        return best

    assert seconds(20_000) < 50 * max(seconds(200), 1e-4)
