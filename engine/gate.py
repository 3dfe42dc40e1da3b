"""Requests that get no answer whatever the model would say: switched off, secrets, too large, not text."""

from __future__ import annotations

from dataclasses import dataclass

from fimble.context.index.secrets import is_secret_file
from fimble.core.config import Config
from fimble.core.flow import CompletionRequest, RejectReason


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why, for counting and for people."""

    reason: RejectReason
    detail: str


def refusal(request: CompletionRequest, config: Config) -> Refusal | None:
    """Why this request is not even tried, or None."""
    options = config.completion
    if not options.enabled:
        return Refusal(RejectReason.DISABLED, "Completions are switched off (`completion.enabled`).")
    language = request.document.language_id
    if language in {name.strip() for name in options.disabled_languages.split(",")}:
        return Refusal(RejectReason.DISABLED, f"Completions are switched off for {language}.")
    if is_secret_file(request.document.uri):
        return Refusal(RejectReason.EXCLUDED, "By its name this file holds keys or passwords; none of it is read.")
    text = request.document.text
    # A code point takes at most 4 bytes: the exact size is needed only between a quarter of the limit and the limit.
    if len(text) > options.max_file_bytes or (
        len(text) * 4 > options.max_file_bytes and len(text.encode("utf-8", "replace")) > options.max_file_bytes
    ):
        return Refusal(
            RejectReason.TOO_LARGE,
            f"The file is larger than {options.max_file_bytes} bytes (`completion.max_file_bytes`).",
        )
    if "\0" in text:
        return Refusal(RejectReason.EXCLUDED, "This is a binary file.")
    return None
