"""How much the model reads before it answers: all that is wanted where the cache holds most of it, else what fits.

Budgets are in milliseconds. A cold prompt of a thousand tokens takes four seconds on two cores; an automatic completion
reads only as much as `prompt.cold_budget_ms` allows at this machine's measured pace, and the rest in idle time.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fimble.context.prompt.assemble import assemble
from fimble.context.prompt.budget import COLD_SIZES
from fimble.context.prompt.cache import CachingTokenizer
from fimble.context.prompt.fim import choose_family
from fimble.core.config import Config, PromptOptions
from fimble.core.flow import CompletionRequest, Context, GenerationStats, ModelInfo, Prompt, Trigger
from fimble.core.ports import ModelBackend
from fimble.engine.grammars import HEAD_CHARS, UserGrammars
from fimble.engine.stopping import stop_rules

# Two cores without a GPU (docs/LOG.md); what this machine does replaces it after the first prompt.
_FIRST_GUESS_MS_PER_TOKEN = 4.5
_MIN_TOKENS_TO_JUDGE = 16
_WEIGHT_OF_NEWEST = 0.3
_NAME_CHARS = f"{string.ascii_letters}{string.digits}_$"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The prompt to ask with, and the fuller one to read in idle time, None where this is it."""

    prompt: Prompt
    fuller: Prompt | None


class Pace:
    """Milliseconds that reading a token takes here, learned from every prompt long enough to tell."""

    def __init__(self) -> None:
        """Begin with a guess."""
        self.ms_per_token = _FIRST_GUESS_MS_PER_TOKEN

    def learn(self, stats: GenerationStats) -> None:
        """Take one generation into account."""
        n_read = stats.n_prompt_tokens - stats.n_reused_tokens
        if n_read >= _MIN_TOKENS_TO_JUDGE and stats.prompt_ms > 0:
            newest = stats.prompt_ms / n_read
            self.ms_per_token += _WEIGHT_OF_NEWEST * (newest - self.ms_per_token)


class Prompting:
    """Makes prompts for one backend."""

    def __init__(self, backend: ModelBackend, config: Config, grammars: UserGrammars) -> None:
        """Nothing is asked yet."""
        self._grammars = grammars
        self._backend = backend
        self._tokenizer = CachingTokenizer(backend)
        self._tokenized_for: ModelInfo | None = None
        self._config = config
        self.pace = Pace()

    async def full(self, request: CompletionRequest, context: Context, info: ModelInfo) -> Prompt:
        """The prompt with all that the options ask for."""
        return await self._assemble(request, context, info, self._config.prompt)

    async def choose(self, request: CompletionRequest, context: Context, info: ModelInfo) -> Chosen:
        """The largest prompt that can be read in time; all of it where the user asked by hand."""
        full = await self.full(request, context, info)
        if request.trigger is Trigger.INVOKED:
            return Chosen(full, None)
        n_affordable = self._config.prompt.cold_budget_ms / self.pace.ms_per_token
        (n_cached,) = await self._backend.n_cached([full])
        if full.n_tokens - n_cached <= n_affordable:
            return Chosen(full, None)
        smaller = [await self._assemble(request, context, info, options) for options in _reduced(self._config.prompt)]
        n_to_read = [
            prompt.n_tokens - n_cached
            for prompt, n_cached in zip(smaller, await self._backend.n_cached(smaller), strict=True)
        ]
        for prompt, n_tokens in zip(smaller, n_to_read, strict=True):
            if n_tokens <= n_affordable:
                return Chosen(prompt, full)
        return Chosen(smaller[n_to_read.index(min(n_to_read))], full)

    def _tokenizer_of(self, info: ModelInfo) -> CachingTokenizer:
        if self._tokenized_for != info:  # weights that were replaced may have another vocabulary
            self._tokenizer, self._tokenized_for = CachingTokenizer(self._backend), info
        return self._tokenizer

    async def _assemble(
        self, request: CompletionRequest, context: Context, info: ModelInfo, options: PromptOptions
    ) -> Prompt:
        rules = stop_rules(
            request.document.language_id,
            context.prefix,
            context.suffix,
            request.trigger,
            self._config.completion,
            info.eog_tokens,
        )
        prompt = await assemble(context, choose_family(info), self._tokenizer_of(info), options, rules)
        prompt = replace(prompt, name_rests=_rests(context))
        if prompt.constraint is None:
            return prompt
        if not self._config.completion.check_syntax:
            return replace(prompt, constraint=None)
        left_share = self._config.completion.syntax_check_percent / 100.0
        head = context.prefix[:HEAD_CHARS] + context.suffix[:HEAD_CHARS]  # a key must not copy a file of megabytes
        grammar = self._grammars.grammar_of(Path(context.path), head)
        return replace(prompt, constraint=replace(prompt.constraint, left_share=left_share, user_grammar=grammar))


def _rests(context: Context) -> tuple[str, ...]:
    """Of the names that may stand at the cursor, what is not typed yet."""
    typed = context.prefix[len(context.prefix.rstrip(_NAME_CHARS)) :]
    return tuple(name[len(typed) :] for name in context.names if name.startswith(typed))


def _reduced(options: PromptOptions) -> Sequence[PromptOptions]:
    """Smaller prompts for a cold cache, largest first. Each begins with the same lines below the cursor."""
    return [
        replace(
            options,
            max_tokens=min(options.max_tokens, n_tokens),
            prefix_lines=min(options.prefix_lines, n_above),
            suffix_lines=min(options.suffix_lines, n_below),
            chunk_tokens=0,
        )
        for n_tokens, n_above, n_below in COLD_SIZES
    ]
