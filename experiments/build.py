"""From a plain config to the objects of a run; what is dear to make is made once per process."""

import json
from functools import cache

from hydra.utils import instantiate

from intpv.data.benchmark import Benchmark
from intpv.model.model import Model
from intpv.video_llm import VideoLLM


def benchmark(config: dict) -> Benchmark:
    """One object per data config: items and bounds are shared by the cells of a process."""
    return _benchmark(_key(config["data"]))


def video_llm(config: dict) -> VideoLLM:
    """Rearranger, strategy and policy are made, and the frame count is refused, before the model is loaded."""
    rearranger, rope, kv = (instantiate(config[group]) for group in ("rearranger", "rope_strategy", "kv_quant"))
    rearranger.order(config["frames"], config["encoder"]["num_frames"])
    return VideoLLM(model(config), rearranger, rope, kv, config["max_new_tokens"])


def model(config: dict) -> Model:
    """Loaded once per process; every cell with equal encoder and model config uses the same."""
    return _model(_key(config["encoder"]), _key(config["model"]))


def _key(config: dict) -> str:
    return json.dumps(config, sort_keys=True)


@cache
def _benchmark(config: str) -> Benchmark:
    return instantiate(json.loads(config))


@cache
def _model(encoder: str, config: str) -> Model:
    return instantiate(json.loads(config), encoder=instantiate(json.loads(encoder)))
