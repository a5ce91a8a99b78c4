"""Prefix feed: a prefix goes through the decoder, at once or pass by pass, and leaves its keys and values."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from intpv.attention.rules import prefilled_by
from intpv.errors import BadInput
from intpv.hf.attention import attending_to, placed, use
from intpv.hf.cache import HandingCache, handed
from intpv.hf.rotary import Rotated, prefilling
from intpv.kv_evict.kv_evict import LatestQueries
from intpv.kv_quant.growing import Growing
from intpv.model.model import Model
from intpv.rope_strategy.rotation import Rotation
from intpv.timing import lap
from intpv.video_llm.packing_rules import Cut
from intpv.video_llm.passes import Passes

DecoderInput = Callable[[range], Mapping[str, Any]]  # what the decoder is given of these tokens


@dataclass(frozen=True)
class PrefixFeed:
    """Of one model."""

    model: Model
    passes: Passes

    def into(
        self,
        cache: Cache,
        rotation: Rotation,
        given: DecoderInput,
        cut: Cut | None = None,
        queries: LatestQueries | None = None,
    ) -> None:
        """Keys and values of all passes, cut after each where there is a cut; the latest queries beside them. BadInput
        for a strategy that cannot."""
        with self._prefilling(rotation, queries) as rotated:
            for run in self.passes.runs(rotation.layout.length):
                rotated.narrow(run)
                seen = len(run) + (cache.get_seq_length() if run.start else 0)
                with placed(torch.arange(run.start, run.stop), torch.arange(run.stop)):
                    self._pass(run, cache, given, torch.ones(1, seen, dtype=torch.long))
                if cut is not None:
                    cut.shorten(cache, run.stop)

    def growing(self, growing: Growing, rotation: Rotation, given: DecoderInput) -> None:
        """Every pass attends to the others as they are packed. BadInput for a strategy that cannot."""
        decoder = self.model.decoder
        with self._prefilling(rotation) as rotated:
            for run in self.passes.runs(rotation.layout.length):
                rotated.narrow(run)
                take, tokens = growing.taking(), torch.arange(run.start, run.stop)
                cache = HandingCache(_timed(take))
                if not run.start:
                    self._pass(run, cache, given, torch.ones(1, len(run), dtype=torch.long))
                else:
                    own = torch.ones(len(run), len(run), dtype=torch.bool).tril()
                    with use(decoder), attending_to(growing), placed(tokens, tokens):
                        self._pass(run, cache, given, own[None, None])
                cache.finish()

    def _pass(self, run: range, cache: Cache, given: DecoderInput, mask: Tensor) -> None:
        decoder, device = self.model.decoder, self.model.llm.device
        decoder(
            attention_mask=mask.to(device),
            position_ids=torch.arange(run.start, run.stop, device=device)[None],
            **handed(decoder, cache),
            **given(run),
        )

    @contextmanager
    def _prefilling(self, rotation: Rotation, queries: LatestQueries | None = None) -> Iterator[Rotated]:
        if rotation.partition is not None and self.passes.prefill_tokens is not None:
            raise BadInput(
                f"rope_strategy={rotation.strategy.name} reads a prefix at once, got passes.prefill_tokens="
                f"{self.passes.prefill_tokens}; passes.prefill_tokens=null does that"
            )
        decoder = self.model.decoder
        hear = queries.hear if queries else None
        with prefilling(decoder, self.model.rotary, rotation, prefilled_by(decoder), hear) as rotated:
            yield rotated

    def of_all(self, given: Mapping[str, Any], length: int) -> DecoderInput:
        """Parts of what is there for all `length` tokens. BadInput for parts of more than embeddings."""

        def part(run: range) -> Mapping[str, Any]:
            if len(run) == length:
                return given
            if more := sorted(set(given) - {"inputs_embeds"}):
                raise BadInput(
                    f"passes.prefill_tokens={self.passes.prefill_tokens}: {self.model.name}'s decoder is given "
                    f"{', '.join(more)} of the whole video at once; passes.prefill_tokens=null does that"
                )
            return {"inputs_embeds": given["inputs_embeds"][:, run.start : run.stop]}

        return part


def _timed(take: Callable[[Tensor, Tensor], None]) -> Callable[[Tensor, Tensor], None]:
    def timed(keys: Tensor, values: Tensor) -> None:
        with lap("pack", keys.device):
            take(keys, values)

    return timed
