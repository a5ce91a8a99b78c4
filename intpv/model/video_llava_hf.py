"""Video-LLaVA-7B as ported to transformers (LanguageBind/Video-LLaVA-7B-hf): CLIP frame by frame, projector, Llama.

Its conversion left the temporal weights behind, so it is the control on which rearranging does nothing. Both spellings
of its keys are read: the released one and the one that transformers 5 works with.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from transformers import PreTrainedConfig, VideoLlavaConfig

from intpv.encoder.per_frame import PerFrame
from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model.loading.assembly import assemble
from intpv.model.loading.config_json import check_select, check_tower, config_of, llama_config, llama_words
from intpv.model.loading.generation import generation_of
from intpv.model.loading.hub import find
from intpv.model.loading.lora import mergeable
from intpv.model.loading.shards import Naming, Shards, fill
from intpv.model.model import Model, Prompt
from intpv.model.video_llava import drawn
from intpv.preprocess.pixels import Pixels

REPOSITORY, VIDEO = "LanguageBind/Video-LLaVA-7B-hf", "<video>"
PARTS = (
    ("video_tower.vision_model.", "encoder.tower."),
    ("video_tower.", "encoder.tower."),
    ("multi_modal_projector.linear_1.", "encoder.projector.0."),
    ("multi_modal_projector.linear_2.", "encoder.projector.2."),
)
NAMING = Naming(
    prefixes=(
        *PARTS,
        ("language_model.model.", "llm.model."),
        ("language_model.lm_head.", "llm.lm_head."),
        *((f"model.{theirs}", ours) for theirs, ours in PARTS),
        ("model.language_model.", "llm.model."),
        ("lm_head.", "llm.lm_head."),
    ),
    ignored=(r"rotary_emb\.inv_freq$", r"embeddings\.position_ids$", r"^(model\.)?image_tower\."),
)


@mergeable
def load(
    encoder: VideoEncoder,
    prompt: Prompt,
    preprocess: Pixels,
    llm: Mapping[str, Any],
    path: str = REPOSITORY,
    weights: str = "checkpoint",
    dtype: str = "bfloat16",
    device: str | Sequence[str] = "auto",
    seed: int = 0,
    name: str = "video_llava_7b_hf",
) -> Model:
    """The fields of conf/model/video_llava_7b_hf.yaml. Raises BadInput as model=video_llava_7b does."""
    if not isinstance(encoder, PerFrame) or not encoder.keep_cls:
        got = f"{type(encoder).__name__}, keep_cls={getattr(encoder, 'keep_cls', True)}"
        raise BadInput(f"{name} works with encoder=PerFrame, keep_cls=True, got encoder={got}")
    common: dict[str, Any] = dict(prompt=prompt, preprocess=preprocess, dtype=dtype, device=device, name=name)
    if weights == "random":
        return drawn(encoder, llm, seed, **common)
    if weights != "checkpoint":
        raise BadInput(f"model.weights must be checkpoint or random, got {weights}")
    folder = find(path, "model.path", REPOSITORY)
    config = _config(config_of(folder, ("video_llava",), "video_llava_7b_hf"), str(folder / "config.json"))
    file = str(folder / "config.json")
    # transformers' hint is what these may be built from
    vision, llama = (cast(PreTrainedConfig, part) for part in (config.vision_config, config.text_config))
    check_tower(encoder, vision.to_dict(), file)
    check_select(encoder, config.vision_feature_layer, f"{file}: vision_feature_layer")
    text = llama_config(llama.to_dict(), f"{file}: text_config")
    words = llama_words(folder, text, prompt, {VIDEO: config.video_token_id})
    common |= {"generation": generation_of(folder)}
    encoder.behind = VIDEO  # the port cuts the whole prompt at once: no space is put before what follows the video
    return assemble(encoder, text, partial(fill, [(Shards.find(folder), NAMING)]), tokenizer=words, **common)


def _config(values: dict[str, Any], file: str) -> VideoLlavaConfig:
    """With transformers' own defaults for what is not stated: they are what the port computes with."""
    try:
        config = VideoLlavaConfig.from_dict(values)
    except Exception as error:  # transformers' own checks raise several types
        raise BadInput(f"{file}: {' '.join(str(error).split())[:160]}") from None
    if (kind := cast(PreTrainedConfig, config.text_config).model_type) != "llama":
        raise BadInput(f"{file}: text_config.model_type must be llama, got {kind}")
    must = {"projector_hidden_act": "gelu", "multimodal_projector_bias": True}
    for key, value in must.items():
        if getattr(config, key) != value:
            raise BadInput(f"{file}: {key} must be {value}, got {getattr(config, key)}")
    return config
