"""Subject: a text model with the prefix that it has watched, ready to read questions and given answers."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from transformers import PreTrainedModel

from intpv.attention.interface import Prefix, attending_to, use
from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.observing import Observer, observed
from intpv.errors import BadInput
from intpv.kv_quant.cache import QuestionCache, handed
from intpv.rope_strategy.counts import position_ids

# ids of each question and, behind them, of its teacher-forced answer; or embeddings of other tokens
Rows = Sequence[Int[Tensor, "_"]] | Sequence[Float[Tensor, "_ D"]]


@dataclass(frozen=True)
class Subject:
    """One of the models that are compared. Reading changes nothing in it."""

    decoder: PreTrainedModel  # without its head
    prefix: Prefix
    groups: KeyGroups  # of the prefix
    positions: Float[Tensor, "*A room"]  # on which text goes on after the prefix; at least as many as the longest row
    around: Callable[[], AbstractContextManager] = nullcontext  # what holds while it reads: its rotary table

    @torch.inference_mode()
    def read(self, rows: Rows, observe: Observer, layers: Collection[int] | None = None) -> None:
        """All rows in one forward, none seeing another; `observe` is told of every layer's attention in turn."""
        tokens, place, mask = packed_row(rows)
        device = self.positions.device
        given = "inputs_embeds" if tokens.is_floating_point() else "input_ids"
        with self.around(), use(self.decoder), attending_to(self.prefix), observed(observe, layers):
            self.decoder(
                **{given: tokens[None].to(device)},
                position_ids=position_ids(self.positions[..., place.to(device)]),
                attention_mask=mask[None, None].to(device),
                **handed(self.decoder, QuestionCache()),
            )


def packed_row(rows: Rows) -> tuple[Shaped[Tensor, "R ..."], Int[Tensor, " R"], Bool[Tensor, "R R"]]:
    """Ids (or embeddings), places counted from the prefix' end, and which rows see which. BadInput for a question
    without tokens.
    """
    lengths = [len(row) for row in rows]
    if not lengths or 0 in lengths:
        raise BadInput(f"attention KL needs questions of at least 1 token, got lengths {lengths}")
    place = torch.cat([torch.arange(length) for length in lengths])
    owner = torch.arange(len(rows)).repeat_interleave(torch.tensor(lengths))
    mask = (owner[:, None] == owner) & (place[:, None] >= place)
    return torch.cat(list(rows)), place, mask
