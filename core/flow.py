"""Every type a request becomes, in the order it becomes them. A newcomer's first file.

Document -> CompletionRequest -> Context -> Prompt -> Token stream -> Completion | Rejection -> Event
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NewType

from fimble.core.position import ByteOffset, ByteRange

RequestId = NewType("RequestId", str)
TokenId = NewType("TokenId", int)


# 1. What the user has open.


@dataclass(frozen=True, slots=True)
class Document:
    """A snapshot of one text, as the editor holds it. `text` keeps the file's line endings."""

    uri: str
    language_id: str
    version: int
    text: str


# 2. What the user asks.


class Trigger(StrEnum):
    """Why a completion was asked for (LSP 3.18 InlineCompletionTriggerKind)."""

    AUTOMATIC = "automatic"
    INVOKED = "invoked"


@dataclass(frozen=True, slots=True)
class PopupItem:
    """The item selected in the editor's completion menu; an answer must extend it (LSP selectedCompletionInfo)."""

    text: str
    replace: ByteRange


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question: what comes at `cursor`? `deadline_ms` counts from the moment the engine takes the request."""

    request_id: RequestId
    document: Document
    cursor: ByteOffset
    trigger: Trigger = Trigger.AUTOMATIC
    popup_item: PopupItem | None = None
    deadline_ms: float | None = None
    n_candidates: int = 1


# 3. What the model might see.


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of another place in the workspace. `first_line` counts from 0; a higher `score` is more useful."""

    path: str
    text: str
    source: str
    score: float
    first_line: int = 0

    @property
    def label(self) -> str:
        """What the prompt's segments of this chunk are called."""
        return f"chunk {self.path}:{self.first_line + 1}"


@dataclass(frozen=True, slots=True)
class Context:
    """The whole text before and after the cursor, and chunks from elsewhere, best first.

    `names` are those that may follow the link that the cursor is behind, as far as static analysis can tell.
    """

    language_id: str
    path: str
    prefix: str
    suffix: str
    chunks: tuple[Chunk, ...] = ()
    names: tuple[str, ...] = ()


# 4. What the model does see.


class Stability(IntEnum):
    """How often a part of the prompt changes; parts are laid out most stable first, so their KV cache survives."""

    PINNED = 0  # repository context, renewed in steps
    WINDOWED = 1  # text around the cursor, its window moving in steps
    TYPED = 2  # grows with every key


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the prompt: either one marker of the model's vocabulary, or text of the user, never both."""

    text: str
    is_marker: bool
    stability: Stability
    n_tokens: int
    label: str


class LineMode(StrEnum):
    """How far a completion may go."""

    SINGLE = "single"
    MULTI = "multi"


@dataclass(frozen=True, slots=True)
class StopRules:
    """When the token stream ends, beside the model's own end markers.

    `stop_line` is the next line of the suffix that says something, indentation and all, and `rest_of_line` what stands
    right of the cursor if it says something: writing them again means that the middle is over. `min_indent` is the
    indentation, in columns, below which a new line lies outside the block being written. `neighbours` is None where the
    cursor's line has text; on a blank one something is wanted, and none of these lines (stripped) alone is that.
    `indent` is that of the cursor's line, in columns, as far as it stands left of the cursor.
    """

    max_new_tokens: int
    line_mode: LineMode
    stop_tokens: tuple[TokenId, ...] = ()
    stop_line: str = ""
    rest_of_line: str = ""
    min_indent: int = 0
    neighbours: tuple[str, ...] | None = None
    indent: int = 0
    time_box_ms: float | None = None


class GrammarKind(StrEnum):
    """How a grammar of the user's own is written."""

    LARK = "lark"
    GBNF = "gbnf"
    JSON_SCHEMA = "json_schema"


@dataclass(frozen=True, slots=True)
class UserGrammar:
    """A grammar that a whole file follows."""

    kind: GrammarKind
    text: str


