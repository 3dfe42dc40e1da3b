"""Context -> Prompt: what the model sees of it, in its family's format, within the token budget.

A pure function of its arguments: the same document and cursor give the same tokens, whatever was asked before. Tuning
calls it too, so that models are trained on what they are served.
"""

from __future__ import annotations

from dataclasses import replace

from fimble.context.prompt import budget
from fimble.context.prompt.chunks import ChunkWriter
from fimble.context.prompt.fim import Family, Slot
from fimble.context.prompt.layout import arrange, prefix_parts
from fimble.context.prompt.tokens import Encoder, Part, open_encoder
from fimble.core.config import PromptOptions
from fimble.core.flow import Constraint, Context, Prompt, Segment, Stability, StopRules, TokenId
from fimble.core.ports import Tokenizer

_BYTE_ORDER_MARK = "\ufeff"


async def assemble(
    context: Context, family: Family, tokenizer: Tokenizer, options: PromptOptions, stop: StopRules
) -> Prompt:
    """The prompt for `context`, of at most `options.max_tokens` tokens.

    Hand in a CachingTokenizer: then a key costs the tokens of the cursor's line only. The prompt's stop rules are
    `stop` and the family's own end markers. The model sees line ends as LF only; `Constraint` holds the texts as they
    are in the file, and engine.shape gives completions the file's line ends back.

    Raises:
        ModelUnsuitableError: the model's vocabulary lacks the family's markers.
        BackendError: the tokenizer's process could not answer.
    """
    encoder = await open_encoder(tokenizer, family)
    template = family.layouts[family.choose_layout(options.layout)]
    begins = family.begin_marker in encoder.markers
    n_markers = begins + sum(bool(family.marker(slot)) for slot in template)
    room = options.max_tokens - n_markers
    prefix, suffix = _as_model_sees(context)

    writer = ChunkWriter(context, family, encoder)
    chunk_parts, prefix_head = await writer.write(min(options.chunk_tokens, options.max_tokens // 2))
    head_part = Part(prefix_head, Stability.WINDOWED, "path", opens=True)
    room -= await encoder.count((*chunk_parts, head_part))

    async def count_suffix(text: str) -> int:
        return await encoder.count((_suffix_part(text),))

    end = await budget.suffix_end(suffix, options.suffix_lines, budget.suffix_share(room), count_suffix)
    suffix_part = _suffix_part(suffix[:end])
    room -= await encoder.count((suffix_part,))

    opens = not prefix_head and not (chunk_parts and template.index(Slot.PREFIX) == template.index(Slot.CHUNKS) + 1)

    async def count_prefix(text: str) -> int:
        return await encoder.count(prefix_parts(text, family.joint, opens=opens))

    start = await budget.prefix_start(prefix, options.prefix_lines, room, count_prefix)
    texts = {
        Slot.CHUNKS: chunk_parts,
        Slot.PREFIX: (
            head_part,
            *prefix_parts(prefix[start:], family.joint, opens=opens),
        ),
        Slot.SUFFIX: (suffix_part,),
    }
    return await _prompt(arrange(template, family, texts, begins=begins), encoder, context, stop)


async def _prompt(parts: tuple[Part, ...], encoder: Encoder, context: Context, stop: StopRules) -> Prompt:
    tokens: list[TokenId] = []
    segments: list[Segment] = []
    for part in parts:
        ids = await encoder.encode(part)
        tokens.extend(ids)
        segments.append(Segment(part.text, part.is_marker, part.stability, len(ids), part.label))
    stop_tokens = tuple(dict.fromkeys((*stop.stop_tokens, *encoder.markers.values())))
    return Prompt(
        tokens=tuple(tokens),
        segments=tuple(segments),
        stop=replace(stop, stop_tokens=stop_tokens),
        constraint=Constraint(context.language_id, context.prefix, context.suffix),
        # Only text that the answer continues can be healed, and a whole line above needs no healing.
        heals=parts[-1].stability is Stability.TYPED and not parts[-1].is_marker,
    )


def _suffix_part(text: str) -> Part:
    return Part(text, Stability.WINDOWED, "suffix")


def _as_model_sees(context: Context) -> tuple[str, str]:
    """Prefix and suffix with LF alone, without a byte order mark and without halves of surrogate pairs."""
    prefix, suffix = context.prefix, context.suffix
    if prefix.endswith("\r") and suffix.startswith("\n"):
        prefix = prefix[:-1]  # a cursor within a line end stands before it
    if prefix:
        prefix = prefix.removeprefix(_BYTE_ORDER_MARK)
    else:
        suffix = suffix.removeprefix(_BYTE_ORDER_MARK)
    return _plain(prefix), _plain(suffix)


def _plain(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
