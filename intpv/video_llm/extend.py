"""Extend a transformers Video-LLM in place: more frames through its own processor and its own generate, inside `with`.

    with intpv.extend(model, frames=64, rope="yarn", kv="int2") as extended:
        output = model.generate(**inputs)  # inputs: the processor's, one video of 64 frames and a question
    print(extended.context.factor, extended.context.packed.bits_per_element)

What is put before the question is prefilled first and packed; the question and the answer are then read against the
packed prefix, so that a quantised cache is in every token of the answer. Afterwards the model is as it was.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, ModelOutput

from intpv.attention.rules import check_decoder, prefilled_by
from intpv.errors import BadInput
from intpv.hf.attention import attending_to, placed, use
from intpv.hf.cache import HandingCache, handed
from intpv.hf.rotary import applied, prefilling
from intpv.kv_evict.kv_evict import KVEvict
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.calibrated import DYNAMIC
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span
from intpv.model.loading.published import known
from intpv.options import option
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.own_rope import own_rope
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.strategy import RopeStrategy, reach, visual_reach
from intpv.video_llm.beside_prefix import BesidePrefix
from intpv.video_llm.context import VideoContext
from intpv.video_llm.packing_rules import PackingRules
from intpv.video_llm.passes import Passes
from intpv.video_llm.placeholders import layout_of, visual_tokens

log = logging.getLogger(__name__)


@contextmanager
def extend(
    model: PreTrainedModel,
    frames: int,
    rope: str | RopeStrategy = "none",
    kv: str | KVQuant | NoQuant = "none",
    trained_frames: int | None = None,
    kv_evict: KVEvict | NoEvict = NoEvict(),  # noqa: B008  has no state
) -> Iterator["Extended"]:
    """`rope` and `kv` are options of conf/rope_strategy and conf/kv_quant, or such objects.

    `frames` is how many the inputs hold, `trained_frames` how many the model was trained on, from which an auto factor
    follows; None is what conf/model states for this architecture. `kv_evict` is a rule of intpv/kv_evict, under a cap
    of its own. A budget has no place here: the processor has written a placeholder for every token of the video.
    One sequence at a time, so no beams; a conversation may go on with the cache that `generate` returned, as long as
    its one video is the first turn's. BadInput for inputs that it cannot take apart.
    """
    if frames < 1 or (trained_frames is not None and trained_frames < 1):
        raise BadInput(f"frames and trained_frames must be at least 1, got {frames} and {trained_frames}")
    strategy = option("rope_strategy", rope) if isinstance(rope, str) else rope
    policy = option("kv_quant", kv) if isinstance(kv, str) else kv
    if (source := getattr(policy, "calibration", DYNAMIC)) != DYNAMIC:
        raise BadInput(
            f"extend takes ranges from the prefix itself, got kv_quant.calibration={source}, whose model it cannot "
            f"compare: take the model as model=... through watch and ask"
        )
    extended = Extended(model, frames, strategy, policy, trained_frames, kv_evict)
    decoder = model.get_decoder()
    own = vars(decoder).get("forward")  # accelerate puts one there that brings inputs to the device
    if isinstance(getattr(own, "__self__", None), Extended):
        raise BadInput(f"{type(model).__name__} is extended already: leave the first `with` before another")
    hook = model.register_forward_pre_hook(extended.remember, with_kwargs=True)
    decoder.forward = extended.forward
    try:
        with use(decoder):
            yield extended
    finally:
        del decoder.forward
        if own is not None:
            decoder.forward = own
        hook.remove()


@dataclass(eq=False)
class Extended:
    """An extended model; `context` is the last video that it watched."""

    model: PreTrainedModel
    frames: int
    strategy: RopeStrategy
    policy: KVQuant | NoQuant
    trained_frames: int | None
    kv_evict: KVEvict | NoEvict
    context: VideoContext | None = None

    def __post_init__(self):
        self._decoder = self.model.get_decoder()
        check_decoder(self._decoder, self.policy.decode)
        self._rules = PackingRules(self._decoder, type(self.model).__name__, self.policy, self.kv_evict)
        self._rules.check(Passes())
        self._plain = self._decoder.forward
        self._implementation = prefilled_by(self._decoder)
        # Qwen's towers make one slot of tokens out of two frames
        self._together = getattr(getattr(self.model.config, "vision_config", None), "temporal_patch_size", 1)
        if self.frames % self._together:
            raise BadInput(f"frames must be a multiple of {self._together} for this model, got {self.frames}")
        self._known = known(self.model) if self.trained_frames is None else None
        if self._known:
            said = "trained_frames not given: as conf/model/%s.yaml, %d visual tokens"
            log.info(said, self._known.option, self._known.trained_visual_length)
        elif (
            self.trained_frames is None
            and self.strategy.window == "visual"
            and not isinstance(self.strategy, NoScaling)
        ):
            name = type(self.model).__name__
            raise BadInput(
                f"extend must be told how many frames the model was trained on: no option of conf/model "
                f"states it for {name}, give trained_frames=N"
            )
        (self._cache_name,) = handed(self._decoder, DynamicCache())
        self._ids: Tensor | None = None

    def remember(self, module, args: tuple, kwargs: dict) -> None:
        """Before the model runs: its decoder is given embeddings, in which a frame looks like text."""
        self._ids = kwargs.get("input_ids", args[0] if args else None)

    def forward(
        self, input_ids=None, attention_mask=None, position_ids=None, inputs_embeds=None, **more
    ) -> ModelOutput:
        """In place of the decoder's own."""
        given = more.pop(self._cache_name, None)
        x = self._decoder.get_input_embeddings()(input_ids) if inputs_embeds is None else inputs_embeds
        goes_on = given is not None and isinstance(next(iter(given.layers), None), BesidePrefix)
        # a token of an answer: what came before it was checked when it came, and to read it is to wait for the device
        alone = goes_on and x.shape[1] == 1
        _check(x, None if alone else attention_mask, more)
        # generate puts one for text before the three axes of M-RoPE
        own = None if position_ids is None else position_ids.reshape(-1, x.shape[1])[-3:]
        kept = more.pop("use_cache", None) is not False
        if goes_on:
            self._check_goes_on(given, x.shape[1])
            return self._read(x, given, more)
        cache = DynamicCache() if given is None else given
        if held := cache.get_seq_length():
            raise BadInput(f"an extended model starts from an empty cache or goes on with its own, got {held} tokens")
        layout = self._layout(x.shape[1], own)
        before, self.context = self._watch(x[:, : layout.length], layout, more)
        cache.layers = [BesidePrefix(self, self.context) for _ in self.context.packed.layers]
        late = {name: value for name, value in more.items() if "deepstack" not in name and name != "visual_pos_masks"}
        after = self._read(x[:, layout.length :], cache, late)
        hidden = torch.cat([before, after["last_hidden_state"]], 1)
        # without a cache `generate` feeds the whole row again at every step: what came back would count it twice
        returned: dict[str, Any] = {self._cache_name: cache} if kept else {}
        return BaseModelOutputWithPast(last_hidden_state=hidden, **returned)

    def _watch(self, x: Float[Tensor, "1 S D"], layout: Layout, more: dict) -> tuple[Tensor, VideoContext]:
        """Prefill and pack what stands before the question."""
        rotation = self._rotation(layout)
        queries = self._rules.queries()
        packing = self._rules.begin(rotation, None, "", queries)
        cache = HandingCache(packing.add)
        if "visual_pos_masks" in more:
            more = {**more, "visual_pos_masks": more["visual_pos_masks"][:, : layout.length]}
        hear = queries.hear if queries else None
        with prefilling(self._decoder, self._decoder.rotary_emb, rotation, self._implementation, hear):
            out = self._plain(
                inputs_embeds=x,
                attention_mask=torch.ones(1, layout.length, dtype=torch.long, device=x.device),
                position_ids=torch.arange(layout.length, device=x.device)[None],
                **{self._cache_name: cache},
                **more,
            )
        cache.finish()
        return out.last_hidden_state, VideoContext(packing.done(), rotation)

    def _rotation(self, layout: Layout) -> Rotation:
        strategy, window = self.strategy, self.model.config.get_text_config(decoder=True).max_position_embeddings
        trained = self._trained(layout)
        factor, length = strategy.resolve(layout, trained, window), max(reach(layout)) + strategy.reserve_text
        trained_length = strategy.trained_length(layout, trained, window)
        own = own_rope(self._decoder.rotary_emb, trained_length, layout.growing_axes, length)
        return Rotation(strategy, layout, own, factor)

    def _trained(self, layout: Layout) -> tuple[int, ...]:
        """Positions that the video takes on each axis if shown as in training: its length, in as many slots."""
        slots = [span for span in layout.spans if span.is_frame]
        if self._known and not layout.has_grids:
            return (self._known.trained_visual_length,)
        if self._known:
            count = max(self._known.trained_visual_length // (self._known.slot or slots[0].length), 1)
        elif self.trained_frames is None:  # and nothing is scaled
            count = len(slots)
        else:
            count = max(self.trained_frames // self._together, 1)
        return visual_reach(layout) if count == len(slots) else visual_reach(Layout(_shown(slots, count)))

    def _read(self, x: Float[Tensor, "1 R D"], cache, more: dict) -> ModelOutput:
        """Question or answer tokens against the packed prefix."""
        own, context, rows = cache.layers[0].own, cache.layers[0].context, x.shape[1]
        start = context.layout.length + own
        mask = torch.ones(rows, own + rows, dtype=torch.bool, device=x.device).tril(own)
        tokens = torch.arange(context.layout.length, start + rows)  # those with keys of their own; windows read them
        with (
            applied(self._decoder.rotary_emb, context.rotation, range(start, start + rows)),
            attending_to(context.packed),
            placed(tokens[own:], tokens),
        ):
            return self._plain(
                inputs_embeds=x,
                attention_mask=mask[None, None],
                position_ids=tokens[None, own:].to(x.device),
                **{self._cache_name: cache},
                **more,
            )

    def _check_goes_on(self, cache, rows: int) -> None:
        if cache.layers[0].extended is not self:
            raise BadInput("the cache of an extended model knows its video only inside the `with` that it comes from")
        if rows == 1 or self._ids is None or self._ids.shape[-1] != rows:
            return  # a token of an answer, or embeddings alone
        if shown := int(visual_tokens(self._ids[0].cpu(), self.model.config).sum()):
            raise BadInput(f"a cache of an extended model holds one video, got {shown} visual tokens more")

    def _layout(self, length: int, positions: Tensor | None) -> Layout:
        """Text and frames up to the last frame's end; what follows is the question."""
        if self._ids is None or self._ids.shape[-1] != length:
            given = "none" if self._ids is None else f"{self._ids.shape[-1]}"
            raise BadInput(f"an extended model needs input_ids that stand for all {length} tokens, got {given}")
        visual, slots = visual_tokens(self._ids[0].cpu(), self.model.config), self.frames // self._together
        return layout_of(visual, slots, None if positions is None else positions.cpu())


def _shown(slots: list[Span], count: int) -> tuple[Span, ...]:
    """The same seconds of video in `count` slots: either each moves the sequence on, or they differ in time alone."""
    first, last = slots[0], slots[-1]
    if len(slots) == 1 or first.advance != 0:
        return (first,) * count
    assert first.grid is not None  # frames without one move the sequence on
    together, ends = replace(first, advance=0), last.advance or 0
    # evenly spread, a slot being the mean of its frames: the last one is so much later
    late = int(last.late * (1 - 1 / count) / (1 - 1 / len(slots)))
    ends = max(*first.grid, late + 1) if ends > max(first.grid) else ends
    return (*[together] * (count - 1), replace(last, late=late, advance=ends))


def _check(x: Tensor, mask: Tensor | dict | None, more: dict) -> None:
    if len(x) != 1:
        raise BadInput(f"an extended model takes one sequence at a time, got a batch of {len(x)}")
    if isinstance(mask, Tensor) and mask.dim() == 2 and not mask.all():
        raise BadInput(f"an extended model takes no padding, got a mask over {int((mask == 0).sum())} tokens")
    # of several types of layers, or made by hand: what a model lets tokens see is read apart as causal
    for one in mask.values() if isinstance(mask, dict) else (mask,):
        if isinstance(one, Tensor) and one.dim() == 4:
            seen = one[0, 0] if one.dtype == torch.bool else one[0, 0] >= 0
            if later := int(seen.triu(seen.shape[1] - seen.shape[0] + 1).sum()):
                raise BadInput(
                    f"an extended model reads every token after those before it, got a mask in which {later} pairs "
                    f"see later ones (images of Gemma 3 do, where the processor gives token_type_ids)"
                )
    for name in ("output_attentions", "output_hidden_states"):
        if more.get(name):
            raise BadInput(f"an extended model does not give {name}: its prefix and question are read apart")
