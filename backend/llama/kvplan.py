"""What to keep, copy, drop and evaluate so that a prompt costs the fewest tokens. Pure: knows token ids, not llama.cpp.

The cache holds several sequences, one per recently edited place. A sequence whose head the prompt shares is cut back
and extended; when that would throw away much of another place, the head is shared into a free sequence instead
(llama.cpp's unified cache shares cells between sequences, so a copied head costs no memory).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fimble.core.flow import TokenId

# Cutting at most this many tokens off a sequence is not worth a second one: a discarded line, a healed token.
_SMALL_TAIL_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Held:
    """What one sequence holds. `last_used` grows with every use."""

    tokens: tuple[TokenId, ...]
    last_used: int


@dataclass(frozen=True, slots=True)
class KvPlan:
    """Drop `drop`, then copy `n_reused` tokens from `copy_from` (if any) to `target`, cut there, evaluate the rest."""

    target: int
    copy_from: int | None
    n_reused: int
    drop: tuple[int, ...]


def plan(held: Sequence[Held], wanted: Sequence[TokenId], *, n_cells: int, n_room: int) -> KvPlan:
    """Choose the sequence that `wanted` continues.

    At least the last token of `wanted` is evaluated, since its logits are needed. `n_room` tokens beyond `wanted`
    must fit into the cache's `n_cells` for what will be generated.
    """
    wanted_head = tuple(wanted[:-1])
    shared = [common_prefix(one.tokens, wanted_head) for one in held]
    best = max(range(len(held)), key=lambda i: (shared[i], -len(held[i].tokens), -i))
    n_reused = shared[best]
    n_lost = len(held[best].tokens) - n_reused
    if n_reused == 0 or n_lost > _SMALL_TAIL_TOKENS:
        target = _emptiest(held, keep=best if n_reused else None)
    else:
        target = best
    copy_from = best if target != best and n_reused else None
    n_needed = len(wanted) + n_room
    drop = _make_room(held, target, best if n_reused else None, n_needed=n_needed, n_cells=n_cells)
    if copy_from in drop:  # no room for both places: the other one's tail goes after all
        target, copy_from = best, None
        drop = _make_room(held, target, None, n_needed=n_needed, n_cells=n_cells)
    return KvPlan(target, copy_from, n_reused, drop)


def room_for(held: Sequence[Held], n_tokens: int, *, n_cells: int) -> tuple[int, tuple[int, ...]]:
    """The sequence to put `n_tokens` tokens into that come with a state of their own, and those to drop for it."""
    target = _emptiest(held, keep=None)
    return target, _make_room(held, target, None, n_needed=n_tokens, n_cells=n_cells)


def common_prefix(left: Sequence[TokenId], right: Sequence[TokenId]) -> int:
    """Length of the common head."""
    n_max = min(len(left), len(right))
    low = 0
    # Most calls share nearly all: compare halves by slices, which run in C, before going token by token.
    while low < n_max:
        step = max(1, (n_max - low) // 2)
        if left[low : low + step] == right[low : low + step]:
            low += step
        elif step == 1:
            break
        else:
            n_max = low + step
    return low


def _emptiest(held: Sequence[Held], keep: int | None) -> int:
    candidates = [i for i in range(len(held)) if i != keep]
    if not candidates:
        return 0
    return min(candidates, key=lambda i: (len(held[i].tokens) > 0, held[i].last_used))


def _make_room(
    held: Sequence[Held], target: int, source: int | None, *, n_needed: int, n_cells: int
) -> tuple[int, ...]:
    """Least recently used sequences to drop. Shared heads are counted twice, which errs to the safe side."""
    dropped: list[int] = []
    others = sorted((i for i in range(len(held)) if i != target), key=lambda i: (i == source, held[i].last_used))
    n_used = n_needed + sum(len(held[i].tokens) for i in others)
    for i in others:
        if n_used <= n_cells:
            break
        if held[i].tokens:
            n_used -= len(held[i].tokens)
            dropped.append(i)
    return tuple(dropped)