@dataclass(frozen=True, slots=True)
class Constraint:
    """The text around the hole, for decoding that keeps the file's syntax whole.

    `left_share` is the share of the request's time that judging every piece may take; at 0 only ends are judged.
    `user_grammar` judges pieces in place of the language's own, where the text before the cursor follows it.
    """

    language_id: str
    prefix: str
    suffix: str
    left_share: float = 0.0
    user_grammar: UserGrammar | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids for the model and where each came from. `segments` join to exactly `tokens`.

    `first_choice` is the rank of the token to begin with, 0 the likeliest: how other candidates are asked for.
    `heals` says that the prompt ends in text which the answer continues: its last token may become a longer one.
    `name_rests` are the names that static analysis knows at the cursor, each from the cursor on; empty: it knows none.
    """

    tokens: tuple[TokenId, ...]
    segments: tuple[Segment, ...]
    stop: StopRules
    constraint: Constraint | None = None
    first_choice: int = 0
    heals: bool = False
    name_rests: tuple[str, ...] = ()

    @property
    def n_tokens(self) -> int:
        """Length in tokens."""
        return len(self.tokens)


# 5. What the model writes.


@dataclass(frozen=True, slots=True)
class Token:
    """One step of decoding. `text` is empty while a character's bytes are incomplete.

    `n_taken_back` tokens that came before this one did not lead on: they and their texts no longer count.
    """

    token_id: TokenId
    text: str
    logprob: float
    n_taken_back: int = 0


class StopReason(StrEnum):
    """Why the token stream ended."""

    END_OF_MIDDLE = "end_of_middle"  # the model's own end marker
    LINE_END = "line_end"
    SUFFIX_REACHED = "suffix_reached"
    BLOCK_END = "block_end"  # of the block around the cursor, or too many paragraphs
    MAX_TOKENS = "max_tokens"
    TIME_BOX = "time_box"
    CONTEXT_FULL = "context_full"
    SYNTAX = "syntax"  # no candidate keeps the file's syntax whole
    LOOP = "loop"  # the same tokens over and over, or the same line
    CANCELLED = "cancelled"

    @property
    def is_cut(self) -> bool:
        """Whether writing stopped for want of time or room, not because the model was through."""
        return self in (StopReason.TIME_BOX, StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL)


@dataclass(frozen=True, slots=True)
class GenerationStats:
    """What a token stream cost. Times count from the arrival in the model process.

    `n_retract_chars` is how much of the end of the streamed text the stop takes back: a line that turned out to lie
    outside the block, or to be the suffix's own. `closers` then stand where it was: what the rest leaves open.
    `n_checked` pieces were judged by the language's grammar, `n_rejected` of them refused, and all judging took
    `constraint_ms`, that of ends included.
    """

    n_prompt_tokens: int
    n_reused_tokens: int
    n_generated_tokens: int
    queue_ms: float
    prompt_ms: float
    first_token_ms: float
    total_ms: float
    stop_reason: StopReason
    n_retract_chars: int = 0
    closers: str = ""
    n_checked: int = 0
    n_rejected: int = 0
    constraint_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the loaded weights say of themselves.

    `fim_tokens` maps llama.cpp's names (pre, suf, mid, pad, rep, sep) to the marker texts that the GGUF declares.
    `note` is a sentence for people about what does not work as it should on this machine, empty if all does.
    `files_stamp` tells weights and adapter from others that were at their paths before.
    """

    model_id: str
    name: str
    architecture: str
    n_vocab: int
    n_ctx: int
    fim_tokens: Mapping[str, str]
    eog_tokens: tuple[TokenId, ...]
    n_gpu_layers: int
    size_bytes: int
    note: str = ""
    files_stamp: str = ""


# 6. What the user gets.


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds from the engine taking the request. `prompt_ms` is the evaluation of the prompt alone.

    `writing_ms` is the time from there to the end of writing, `constraint_ms` how long judging syntax took.
    """

    queue_ms: float
    prompt_ms: float
    first_token_ms: float
    total_ms: float
    writing_ms: float = 0.0
    constraint_ms: float = 0.0


class AnswerSource(StrEnum):
    """Where an answer came from."""

    MODEL = "model"
    CACHE = "cache"
    TYPE_THROUGH = "type_through"


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer: put `text` in place of `replace`, which lies within the cursor's line.

    `confidence` is 0 to 1, by the probabilities of the tokens among what grammar and cursor allow; None where the
    backend gives none.
    `n_refused_pieces` is how often the language's grammar refused what the model would have written.
    """

    request_id: RequestId
    text: str
    replace: ByteRange
    model_id: str
    timings: Timings
    n_prompt_tokens: int
    n_reused_tokens: int
    n_generated_tokens: int
    stop_reason: StopReason
    confidence: float | None = None
    source: AnswerSource = AnswerSource.MODEL
    alternatives: tuple[str, ...] = ()
    n_refused_pieces: int = 0


class RejectReason(StrEnum):
    """Why there is no completion. Every one is counted."""

    EMPTY = "empty"  # the model ended at once
    BLANK = "blank"  # only white space
    REPEATS_SUFFIX = "repeats_suffix"
    REPEATS_PREFIX = "repeats_prefix"
    DEGENERATE = "degenerate"  # one piece over and over
    BREAKS_SYNTAX = "breaks_syntax"
    LOW_CONFIDENCE = "low_confidence"
    POPUP_MISMATCH = "popup_mismatch"
    CANCELLED = "cancelled"
    STALE = "stale"
    DEADLINE = "deadline"
    DISABLED = "disabled"
    EXCLUDED = "excluded"
    TOO_LARGE = "too_large"
    MODEL_UNAVAILABLE = "model_unavailable"
    BACKEND_FAILED = "backend_failed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """No answer, and why. `detail` is a sentence for people; `error` is set when something needs mending."""

    request_id: RequestId
    reason: RejectReason
    detail: str
    timings: Timings
    model_id: str = ""
    n_prompt_tokens: int = 0
    n_reused_tokens: int = 0
    n_generated_tokens: int = 0
    error: Exception | None = None
    n_refused_pieces: int = 0


# 7. What is remembered of it.


class EventKind(StrEnum):
    """Steps in a completion's life that telemetry counts."""

    REQUESTED = "requested"
    ANSWERED = "answered"
    REJECTED = "rejected"
    SHOWN = "shown"
    TYPED_THROUGH = "typed_through"
    ACCEPTED = "accepted"
    PARTLY_ACCEPTED = "partly_accepted"
    DISMISSED = "dismissed"
    REPLACED = "replaced"
    SEEN = "seen"  # stayed valid on the screen long enough to be read
    UNDONE = "undone"  # accepted and taken back at once
    PERSISTED = "persisted"  # how much of an accepted text is left, some time later


@dataclass(frozen=True, slots=True)
class Event:
    """One step of one request's life. `at_ms` is Unix time; `fields` hold numbers and names, never the user's code."""

    request_id: RequestId
    kind: EventKind
    at_ms: float
    fields: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
