"""Validation: what the config alone decides is refused before anything is loaded, written or, in a multirun, run."""

import json
import logging
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from intpv.bounds import check_flag, check_text, check_whole, shown
from intpv.errors import BadInput
from intpv.options import missing_module, not_found
from intpv.rearranger.group_length import check_frames

from ..sweep.crew import Patience
from .model_settings import check_encoder, check_model, head_dim
from .options import GLOBAL, groups_and_keys, instead, known_keys, nearest
from .threads import check_threads

log = logging.getLogger(__name__)

WHOLE_NUMBERS = {"frames": 1, "seed": 0, "max_new_tokens": 1}  # top-level keys and the least that each may be
RETRY = (None, "failed", "oom", "all")
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")  # Lightning's
TRAINER = ("accelerator", "devices", "threads")
SWEEP = ("name", "retry", "strict", "dry_run", "silent_s", "timeout_s")
# groups whose objects cost next to nothing beside importing torch; encoder and model have a file of their own
CHEAP = (
    *("rearranger", "rope_strategy", "kv_quant", "kv_evict", "budget", "passes", "video"),
    *("data", "scorer", "measure", "cache", "logger"),
)
# what has the same settings and checks, and does not import transformers or Lightning
LIGHT = {
    "intpv.inference.measuring.Measuring": "intpv.metrics.settings.MeasuringSettings",
    "intpv.cost.memory.Memory": "intpv.metrics.settings.MemorySettings",
}


def check(config: Mapping, choices: Mapping[str, str | None], share: int | None = 1, tables: bool = True) -> None:
    """BadInput for a plain config that no run could be made of; `choices` are the options by group.

    `share` is the number of processes that this machine will be shared with, None where cells run on another one. What
    needs no torch comes first: a typing error should be answered at once.
    """
    check_plain(config, choices, share)
    check_made(config, choices, tables)


def check_plain(config: Mapping, choices: Mapping[str, str | None], share: int | None = 1) -> None:
    """The part of `check` that needs no torch."""
    _check_complete(config)
    _check_finite(config, "")
    for group in CHEAP:
        _check_keys(
            group, config[group], ("_target_",)
        )  # what options inherit, as rope_strategy=base/scaling, has none
    for key, least in WHOLE_NUMBERS.items():
        check_whole(key, config[key], least)
    _check_sweep(config["sweep"])
    _check_trainer(config["trainer"], share)
    for group in ("encoder", "model"):  # the others are made before anything is loaded
        if lost := not_found(str(config[group].get("_target_", "intpv")).partition(".")[0]):
            raise BadInput(f"{group}={choices.get(group)}: {lost}")
    check_encoder(config["encoder"])
    check_model(config["model"], config["encoder"], choices)
    check_frames(config["frames"], config["encoder"]["num_frames"])
    repeat = config["video"].get("repeat", 1)
    if type(repeat) is int and repeat >= 1 and config["frames"] % repeat:
        raise BadInput(f"frames must be a multiple of video.repeat={repeat}, got {config['frames']}")
    _check_logger(config["logger"])
    if config["video"].get("decoder") == "decord" and not find_spec("decord"):
        raise BadInput("video.decoder=decord is not installed here: pip install decord; video.decoder=pyav is exact")


def check_made(config: Mapping, choices: Mapping[str, str | None], tables: bool = True) -> None:
    """The rest: every object that is quick to make refuses its own settings, and with `tables` a RoPE strategy that
    nothing can be rotated by is refused.
    """
    made: dict[str, Any] = {group: _made(group, choices.get(group), json.dumps(config[group])) for group in CHEAP}
    for name in ("prompt", "preprocess"):
        if config["model"].get(name) is not None:
            _made("model", choices.get("model"), json.dumps(config["model"][name]))
    for group, base in _bases().items():
        if not isinstance(made[group], base):
            raise BadInput(f"{group}={choices.get(group)} must be a {base.__name__}, got {type(made[group]).__name__}")
    channels = head_dim(config["model"])
    if tables:
        _check_tables(choices.get("rope_strategy"), made["rope_strategy"], channels or 64)
    if channels and hasattr(policy := made["kv_quant"], "keys"):
        for side in (policy.keys, policy.values):
            side.check(channels)


def _bases() -> dict[str, type]:
    """What the options of a group are made of, a user's own too."""
    from intpv.data.benchmark import Benchmark
    from intpv.rearranger.rearranger import Rearranger
    from intpv.rope_strategy.strategy import RopeStrategy
    from intpv.scorer.scorer import Scorer

    return {"rearranger": Rearranger, "rope_strategy": RopeStrategy, "data": Benchmark, "scorer": Scorer}


