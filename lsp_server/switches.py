"""Whether a text gets completions: settings, overlaid by what was switched in this session."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from fimble.core.config import CompletionOptions


class Off(StrEnum):
    """Why a text gets no completions."""

    GLOBAL = "global"
    LANGUAGE = "language"
    FILE = "file"
    EXCLUDED = "excluded"
    TOO_LARGE = "too_large"


class Scope(StrEnum):
    """What a switch acts on."""

    GLOBAL = "global"
    LANGUAGE = "language"
    FILE = "file"


@dataclass(slots=True)
class Switches:
    """What was switched by command in this session; lasting choices are settings."""

    everything: bool | None = None
    languages: dict[str, bool] = field(default_factory=dict)
    files: dict[str, bool] = field(default_factory=dict)

    def turn_all(self, *, on: bool) -> None:
        """Switch everything."""
        self.everything = on

    def turn_language(self, language_id: str, *, on: bool) -> None:
        """Switch a language."""
        self.languages[language_id] = on

    def turn_file(self, uri: str, *, on: bool) -> None:
        """Switch one file, whether or not it is open: it stays so when it is closed and opened again."""
        self.files[uri] = on

    def is_paused(self, options: CompletionOptions) -> bool:
        """Whether everything is off."""
        return not (options.enabled if self.everything is None else self.everything)

    def off(self, options: CompletionOptions, language_id: str, file_uri: str) -> Off | None:
        """Why a text of this file gets no completions; None where it does. A file's switch outranks its language's."""
        if self.is_paused(options):
            return Off.GLOBAL
        if file_uri in self.files:
            return None if self.files[file_uri] else Off.FILE
        is_on = self.languages.get(language_id, language_id not in disabled_languages(options))
        return None if is_on else Off.LANGUAGE


def disabled_languages(options: CompletionOptions) -> frozenset[str]:
    """Language ids that the settings switch off."""
    return frozenset(name.strip() for name in options.disabled_languages.split(",") if name.strip())
