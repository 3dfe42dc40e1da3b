"""One row to its losses: next token on the middle and the end marker only, and the horizon's.

Logits are made for learned positions alone: a vocabulary of 150,000 words would else be most of the work.
"""

# torch and its kin come with the extra `tune`; without it their types are unknown, and nothing else is let off.
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUntypedBaseClass=false

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fimble.tuning.training.model import Trainee
from fimble.tuning.training.packing import NO_TARGET, Row, may_see


@dataclass(frozen=True, slots=True)
class RowLosses:
    """Sums over the learned positions of a row. `is_end` marks, and `is_right` tells, where the end marker is due."""

    next_token: torch.Tensor
    horizon: torch.Tensor
    end_marker: torch.Tensor
    n_ends: int
    n_right_ends: int


def hidden_states(trainee: Trainee, row: Row) -> torch.Tensor:
    """Last hidden states; shape (n_tokens, n_hidden). No token's depends on another sequence of the row."""
    device = trainee.device
    body = getattr(trainee.model, trainee.model.base_model_prefix)
    dtype = next(body.parameters()).dtype
    seen = torch.from_numpy(may_see(row.sequences)).to(device)
    mask = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill(~seen, torch.finfo(dtype).min)
    out = body(
        input_ids=torch.from_numpy(row.tokens)[None].to(device),
        attention_mask=mask[None, None],  # (1, 1, n_tokens, n_tokens): taken as it is
        position_ids=torch.from_numpy(row.positions)[None].to(device),
        use_cache=False,
    )
    return out.last_hidden_state[0]


def row_losses(trainee: Trainee, row: Row) -> RowLosses:
    """The losses of one row, with gradients where they are on."""
    targets = torch.from_numpy(row.targets).to(trainee.device)
    learned = targets != NO_TARGET
    hidden = hidden_states(trainee, row)[learned]  # (n_learned, n_hidden)
    logits = trainee.model.get_output_embeddings()(hidden).float()  # (n_learned, n_vocab)
    each = torch.nn.functional.cross_entropy(logits, targets[learned], reduction="none")
    wanted = torch.from_numpy(row.horizons).to(trainee.device)[learned]
    # The last learned token of a sequence is its end marker: nothing of that sequence is learned behind it.
    is_end = torch.from_numpy(_ends(row)).to(trainee.device)[learned]
    right = logits[is_end].argmax(-1) == targets[learned][is_end]
    return RowLosses(
        next_token=each.sum(),
        horizon=(trainee.head(hidden) - wanted).abs().sum(),
        end_marker=each[is_end].sum().detach(),
        n_ends=int(is_end.sum()),
        n_right_ends=int(right.sum()),
    )


def _ends(row: Row) -> NDArray[np.bool_]:
    learned = row.targets != NO_TARGET
    is_end = learned.copy()
    is_end[:-1] &= ~(learned[1:] & (row.sequences[1:] == row.sequences[:-1]))
    return is_end