def _check_tables(option: str | None, strategy: Any, channels: int) -> None:
    """Of a small video, before weights are loaded. What it needs of a model and misses here, the model will show."""
    from intpv.layout import Layout, Span
    from intpv.rope_strategy.geometry import RopeGeometry
    from intpv.rope_strategy.rotation import NoRotation, angles_of

    layout = Layout((Span(3), *(Span(4, time=float(second)) for second in range(16)), Span(2)))
    try:
        factor = strategy.resolve(layout, (layout.visual_length // 2,), 64)
        angles_of(strategy, layout, RopeGeometry(channels, 10000.0, 64), factor)
    except NoRotation as error:
        raise BadInput(f"rope_strategy={option}: {error}") from None
    except Exception:
        return


def check_run_scorer(config: Mapping, choices: Mapping[str, str | None]) -> None:
    """BadInput for a scorer that a run cannot have, one that asks a judge; a warning for one that cannot read what the
    benchmark asks for."""
    scorer: Any = _made("scorer", option := choices.get("scorer"), json.dumps(config["scorer"]))
    if scorer.saved_only:
        how = f"run with scorer=exact, then python -m experiments.score RUN scorer={option}"
        raise BadInput(f"scorer={option} judges saved predictions alone: {how}")
    benchmark: Any = _made("data", data := choices.get("data"), json.dumps(config["data"]))
    if benchmark.asks_for_letters and not scorer.reads_letters:
        _warn_of_letters(data, option)


@cache
def _warn_of_letters(data: str | None, scorer: str | None) -> None:
    """Once, whatever the number of cells."""
    log.warning(
        "data=%s shows options with letters, scorer=%s takes their texts alone: an answer B counts as invalid; "
        "scorer=letters reads both",
        data,
        scorer,
    )


def _check_complete(config: Mapping) -> None:
    """All groups and keys of conf/config.yaml are there, and no other: what nobody reads would only change the hash."""
    groups, keys = groups_and_keys()
    for group in groups:
        if not isinstance(config.get(group), Mapping):
            raise BadInput(f"there must be a {group}, got {shown(config.get(group))}: {instead(group)}")
    for key in keys:
        if key not in config:
            raise BadInput(f"{key} is missing: it must not be deleted")
    for group in GLOBAL:
        if group in config:
            raise BadInput(f"every file of {group}/ must begin with the line `# @package _global_`")
    for key in config:
        if key not in (*groups, *keys):
            raise BadInput(f"there is no key {key}{nearest(key, known_keys())}")


def _check_finite(value: object, key: str) -> None:
    """YAML has .nan and .inf; neither is a size, a rate or a limit, and comparisons let nan through."""
    if isinstance(value, Mapping | list):
        for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            _check_finite(item, f"{key}.{name}".strip("."))
    elif isinstance(value, float) and not isfinite(value):
        raise BadInput(f"{key} must be a finite number, got {value}")


def _check_sweep(sweep: Mapping) -> None:
    _check_keys("sweep", sweep, SWEEP)
    name = sweep["name"]
    if name is not None:  # null: the folder names itself after the axes
        check_text("sweep.name", name)
    if name and (Path(name).is_absolute() or {".", ".."} & set(name.split("/"))):
        raise BadInput(f"sweep.name must name a folder below runs/, got {name}: hydra.sweep.dir=... is any other")
    if sweep["retry"] not in RETRY:
        raise BadInput(f"sweep.retry must be null, failed, oom or all, got {shown(sweep['retry'])}")
    for key in ("strict", "dry_run"):
        check_flag(f"sweep.{key}", sweep[key])
    Patience(sweep["silent_s"], sweep["timeout_s"])


def _check_trainer(trainer: Mapping, share: int | None) -> None:
    _check_keys("trainer", trainer, TRAINER)
    check_whole("trainer.devices", trainer["devices"], 1)
    if (accelerator := trainer["accelerator"]) not in ACCELERATORS:
        raise BadInput(f"trainer.accelerator must be one of {', '.join(ACCELERATORS)}, got {shown(accelerator)}")
    check_threads(trainer["threads"], share and share * trainer["devices"])
    if more := [key for key in trainer if key not in (*TRAINER, "_target_")]:
        from inspect import signature

        from lightning import Trainer  # seconds that nobody else waits for

        known = list(signature(Trainer.__init__).parameters)
        for key in more:
            if key not in known:
                raise BadInput(f"trainer takes no key {key}{nearest(key, known)}")


def _check_keys(group: str, given: Mapping, needed: tuple[str, ...]) -> None:
    for key in needed:
        if key not in given:
            raise BadInput(f"{group}.{key} is missing: it must not be deleted")


def _check_logger(logger: Mapping) -> None:
    package = logger.get("install")
    if package is not None:
        check_text("logger.install", package)
    if package and not any(find_spec(name) for name in (package, package.removesuffix("X"))):  # Lightning takes either
        raise BadInput(f"the chosen logger needs a package that is missing: pip install {package}")


@cache
def _made(group: str, option: str | None, config: str) -> object:
    """The object, made once for all cells that have it. BadInput where it refuses its settings."""
    try:
        return instantiate(_light(json.loads(config)))
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, BadInput):
            raise cause from None
        said = " ".join(str(cause).split())
        if "unexpected keyword argument" in said:
            raise BadInput(f"{group}={option} takes no key {said.split(chr(39))[1]}") from None
        if lost := missing_module(error):
            raise BadInput(f"{group}={option}: {lost}") from None
        raise BadInput(f"{group}={option} cannot be made: {type(cause).__name__}: {said}") from None


def _light(config: dict) -> dict:
    """Without what takes seconds to import and decides nothing here."""
    found: dict[str, Any] = {key: _light(value) if isinstance(value, dict) else value for key, value in config.items()}
    if found.get("_partial_"):  # a class that is only handed on, as Lightning's loggers are
        return {"_target_": "builtins.dict", "_partial_": True}
    return {**found, "_target_": LIGHT.get(found["_target_"], found["_target_"])} if "_target_" in found else found
