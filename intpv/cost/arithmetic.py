"""Arithmetic: a watched video's FLOPs in closed form, of the model that watched it."""

from dataclasses import replace

from intpv.cost import closed_form
from intpv.cost.bounded import Bounds
from intpv.cost.shape import Shape
from intpv.encoder.languagebind import LanguageBind
from intpv.model.model import Model
from intpv.video_llm.context import VideoContext
from intpv.video_llm.video_llm import VideoLLM


def shape_of(model: Model) -> Shape | None:
    """Its sizes; None for a tower of which no closed form is known."""
    encoder, text = model.encoder, model.decoder.config.get_text_config(decoder=True)
    if not isinstance(encoder, LanguageBind):
        return None
    tower = encoder.config
    return Shape(
        layers=text.num_hidden_layers,
        heads=text.num_attention_heads,
        kv_heads=text.num_key_value_heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        hidden=text.hidden_size,
        intermediate=text.intermediate_size,
        vocabulary=text.vocab_size,
        tower_layers=tower.num_hidden_layers,
        tower_run=encoder.depth,
        tower_hidden=tower.hidden_size,
        tower_intermediate=tower.intermediate_size,
        image_size=tower.image_size,
        patch_size=tower.patch_size,
        channels=tower.num_channels,
        group=tower.num_frames,
    )


def flops(video_llm: VideoLLM, frames: int, context: VideoContext, video_id: str = "") -> dict[str, int]:
    """`cost/tower_flops` and `cost/prefill_flops`; nothing where no closed form is known, or no frame was shown."""
    shape = shape_of(video_llm.model) if frames else None
    if shape is None:
        return {}
    groups, length = video_llm.order(frames, video_id).shape
    side, passes = video_llm.budget.tower_side, video_llm.passes
    seen = replace(shape, group=length, image_size=(side * shape.patch_size if side else shape.image_size))
    tokens = groups * length * seen.tokens_per_frame
    early = getattr(video_llm.kv_evict, "early", False)
    bounds = Bounds(kv_tokens=context.packed.length, early=early, prefill_tokens=passes.prefill_tokens)
    partition, tokens_read = context.rotation.partition, context.layout.length
    pairs = None if partition is None else partition.pairs(tokens_read)
    return {
        "cost/tower_flops": groups * closed_form.tower_flops(seen) + closed_form.projector_flops(shape, tokens),
        "cost/prefill_flops": bounds.prefill_flops(shape, tokens_read, pairs),
    }
