"""From a plain config to the objects of a run; what is dear to make is made once per process."""

import functools
import json

from hydra.utils import instantiate

from intpv.cache.cache import Cache
from intpv.cache.first_come import FirstCome
from intpv.cache.no_cache import NoCache
from intpv.data.benchmark import Benchmark
from intpv.model.model import Model
from intpv.video_llm import VideoLLM

from .sweep.plan import prefix_key

_prefixes_of: str | None = None  # the cells whose prefixes are kept


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


def place(model: Model, accelerator: str) -> None:
    """To the device that Lightning would take for `accelerator`, for verbs that run without a Trainer.

    A model that is spread over several devices stays where it is, with Lightning too.
    """
    import torch

    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available() and len(model.devices) == 1:
        for module in (model.llm, model.encoder):
            module.to("cuda")


def cache(config: dict) -> Cache | NoCache:
    """One per process: what its cells share."""
    return _cache(_key(config["cache"]))


def prefixes(config: dict, keep: bool) -> FirstCome:
    """Those of cells that differ from this one in quantisation alone; of other cells nothing is left here."""
    global _prefixes_of
    shared = prefix_key(config) if keep else None
    kept = cache(config).prefixes
    if shared is None or shared != _prefixes_of:
        kept.clear()
        _prefixes_of = shared
    return kept if keep else FirstCome(0)


def _key(config: dict) -> str:
    return json.dumps(config, sort_keys=True)


@functools.cache
def _cache(config: str) -> Cache | NoCache:
    return instantiate(json.loads(config))


@functools.cache
def _benchmark(config: str) -> Benchmark:
    return instantiate(json.loads(config))


@functools.cache
def _model(encoder: str, config: str) -> Model:
    return instantiate(json.loads(config), encoder=instantiate(json.loads(encoder)))
