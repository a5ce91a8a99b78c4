"""From a plain config to the objects of a run; what is dear to make is kept for the cells to come."""

import functools
import gc
import json
from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from intpv.cache.cache import Cache
from intpv.cache.memory import FirstCome
from intpv.cache.no_cache import NoCache
from intpv.data.benchmark import Benchmark
from intpv.model.model import Model
from intpv.video_llm.video_llm import VideoLLM

from ..sweep.plan import answer_key, prefix_key
from .cell_config import CellConfig

_prefixes_of: str | None = None  # the cells whose prefixes are kept
_answers: dict[str, dict[str, Any]] = {}  # of those cells, by answer_key and video
_loaded: tuple[str, Model] | None = None  # the last model, under what it was made of


def benchmark(config: CellConfig) -> Benchmark:
    """One object per data config: items and bounds are shared by the cells of a process."""
    return _benchmark(_key(config["data"]))


def video_llm(config: CellConfig) -> VideoLLM:
    """Rearranger, strategy and policy are made, and the frame count is refused, before the model is loaded."""
    rearranger, rope = instantiate(config["rearranger"]), instantiate(config["rope_strategy"])
    rearranger.order(config["frames"], config["encoder"]["num_frames"])
    kv_quant, kv_evict = instantiate(config["kv_quant"]), instantiate(config["kv_evict"])
    budget, passes = instantiate(config["budget"]), instantiate(config["passes"])
    return VideoLLM(model(config), rearranger, rope, kv_quant, config["max_new_tokens"], budget, passes, kv_evict)


def model(config: CellConfig) -> Model:
    """The last one is kept, for every cell with equal encoder and model config; any other frees it before it loads.

    Where its loader is told no device (mini, random), it goes where Lightning would take it.
    """
    global _loaded
    encoder, given = config["encoder"], dict(config["model"])
    accelerator, has_device = config["trainer"]["accelerator"], "device" in given
    if given.get("weights", "random") != "random":
        given.pop("seed", None)  # of random weights alone
    if accelerator == "cpu" and given.get("device") == "auto":
        given["device"] = "cpu"
    wanted = _key({"encoder": encoder, "model": given, "accelerator": None if has_device else accelerator})
    if _loaded is None or _loaded[0] != wanted:
        _loaded = None
        free_memory()
        made: Model = instantiate(given, encoder=instantiate(encoder))
        if not has_device:
            _place(made, accelerator)
        _loaded = wanted, made
    return _loaded[1]


def free_memory() -> None:
    """What nothing holds any more goes, from the devices too."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _place(model: Model, accelerator: str) -> None:
    import torch

    from intpv.model.loading.hub import warn_of_unseen_gpus

    if accelerator == "auto":
        warn_of_unseen_gpus()
    if accelerator == "mps" or (accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()):
        modules: tuple[torch.nn.Module, ...] = (model.llm, model.encoder)
        for module in modules:
            module.to("mps" if accelerator == "mps" else "cuda")


def cache(config: CellConfig) -> Cache | NoCache:
    """One per process: what its cells share."""
    return _cache(_key(config["cache"]))


def prefixes(config: CellConfig, keep: bool) -> FirstCome:
    """Those of cells that differ from this one in quantisation alone; of other cells nothing is left here."""
    global _prefixes_of
    shared = prefix_key(config) if keep else None
    kept = cache(config).prefixes
    if shared is None or shared != _prefixes_of:
        kept.clear()
        _answers.clear()
        _prefixes_of = shared
    return kept if keep else FirstCome(0)


def answers(config: CellConfig, keep: bool) -> dict[str, Any] | None:
    """What cells of this one's answer_key have found, by video, kept where another such cell is to come; None where
    there was none before and none will come."""
    key = answer_key(config)
    return _answers.setdefault(key, {}) if keep else _answers.pop(key, None)


def _key(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True)


@functools.cache
def _cache(config: str) -> Cache | NoCache:
    return instantiate(json.loads(config))


@functools.cache
def _benchmark(config: str) -> Benchmark:
    return instantiate(json.loads(config))
