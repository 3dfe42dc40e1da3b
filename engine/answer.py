"""What becomes of a text that was written for a request: an answer in its place, or the reason for none.

Pure. A menu's selected item counts as typed, and is part of the answer (LSP selectedCompletionInfo).
"""

from __future__ import annotations

import dataclasses

from fimble.core.config import CompletionOptions
from fimble.core.flow import (
    AnswerSource,
    Completion,
    CompletionRequest,
    Context,
    GenerationStats,
    Rejection,
    RejectReason,
    StopReason,
    Timings,
    Trigger,
)
from fimble.core.position import ByteOffset, ByteRange, TextIndex
from fimble.engine.shape import Shaped, shape
from fimble.engine.stopping import is_judged

_WHY = {
    RejectReason.EMPTY: "The model had nothing to add here.",
    RejectReason.BLANK: "The model wrote only white space.",
    RejectReason.REPEATS_SUFFIX: "The model wrote what already follows the cursor.",
    RejectReason.REPEATS_PREFIX: "The model wrote its neighbour line again.",
    RejectReason.LOW_CONFIDENCE: "The model was less sure than `completion.min_confidence` asks for.",
    RejectReason.DEGENERATE: "The model wrote one piece over and over.",
    RejectReason.BREAKS_SYNTAX: "What the model wrote would have broken the file's syntax.",
}
_TAKEN_BACK = {
    StopReason.SYNTAX: RejectReason.BREAKS_SYNTAX,
    StopReason.LOOP: RejectReason.DEGENERATE,
    StopReason.SUFFIX_REACHED: RejectReason.REPEATS_SUFFIX,
}


def shaped_for(
    request: CompletionRequest, context: Context, text: str, reason: StopReason, options: CompletionOptions
) -> Shaped | RejectReason:
    """The text as it may stand at the cursor."""
    judged = is_judged(request.document.language_id, options)
    return shape(text, context.prefix, context.suffix, is_cut=reason.is_cut, is_judged=judged)


def with_reason(shaped: Shaped | RejectReason, reason: StopReason) -> Shaped | RejectReason:
    """Of what was written just now: where nothing is left of it, why it was taken back."""
    return _TAKEN_BACK.get(reason, shaped) if shaped is RejectReason.EMPTY else shaped


def unless_doubtful(
    request: CompletionRequest, shaped: Shaped | RejectReason, confidence: float | None, options: CompletionOptions
) -> Shaped | RejectReason:
    """What may be shown unasked; who asked by hand sees everything."""
    if request.trigger is Trigger.INVOKED or confidence is None or isinstance(shaped, RejectReason):
        return shaped
    return RejectReason.LOW_CONFIDENCE if confidence < options.min_confidence else shaped


def answer(
    request: CompletionRequest,
    context: Context,
    shaped: Shaped | RejectReason,
    *,
    model_id: str,
    timings: Timings,
    stop_reason: StopReason,
    confidence: float | None,
    source: AnswerSource = AnswerSource.MODEL,
    stats: GenerationStats | None = None,
) -> Completion | Rejection:
    """The answer that `shaped` is; `stats` are of its generation, None where no token was evaluated."""
    n_prompt_tokens = stats.n_prompt_tokens if stats else 0
    n_reused_tokens = stats.n_reused_tokens if stats else 0
    n_generated_tokens = stats.n_generated_tokens if stats else 0
    n_refused_pieces = stats.n_rejected if stats else 0
    if isinstance(shaped, RejectReason):
        return Rejection(
            request.request_id,
            shaped,
            _WHY[shaped],
            timings,
            model_id,
            n_prompt_tokens,
            n_reused_tokens,
            n_generated_tokens,
            n_refused_pieces=n_refused_pieces,
        )
    return Completion(
        request_id=request.request_id,
        text=popup_text(request) + shaped.text,
        replace=_replaced(request, shaped, context),
        model_id=model_id,
        timings=timings,
        n_prompt_tokens=n_prompt_tokens,
        n_reused_tokens=n_reused_tokens,
        n_generated_tokens=n_generated_tokens,
        stop_reason=stop_reason,
        confidence=confidence,
        source=source,
        n_refused_pieces=n_refused_pieces,
    )


def popup_text(request: CompletionRequest) -> str:
    """The menu's selected item; empty without one."""
    return request.popup_item.text if request.popup_item else ""


def with_popup_item(request: CompletionRequest) -> CompletionRequest:
    """The request as if the menu's selected item were typed: an answer must extend it."""
    item = request.popup_item
    if item is None:
        return request
    text = request.document.text
    index = TextIndex(text)
    start, end = index.to_char(item.replace.start), index.to_char(item.replace.end)
    document = dataclasses.replace(request.document, text=text[:start] + item.text + text[end:])
    cursor = ByteOffset(item.replace.start + _n_bytes(item.text))
    return dataclasses.replace(request, document=document, cursor=cursor)


def once_accepted(
    request: CompletionRequest, context: Context, shaped: Shaped | RejectReason
) -> CompletionRequest | None:
    """The request that an editor makes once an answer is accepted; None where only a person would ask again."""
    is_asked_again = request.trigger is not Trigger.INVOKED and not request.popup_item and request.n_candidates == 1
    if isinstance(shaped, RejectReason) or not is_asked_again:
        return None
    text = context.prefix + shaped.text + context.suffix[shaped.n_replaced_chars :]
    document = dataclasses.replace(request.document, text=text)
    cursor = ByteOffset(request.cursor + _n_bytes(shaped.text))
    return dataclasses.replace(request, document=document, cursor=cursor)


def _replaced(request: CompletionRequest, shaped: Shaped, context: Context) -> ByteRange:
    item = request.popup_item
    start, at = (item.replace.start, item.replace.end) if item else (request.cursor, request.cursor)
    return ByteRange(start, ByteOffset(at + _n_bytes(context.suffix[: shaped.n_replaced_chars])))


def _n_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
