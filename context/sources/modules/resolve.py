"""Entry: import -> targets, by the rules of the importing file's language."""

from __future__ import annotations

from fimble.context.index.workspace import Workspace, code_language
from fimble.context.sources.modules.c import CModules
from fimble.context.sources.modules.csharp import CSharpModules
from fimble.context.sources.modules.go import GoModules
from fimble.context.sources.modules.java import JavaModules
from fimble.context.sources.modules.python import PythonModules
from fimble.context.sources.modules.rust import RustModules
from fimble.context.sources.modules.script import ScriptModules
from fimble.context.sources.modules.target import ModuleRules, Target
from fimble.syntax.outline.model import Import, Outline


class Modules:
    """Module rules of every language over one table of files; make a new one for a new table."""

    def __init__(self, workspace: Workspace) -> None:
        """Over the workspace's present files."""
        self.files = workspace.files
        self._known: dict[tuple[str, Import], list[Target]] = {}
        script = ScriptModules(self.files, workspace.text)
        c = CModules(self.files)
        self._rules: dict[str, ModuleRules] = {
            "python": PythonModules(self.files),
            "javascript": script,
            "typescript": script,
            "typescriptreact": script,
            "java": JavaModules(self.files),
            "go": GoModules(self.files, workspace.text),
            "rust": RustModules(self.files, workspace.text),
            "c": c,
            "cpp": c,
            "csharp": CSharpModules(workspace.package_files),
        }

    def targets(self, path: str, item: Import) -> list[Target]:
        """What an import in the file `path` may mean, likeliest first."""
        key = (path, item)
        known = self._known.get(key)
        if known is None:
            rules = self._rules_of(path)
            known = self._known[key] = rules.targets(path, item) if rules else []
        return known

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """Modules whose names the file sees without an import."""
        rules = self._rules_of(path)
        return rules.implicit(path, outline) if rules else []

    def _rules_of(self, path: str) -> ModuleRules | None:
        language = code_language(path)
        return self._rules.get(language.name) if language else None
