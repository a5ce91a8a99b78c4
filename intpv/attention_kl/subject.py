"""Subject: a text model with the prefix that it has watched, ready to read questions and given answers."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from transformers import PreTrainedModel

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.streaming import Asked
from intpv.errors import BadInput
from intpv.hf.attention import Prefix, attending_to, observer, placed, use
from intpv.hf.cache import QuestionCache, handed

# Observing: see what a text model's attention is given, layer by layer, while it runs; nothing is left afterwards.


Observer = Callable[[int, Asked], None]  # the layer's index, and what its attention is given


@contextmanager
def observed(observe: Observer, layers: Collection[int] | None = None) -> Iterator[None]:
    """Inside, a model in `use` that attends to a prefix reports to `observe` before each of these layers' attention,
    all layers by default.

    The model must be given an explicit boolean 4-D mask. Not to be nested.
    """
    if observer.get() is not None:
        raise RuntimeError("attention is observed already")

    def tell(layer, query, key, value, mask, scaling, parts):
        if layers is None or layer in layers:
            observe(layer, Asked(query, key, value, mask[0, 0], scaling, parts))

    token = observer.set(tell)
    try:
        yield
    finally:
        observer.reset(token)


# ids of each question and, behind them, of its teacher-forced answer; or embeddings of other tokens
Rows = Sequence[Int[Tensor, " _"]] | Sequence[Float[Tensor, "_ D"]]


@dataclass(frozen=True)
class Subject:
    """One of the models that are compared. Reading changes nothing in it."""

    decoder: PreTrainedModel  # without its head
    prefix: Prefix
    groups: KeyGroups  # of the prefix
    start: int  # which token of the sequence comes next after the prefix
    rotated: Callable[[range], AbstractContextManager] = nullcontext  # what holds while it reads these: its rotation
    kept: Bool[Tensor, "L S"] | None = None  # of the prefix that `groups` are of, each layer's tokens; None: all

    def groups_of(self, layer: int) -> KeyGroups:
        """Of the keys that a layer holds."""
        return self.groups if self.kept is None else self.groups.of_kept(self.kept[layer])

    def kept_on(self, layer: int, device: torch.device) -> Bool[Tensor, " S"] | None:
        """Which of the prefix' tokens a layer holds; None: all."""
        return None if self.kept is None else self.kept[layer].to(device)

    @torch.inference_mode()
    def read(self, rows: Rows, observe: Observer, layers: Collection[int] | None = None) -> None:
        """All rows in one forward, none seeing another; `observe` is told of every layer's attention in turn."""
        tokens, place, mask = packed_row(rows)
        device = self.decoder.device
        tokens_read = range(self.start, self.start + max(map(len, rows)))
        given = "inputs_embeds" if tokens.is_floating_point() else "input_ids"
        placed_at = self.start + place.to(device)
        with (
            self.rotated(tokens_read),
            use(self.decoder),
            attending_to(self.prefix),
            placed(placed_at, placed_at),
            observed(observe, layers),
        ):
            self.decoder(
                **{given: tokens[None].to(device)},
                position_ids=placed_at[None],
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
