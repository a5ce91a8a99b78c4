"""Video-LLaVA-7B from its original checkpoint: our LanguageBind tower, its projector, transformers' Llama.

Written from the layout of LanguageBind/Video-LLaVA-7B (PKU-YuanGroup/Video-LLaVA at 984e65b). One placeholder per frame
and no cut at tokenizer_model_max_length: a frame's tokens go where the frame is, whatever F.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model.loading.assembly import ABOUT, assemble, draw
from intpv.model.loading.config_json import check_select, check_tower, config_of, llama_config, llama_words
from intpv.model.loading.generation import generation_of
from intpv.model.loading.hub import find
from intpv.model.loading.lora import mergeable
from intpv.model.loading.shards import Naming, Shards, Source, fill
from intpv.model.model import Model, Prompt
from intpv.preprocess.pixels import Pixels
from intpv.shipped import EMBEDDED

REPOSITORY, TOWER_REPOSITORY = "LanguageBind/Video-LLaVA-7B", "LanguageBind/LanguageBind_Video_merge"
TOWER = "model.video_tower.video_tower."
WHOLE = Naming(
    prefixes=(
        (TOWER, "encoder.tower."),
        ("model.mm_projector.", "encoder.projector."),
        ("model.", "llm.model."),
        ("lm_head.", "llm.lm_head."),
    ),
    # tables that are computed, indices that count, and the tower for still images
    ignored=(r"rotary_emb\.inv_freq$", r"embeddings\.position_ids$", r"^model\.image_tower\."),
)
WITHOUT_TOWER = Naming(WHOLE.prefixes[1:], (*WHOLE.ignored, rf"^{TOWER}"))
TOWER_ALONE = Naming(
    prefixes=(("vision_model.", "encoder.tower."),),
    ignored=(r"embeddings\.position_ids$", r"^text_model\.", r"^(visual|text)_projection\.weight$", r"^logit_scale$"),
)


@mergeable
def load(
    encoder: VideoEncoder,
    prompt: Prompt,
    preprocess: Pixels,
    llm: Mapping[str, Any],
    path: str = REPOSITORY,
    video_tower: str | None = None,
    weights: str = "checkpoint",
    dtype: str = "bfloat16",
    device: str | Sequence[str] = "auto",
    seed: int = 0,
    name: str = "video_llava_7b",
) -> Model:
    """The fields of conf/model/video_llava_7b.yaml. `llm` holds the sizes of random weights.

    Raises BadInput for whatever is not the original's layout, naming file and key; nothing is then loaded.
    """
    if not isinstance(encoder, LanguageBind):
        raise BadInput(f"{name} was trained with encoder=LanguageBind, got encoder={type(encoder).__name__}")
    common: dict[str, Any] = dict(prompt=prompt, preprocess=preprocess, dtype=dtype, device=device, name=name)
    if weights == "random":
        return drawn(encoder, llm, seed, **common)
    if weights != "checkpoint":
        raise BadInput(f"model.weights must be checkpoint or random, got {weights}")
    folder = find(path, "model.path", REPOSITORY)
    config = config_of(folder, ("llava", "llava_llama"), "video_llava_7b")
    file = str(folder / "config.json")
    _check(encoder, config, file)
    text = llama_config(config, file)
    words = llama_words(folder, text, prompt)
    sources = _sources(folder, video_tower, encoder)
    common |= {"generation": generation_of(folder)}
    return assemble(encoder, text, partial(fill, sources), tokenizer=words, **common)


def drawn(encoder: VideoEncoder, sizes: Mapping[str, Any], seed: int, **common) -> Model:
    """Random weights at these sizes; the mini model's words, for no checkpoint is read."""
    words = AutoTokenizer.from_pretrained(EMBEDDED, local_files_only=True)
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    config = llama_config({**sizes, **ends}, "model.llm")
    if (needed := len(words)) > config.vocab_size:
        raise BadInput(f"model.llm.vocab_size must be at least {needed}, got {config.vocab_size}")
    return assemble(encoder, config, partial(draw, seed), tokenizer=words, about=ABOUT, **common)


def _check(encoder: VideoEncoder, config: Mapping[str, Any], file: str) -> None:
    if "mm_video_tower" not in config:
        raise BadInput(f"{file} states no mm_video_tower: it is a LLaVA for images, not a Video-LLaVA")
    must = {"mm_projector_type": "mlp2x_gelu", "mm_use_im_start_end": False}
    for key, value in must.items():
        if config.get(key, value) != value:
            raise BadInput(f"{file}: {key} must be {value}, got {config[key]}")
    stated = {**config.get("vision_config", {})}
    if "mm_hidden_size" in config:
        stated["hidden_size"] = config["mm_hidden_size"]
    check_tower(encoder, stated, file)
    if "mm_vision_select_layer" in config:
        check_select(encoder, config["mm_vision_select_layer"], f"{file}: mm_vision_select_layer")


def _sources(folder: Path, video_tower: str | None, encoder: VideoEncoder) -> list[Source]:
    """The checkpoint, and where its tower is asked for from elsewhere, as the original's own loader does, that too."""
    whole = Shards.find(folder)
    if video_tower is not None:
        tower = find(video_tower, "model.video_tower", TOWER_REPOSITORY)
        config = config_of(tower, ("LanguageBindVideo",), "video_llava_7b as its video_tower")
        check_tower(encoder, config.get("vision_config", config), str(tower / "config.json"))
        return [(whole, WITHOUT_TOWER), (Shards.find(tower), TOWER_ALONE)]
    if not any(key.startswith(TOWER) for key in whole.entries):
        raise BadInput(
            f"{folder} holds no video tower (keys {TOWER}*): hf download {TOWER_REPOSITORY} --local-dir FOLDER, "
            f"then model.video_tower=FOLDER"
        )
    return [(whole, WHOLE)]
