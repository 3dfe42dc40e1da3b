"""Where imports lead, language by language: the cases that the tests of definitions do not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from fimble.context.index.workspace import Workspace
from fimble.context.sources.modules.resolve import Modules
from fimble.syntax.outline.model import Import

CASES = [
    # files, importing file, import, first target
    (["a/__init__.py", "a/b.py"], "main.py", Import("a", "b"), "a/b.py"),
    (["a/__init__.py", "a/b.py"], "a/c.py", Import(".", "b"), "a/b.py"),
    (["a/__init__.py", "a/b/__init__.py", "a/x.py"], "a/b/c.py", Import("..x", "Y"), "a/x.py:Y"),
    (["json.py", "pkg/__init__.py", "pkg/json.py"], "pkg/a.py", Import("json", ""), "json.py"),
    (["pkg/__init__.py", "pkg/json.py"], "pkg/a.py", Import("json", ""), None),
    (["tools/helper.py"], "tools/run.py", Import("helper", ""), "tools/helper.py"),
    (["lib/python/a/b.py"], "bin/run.py", Import("a.b", ""), "lib/python/a/b.py"),
    (["core/x/y.py"], "app.py", Import("product.core.x.y", "Z"), "core/x/y.py:Z"),
    (["a.py"], "b.py", Import("....a", ""), None),
    (["x.ts"], "a.ts", Import("./x.js", "default"), "x.ts:default"),
    (["x/index.tsx"], "a.ts", Import("./x", "A"), "x/index.tsx:A"),
    (["x.d.ts"], "a.ts", Import("./x", "A"), "x.d.ts:A"),
    (["src/x.ts"], "src/deep/a.ts", Import("@/x", "A"), "src/x.ts:A"),
    (["a.ts"], "b.ts", Import("../../a", "A"), None),
    (["p/com/x/A.java", "q/com/x/A.java"], "q/com/y/B.java", Import("com.x.A", "A"), "q/com/x/A.java:A"),
    (["com/x/A.java"], "com/y/B.java", Import("com.x.A.Inner", "Inner"), "com/x/A.java:Inner"),
    (["com/x/A.java"], "com/y/B.java", Import("com.x.A", "max"), "com/x/A.java:max"),
    (["com/x/A.java", "com/x/B.java"], "M.java", Import("com.x", "*"), "com/x/A.java:*"),
    (
        ["go/analysis/a.go", "go/analysis/a_test.go"],
        "m.go",
        Import("golang.org/x/tools/go/analysis"),
        "go/analysis/a.go",
    ),
    (["fmt/f.go"], "m.go", Import("fmt"), None),
    (["src/lib.rs", "src/a/mod.rs"], "src/b.rs", Import("crate::a", "X"), "src/a/mod.rs:X"),
    (["src/lib.rs", "src/a.rs"], "src/a/b.rs", Import("super", "X"), "src/a.rs:X"),
    (["src/lib.rs", "src/a.rs"], "src/lib.rs", Import("mod a", "", "a"), "src/a.rs"),
    (["src/lib.rs", "src/a.rs"], "src/b.rs", Import("crate::a::Enum", "*"), "src/a.rs:Enum"),
    (["src/lib.rs"], "src/b.rs", Import("std::collections", "HashMap"), None),
    (["inc/net/x.h"], "src/m.c", Import("net/x.h", "*"), "inc/net/x.h:*"),
    (["lib/string.h"], "src/m.c", Import("<string.h>", "*"), None),
    (["include/mine.h"], "src/m.c", Import("<mine.h>", "*"), "include/mine.h:*"),
]


@pytest.mark.parametrize(("files", "path", "item", "expected"), CASES)
def test_where_imports_lead(tmp_path: Path, files: list[str], path: str, item: Import, expected: str | None) -> None:
    for name in [*files, path]:
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    targets = Modules(Workspace(tmp_path)).targets(path, item)
    shown = [target.paths[0] + (f":{target.name}" if target.name else "") for target in targets]
    assert (shown[0] if shown else None) == expected


def test_a_monorepo_s_packages_and_a_package_s_own_names(tmp_path: Path) -> None:
    files = {
        "packages/core/package.json": '{"name": "@acme/core", "imports": {"#util/*": "./src/util/*.js"}}',
        "packages/core/src/index.ts": "",
        "packages/core/src/util/text.ts": "",
        "packages/core/src/deep.ts": "",
        "packages/app/main.ts": "",
    }
    for name, text in files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    modules = Modules(Workspace(tmp_path))

    def lead(path: str, module: str) -> list[str]:
        return [target.paths[0] for target in modules.targets(path, Import(module, "X"))]

    assert lead("packages/app/main.ts", "@acme/core") == ["packages/core/src/index.ts"]
    assert lead("packages/app/main.ts", "@acme/core/deep") == ["packages/core/src/deep.ts"]
    assert lead("packages/core/src/deep.ts", "#util/text") == ["packages/core/src/util/text.ts"]
    assert lead("packages/app/main.ts", "react") == []


@pytest.mark.parametrize("places", ["null", '"src/*"', "7", "{}", "[null, 7]"])
def test_paths_of_a_tsconfig_that_are_no_list_are_none(tmp_path: Path, places: str) -> None:
    paths = f'{{"@/*": {places}, "~/*": ["lib/*"]}}'
    (tmp_path / "tsconfig.json").write_text(f'{{"compilerOptions": {{"paths": {paths}}}}}')
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "by_custom.ts").touch()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "other.ts").touch()
    modules = Modules(Workspace(tmp_path))
    assert [target.paths[0] for target in modules.targets("a.ts", Import("@/by_custom", "X"))] == ["src/by_custom.ts"]
    assert [target.paths[0] for target in modules.targets("a.ts", Import("~/other", "X"))] == ["lib/other.ts"]


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["lists", "objects"])
def test_a_config_nested_however_deep_fails_nothing(tmp_path: Path, opening: str) -> None:
    (tmp_path / "tsconfig.json").write_text('{"compilerOptions": {"paths": {"~/*": ["./*"]}}}')
    (tmp_path / "other.ts").touch()
    closing = "]" if opening == "[" else "}"
    # At some depths it is read all the same; where that ends hangs on Python and on who asks.
    for depth in (*range(700, 1_000, 5), 3_000, 50_000):
        nested = opening * depth + '"./a.ts"' + closing * depth
        (tmp_path / "package.json").write_text(f'{{"imports": {{"#a": {nested}}}}}')
        modules = Modules(Workspace(tmp_path))
        assert [target.paths[0] for target in modules.targets("b.ts", Import("~/other", "X"))] == ["other.ts"]
