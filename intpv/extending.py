"""Extend a transformers Video-LLM in place: more frames through its own processor and its own generate, inside `with`.

    with intpv.extend(model, frames=64, rope="yarn", kv="int2") as extended:
        output = model.generate(**inputs)  # inputs: the processor's, one video of 64 frames and a question
    print(extended.context.factor, extended.context.packed.bits_per_element)

What is put before the question is prefilled first and packed; the question and the answer are then read against the
packed prefix, so that a quantised cache is in every token of the answer. Afterwards the model is as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from intpv.attention.interface import attending_to, use
from intpv.beside_prefix import BesidePrefix
from intpv.errors import BadInput
from intpv.kv_quant.cache import handed, layers_of
from intpv.kv_quant.calibrated import DYNAMIC
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout
from intpv.options import option
from intpv.placeholders import layout_of, visual_tokens
from intpv.rope_strategy.apply import applied, geometry_of
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.watched import VideoContext


@contextmanager
def extend(
    model: PreTrainedModel,
    frames: int,
    rope: str | RopeStrategy = "none",
    kv: str | KVQuant | NoQuant = "none",
    trained_frames: int = 8,
) -> Iterator["Extended"]:
    """`rope` and `kv` are options of conf/rope_strategy and conf/kv_quant, or such objects.

    `frames` is how many the inputs hold, `trained_frames` how many the model was trained on: an auto factor follows
    from both. One sequence at a time, so no beams; a conversation may go on with the cache that `generate` returned, as
    long as its one video is the first turn's. BadInput for inputs that it cannot take apart.
    """
    if frames < 1 or trained_frames < 1:
        raise BadInput(f"frames and trained_frames must be at least 1, got {frames} and {trained_frames}")
    strategy = option("rope_strategy", rope) if isinstance(rope, str) else rope
    policy = option("kv_quant", kv) if isinstance(kv, str) else kv
    if (source := getattr(policy, "calibration", DYNAMIC)) != DYNAMIC:
        raise BadInput(
            f"extend takes ranges from the prefix itself, got kv_quant.calibration={source}, whose model it cannot "
            f"compare: take the model as model=... through watch and ask"
        )
    extended = Extended(model, frames, strategy, policy, trained_frames)
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
    trained_frames: int
    context: VideoContext | None = None

    def __post_init__(self):
        self._decoder = self.model.get_decoder()
        self._plain = self._decoder.forward
        # Qwen's towers make one slot of tokens out of two frames
        self._together = getattr(getattr(self.model.config, "vision_config", None), "temporal_patch_size", 1)
        if self.frames % self._together:
            raise BadInput(f"frames must be a multiple of {self._together} for this model, got {self.frames}")
        (self._cache_name,) = handed(self._decoder, DynamicCache())
        self._ids: Tensor | None = None

    def remember(self, module, args: tuple, kwargs: dict) -> None:
        """Before the model runs: its decoder is given embeddings, in which a frame looks like text."""
        self._ids = kwargs.get("input_ids", args[0] if args else None)

    def forward(
        self, input_ids=None, attention_mask=None, position_ids=None, inputs_embeds=None, **more
    ) -> BaseModelOutputWithPast:
        """In place of the decoder's own."""
        given = more.pop(self._cache_name, None)
        x = self._decoder.get_input_embeddings()(input_ids) if inputs_embeds is None else inputs_embeds
        _check(x, attention_mask, more)
        kept = more.pop("use_cache", None) is not False
        if given is not None and isinstance(next(iter(given.layers), None), BesidePrefix):
            self._check_goes_on(given, x.shape[1])
            return self._read(x, position_ids, given, more)
        cache = DynamicCache() if given is None else given
        if held := cache.get_seq_length():
            raise BadInput(f"an extended model starts from an empty cache or goes on with its own, got {held} tokens")
        layout = self._layout(x.shape[1])
        before, self.context = self._watch(x[:, : layout.length], position_ids, layout, more)
        cache.layers = [BesidePrefix(self, self.context) for _ in self.context.packed.layers]
        late = {name: value for name, value in more.items() if "deepstack" not in name and name != "visual_pos_masks"}
        rest = position_ids if position_ids is None else position_ids[..., layout.length :]
        after = self._read(x[:, layout.length :], rest, cache, late)
        hidden = torch.cat([before, after.last_hidden_state], 1)
        # without a cache `generate` feeds the whole row again at every step: what came back would count it twice
        return BaseModelOutputWithPast(last_hidden_state=hidden, **({self._cache_name: cache} if kept else {}))

    def _watch(
        self, x: Float[Tensor, "1 S D"], given: Tensor | None, layout: Layout, more: dict
    ) -> tuple[Tensor, VideoContext]:
        """Prefill and pack what stands before the question."""
        config = self.model.config.get_text_config(decoder=True)
        slot = max(span.length for span in layout.spans if span.is_frame)
        trained = self.trained_frames * slot // self._together
        factor = self.strategy.resolve(layout, trained, config.max_position_embeddings)
        window = self.strategy.trained_length(trained, config.max_position_embeddings)
        geometry = geometry_of(config, window)
        if geometry.axes and factor != 1:
            raise BadInput(
                f"extend scales models with one axis of positions, got {type(self.model).__name__} with "
                f"{len(geometry.axes)} and factor {factor:g}: take it as model=... through watch and ask"
            )
        cache = DynamicCache()
        if "visual_pos_masks" in more:
            more = {**more, "visual_pos_masks": more["visual_pos_masks"][:, : layout.length]}
        with applied(self._decoder.rotary_emb, self.strategy, geometry, factor):
            out = self._plain(
                inputs_embeds=x,
                attention_mask=torch.ones(1, layout.length, dtype=torch.long, device=x.device),
                position_ids=self._positions(layout, factor, 0, layout.length, given),
                **{self._cache_name: cache},
                **more,
            )
        angles = self.strategy.angles(layout, geometry, factor)
        packed = self.policy.pack(layers_of(cache), layout, angles)
        return out.last_hidden_state, VideoContext(packed, layout, geometry, factor)

    def _read(self, x: Float[Tensor, "1 R D"], given: Tensor | None, cache, more: dict) -> BaseModelOutputWithPast:
        """Question or answer tokens against the packed prefix."""
        own, context, rows = cache.layers[0].own, cache.layers[0].context, x.shape[1]
        start = context.layout.length + own
        mask = torch.ones(rows, own + rows, dtype=torch.bool, device=x.device).tril(own)
        with (
            applied(self._decoder.rotary_emb, self.strategy, context.geometry, context.factor),
            attending_to(context.packed),
        ):
            return self._plain(
                inputs_embeds=x,
                attention_mask=mask[None, None],
                position_ids=self._positions(context.layout, context.factor, start, start + rows, given),
                **{self._cache_name: cache},
                **more,
            )

    def _positions(self, layout: Layout, factor: float, start: int, stop: int, given: Tensor | None) -> Tensor:
        """Of tokens start ... stop - 1: the model's own where nothing is scaled, for it may know more axes than one."""
        if factor == 1 and given is not None:
            return given[..., : stop - start]
        whole = layout if stop <= layout.length else layout.ask(stop - layout.length)
        return self.strategy.positions(whole, factor)[:, start:stop].to(self.model.device)

    def _check_goes_on(self, cache, rows: int) -> None:
        if cache.layers[0].extended is not self:
            raise BadInput("the cache of an extended model knows its video only inside the `with` that it comes from")
        if self._ids is None or self._ids.shape[-1] != rows:
            return  # embeddings alone
        if shown := int(visual_tokens(self._ids[0].cpu(), self.model.config).sum()):
            raise BadInput(f"a cache of an extended model holds one video, got {shown} visual tokens more")

    def _layout(self, length: int) -> Layout:
        """Text and frames up to the last frame's end; what follows is the question."""
        if self._ids is None or self._ids.shape[-1] != length:
            given = "none" if self._ids is None else f"{self._ids.shape[-1]}"
            raise BadInput(f"an extended model needs input_ids that stand for all {length} tokens, got {given}")
        return layout_of(visual_tokens(self._ids[0].cpu(), self.model.config), self.frames // self._together)


def _check(x: Tensor, mask: Tensor | dict | None, more: dict) -> None:
    if len(x) != 1:
        raise BadInput(f"an extended model takes one sequence at a time, got a batch of {len(x)}")
    if isinstance(mask, Tensor) and mask.dim() == 2 and not mask.all():
        raise BadInput(f"an extended model takes no padding, got a mask over {int((mask == 0).sum())} tokens")
    for name in ("output_attentions", "output_hidden_states"):
        if more.get(name):
            raise BadInput(f"an extended model does not give {name}: its prefix and question are read apart")
