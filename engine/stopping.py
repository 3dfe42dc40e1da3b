"""How far a completion may go: one line or several, and where the block around the cursor ends."""

from __future__ import annotations

from fimble.core.config import CompletionOptions
from fimble.core.flow import LineMode, StopRules, TokenId, Trigger
from fimble.syntax.closers import begins_empty_pair
from fimble.syntax.indent import indent_columns
from fimble.syntax.languages import language_for
from fimble.syntax.scope import begins_block

_MIN_TELLING_CHARS = 3
# A line shorter than this (a lone bracket, `pass`) stands in many places; repeating it proves nothing.
MIN_LINE_CHARS = 5


def stop_rules(
    language_id: str,
    prefix: str,
    suffix: str,
    trigger: Trigger,
    options: CompletionOptions,
    end_tokens: tuple[TokenId, ...],
) -> StopRules:
    """The rules for a completion between `prefix` and `suffix`."""
    return StopRules(
        max_new_tokens=options.invoked_max_tokens if trigger is Trigger.INVOKED else options.max_tokens,
        line_mode=line_mode(language_id, prefix, suffix, trigger, options),
        stop_tokens=end_tokens,
        stop_line=_first_line_with_text(suffix.partition("\n")[2]),
        rest_of_line=_telling_rest_of_line(suffix),
        min_indent=_block_indent(prefix, suffix),
        neighbours=neighbours(prefix, suffix),
        indent=indent_columns(prefix.rpartition("\n")[2]),
        time_box_ms=options.invoked_time_box_ms if trigger is Trigger.INVOKED else options.time_box_ms,
    )


def line_mode(language_id: str, prefix: str, suffix: str, trigger: Trigger, options: CompletionOptions) -> LineMode:
    """Several lines where the user asked for them, or where a block begins; else one.

    A block begins on a blank line below a line that opens one and has nothing in it yet: by the language's own rules
    (`do`, `then`, a tag), or as the line above ends with an opener or `:`, and what follows is not indented deeper. It
    also begins between two braces or tags, of which the editor put the second, where syntax says which one ends it.
    """
    if options.lines != "auto":
        return LineMode(options.lines)
    above, _, line_head = prefix.rpartition("\n")
    language = language_for(language_id)
    if rest := suffix.partition("\n")[0].rstrip():
        is_block = is_judged(language_id, options) and begins_empty_pair(line_head, rest)
        return LineMode.MULTI if is_block else LineMode.SINGLE
    if trigger is Trigger.INVOKED:
        return LineMode.MULTI
    if line_head.strip():
        return LineMode.SINGLE
    if language and begins_block(language, prefix, suffix):
        return LineMode.MULTI
    opener = above.rstrip().rpartition("\n")[2]
    if not opener.endswith((":", "{", "(", "[", "=>", "->")):
        return LineMode.SINGLE
    below = _first_line_with_text(suffix.partition("\n")[2])
    return LineMode.MULTI if indent_columns(below) <= indent_columns(opener) else LineMode.SINGLE


def is_judged(language_id: str, options: CompletionOptions) -> bool:
    """Whether the language's syntax says where a completion may end."""
    language = language_for(language_id)
    return options.check_syntax and language is not None and language.grammar is not None


def neighbours(prefix: str, suffix: str) -> tuple[str, ...] | None:
    """The lines above and below a blank line, stripped, that are long enough to be told from chance; None on others."""
    above, newline, line_head = prefix.rpartition("\n")
    rest, _, below = suffix.partition("\n")
    if line_head.strip() or rest.strip():
        return None
    lines = (above.rpartition("\n")[2] if newline else "", below.lstrip("\r\n").partition("\n")[0])
    return tuple(line.strip() for line in lines if len(line.strip()) >= MIN_LINE_CHARS)


def _telling_rest_of_line(suffix: str) -> str:
    """What stands right of the cursor; empty where it is too short to be told from chance, or only closes brackets."""
    rest = suffix.partition("\n")[0].rstrip()
    is_telling = len(rest.strip()) >= _MIN_TELLING_CHARS and any(char.isalnum() for char in rest)
    return rest if is_telling else ""


def _block_indent(prefix: str, suffix: str) -> int:
    """Columns below which a line lies outside both what the cursor stands in and what follows it.

    With code right of the cursor the last line of the completion is the one that leads into it, and only what stands
    below tells how far to the left that may be.
    """
    here = indent_columns(prefix.rpartition("\n")[2])
    below = _first_line_with_text(suffix.partition("\n")[2])
    if any(char.isalnum() for char in suffix.partition("\n")[0]):
        return indent_columns(below) if below else 0
    if below and not indent_columns(below) and here and not suffix.partition("\n")[2].partition("\n")[0].strip():
        return 1  # a blank line, then the top level: what is written at the top level comes after the block
    return min(here, indent_columns(below)) if below else here


def _first_line_with_text(text: str) -> str:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if line.strip():
            return line.rstrip("\r")
        start = end + 1
    return ""
