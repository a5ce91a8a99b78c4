"""Wrong settings: every setting of every option with values that it cannot mean, through validation's own function.

As a program it prints a line for each that is not refused as it should be, and last how many were tried.
"""

import copy
import functools

from hydra import compose, initialize_config_dir

from experiments.run.cell_config import plain_config
from experiments.run.names import register_resolvers
from experiments.run.validation import check
from intpv.errors import BadInput
from intpv.options import CONF

# every option whose settings differ in kind from another's
BASES = (
    "kv_quant=int2",
    "rope_strategy=yarn",
    "rope_strategy=rerope",
    "rearranger=random",
    "kv_evict=window",
    "kv_evict=redundant",
    "kv_evict=random",
    "budget=pool",
    "budget=random",
    "budget=two_rate",
    "budget=downsample",
    "video.sampling=fps video.fps=1",
    "logger=tensorboard",
    "measure=full",
    "model=smollm2",
    "model=video_llava_7b",
    "model=qwen2_5_vl_7b",
    "model=llava_onevision_7b",
    "model=qwen3_vl_8b",
    "model=random encoder=per_frame",
)
TEXTS = {"name", "root", "dir", "project", "entity", "lora", "path", "video_tower", "before_video", "after_video"}
TEXTS |= {
    "notes",
    "files",
    "hidden_act",
    "base",
    "cache_dir",
}  # file patterns; an activation is known to transformers alone
NULLS = {
    "path",
    "lora",
    "tuned",
    "video_tower",
    "entity",
    "fps",
    "stream",
    "limit",
    "retry",
    "value_bits",
    "temperature",
}
NULLS |= {"key_group", "value_group", "install", "trained_visual_length", "total_pixels", "frame_pixels", "name"}
NULLS |= {"tuned", "base", "silent_s", "timeout_s", "project", "offline", "dir", "notes"}
NULLS |= {
    "measure.videos",
    "tower_frames",
    "prefill_tokens",
    "scores",
    "kv_evict.bytes",
    "budget.tokens",
}  # the path where another setting has the name
OF_LIGHTNING = {"default_hp_metric"}
NO_SETTING = ("_target_", "_convert_", "_partial_")
MEANT = {  # value -> what a key must have been for it to be right
    "nan": (),
    "infinite": (),
    "negative": ("select_layer",),
    "half": ("temperature",),
    "text": tuple(TEXTS),
    "null": tuple(NULLS),
    "list": (),
    "mapping": (),
}
WRONG = {
    "nan": float("nan"),
    "infinite": float("inf"),
    "negative": -1,
    "half": -0.5,
    "text": "many",
    "null": None,
    "list": [0.5],
    "mapping": {"a": 1},
}


def composed(overrides: str) -> tuple[dict, dict]:
    """Config and choices, the caller's own to change."""
    return copy.deepcopy(_composed(overrides))


@functools.cache
def _composed(overrides: str) -> tuple[dict, dict]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        found = compose("config", overrides.split(), return_hydra_config=True)
        choices = dict(found.hydra.runtime.choices)
        return plain_config(found), choices


def leaves(value: object, path: tuple = ()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield path


def with_value(config: dict, path: tuple, value: object) -> dict:
    changed = copy.deepcopy(config)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def refusal(config: dict, choices: dict) -> str:
    """Nothing where it is taken."""
    try:
        check(config, choices)
    except BadInput as error:
        return str(error)
    return ""


def main() -> None:
    tried = 0
    for base in BASES:
        config, choices = composed(base)
        check(config, choices)
        for path in leaves(config):
            for kind, value in WRONG.items():
                if {path[-1], ".".join(path)} & {*NO_SETTING, *OF_LIGHTNING, *MEANT[kind]}:
                    continue
                tried += 1
                said = refusal(with_value(config, path, value), choices)
                if len(said.splitlines()) != 1 or path[-1] not in said:
                    print(f"{'.'.join(path)}={value}: {said or 'taken'}")
    print(tried)


if __name__ == "__main__":
    main()
