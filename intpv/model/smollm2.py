"""SmolLM2-135M-Instruct as a Video-LLM: the mini's tower, a projector of its own, and LoRA in the decoder.

Its folder holds what was trained, one per seed under weights/smollm2; the base comes from elsewhere
(loading/smollm2_base.py):
adapter_config.json, adapter_model.safetensors    PEFT
encoder/config.json, encoder/model.safetensors    encoder name and sizes; tower.* and projector.*
intpv.json                                        prompt, preprocessing, training with the base's hash, fingerprint
"""

import logging
from pathlib import Path

from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model import mini
from intpv.model.loading import lora, smollm2_base
from intpv.model.loading.config_json import json_object
from intpv.model.loading.folder import read_folder
from intpv.model.model import Model
from intpv.shipped import shipped

FILES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "encoder/config.json",
    "encoder/model.safetensors",
    "intpv.json",
)
log = logging.getLogger(__name__)


@lora.mergeable
def load(
    encoder: VideoEncoder,
    path: str | None = None,
    seed: int = 0,
    base: str | None = None,
    merged: bool = True,
    strict: bool = True,
    dtype: str = "float32",
    cache_dir: str = "~/.cache/intpv/models",
    name: str = "smollm2",
) -> Model:
    """The fields of conf/model/smollm2.yaml; `path` None is the adapter shipped of this training seed. Not `merged`,
    LoRA is computed beside the base's weights.

    Raises BadInput where the base is missing or, `strict`, is not the one that the adapter was trained on, where the
    folder is incomplete, and where the encoder is another one; nothing is then loaded.
    """
    folder = Path(path).expanduser() if path else shipped("smollm2", seed)
    if missing := [needed for needed in FILES if not (folder / needed).is_file()]:
        made = "python -m experiments.train_smollm2 makes one"
        raise BadInput(f"model.path={folder} is no adapter with its encoder: {missing[0]} is missing: {made}")
    place = smollm2_base.ready_base(base, cache_dir)
    _check_base(folder, place, strict)
    llm, tokenizer = read_folder(place, "LlamaForCausalLM", dtype, "cpu")
    return lora.merge(mini.around(folder, llm, tokenizer, encoder, dtype, name), str(folder), apart=not merged)


def _check_base(folder: Path, base: Path, strict: bool) -> None:
    stated = json_object(folder / "intpv.json").get("training", {}).get("base_sha256")
    if not isinstance(stated, str):
        raise BadInput(f"{folder / 'intpv.json'} must state training.base_sha256, got {stated}")
    if (got := smollm2_base.weights_sha256(base)) == stated:
        return
    line = f"{folder} was trained on a base with weights {stated[:12]}, {base} has {got[:12]}"
    if strict:
        raise BadInput(f"{line}: model.strict=false takes it all the same")
    log.warning("%s: model.strict=false takes it all the same", line)
