"""One gap to one token sequence: the prompt that serving would assemble, then the middle, then the end marker.

The loss covers the last part only. Where the middle continues the cursor's line (suffix-first), both are tokenized as
one text, for serving heals that joint: the model is asked for the token that begins with the cut one's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from fimble.context.prompt.assemble import assemble
from fimble.context.prompt.fim import Family
from fimble.context.prompt.tokens import Part, open_encoder
from fimble.core.config import PromptOptions
from fimble.core.flow import Context, LineMode, Stability, StopRules, TokenId
from fimble.core.ports import Tokenizer


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """`tokens[n_given:]` is what the model shall write, the end marker last; what stands before is given to it."""

    tokens: tuple[TokenId, ...]
    n_given: int

    @property
    def n_learned(self) -> int:
        """Tokens that the loss covers."""
        return len(self.tokens) - self.n_given


async def sequence_of(
    context: Context, middle: str, family: Family, tokenizer: Tokenizer, options: PromptOptions, end: TokenId
) -> TokenSequence:
    """The sequence for a gap; line ends of the middle become LF, as the model sees all others.

    Raises:
        ModelUnsuitableError: the vocabulary lacks the family's markers.
    """
    prompt = await assemble(context, family, tokenizer, options, StopRules(1, LineMode.MULTI))
    text = middle.replace("\r\n", "\n").replace("\r", "\n")
    encoder = await open_encoder(tokenizer, family)

    async def ids_of(part: str) -> tuple[TokenId, ...]:
        return await encoder.encode(Part(part, Stability.TYPED, "middle"))

    if prompt.heals:
        line = prompt.segments[-1]
        whole = await ids_of(line.text + text)
        alone = prompt.tokens[prompt.n_tokens - line.n_tokens :]
        n_same = _n_common(whole, alone)
        # Serving takes back one token at the joint and no more.
        if n_same >= len(alone) - 1:
            head = prompt.tokens[: prompt.n_tokens - line.n_tokens]
            return TokenSequence((*head, *whole, end), len(head) + n_same)
    return TokenSequence((*prompt.tokens, *await ids_of(text), end), prompt.n_tokens)


def _n_common(one: tuple[TokenId, ...], other: tuple[TokenId, ...]) -> int:
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    return n
