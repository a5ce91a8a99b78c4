"""Predict how a larger model ranks settings before it runs, or score that: python -m experiments.transfer runs/mini

`transfer runs/mini runs/smollm2 --out prediction.json` writes the order in which these sweeps rank strategies and frame
counts, in full precision, with its date and the sha256 of its content. Later `transfer --score prediction.json
runs/mine_7b` tells how near that came: Spearman's correlation over settings, strategies and frame counts. A prediction
whose content has another hash than it states is refused, and so is one that is scored by a model it was made from.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import atanh, isnan, sqrt, tanh
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy.stats import permutation_test, rankdata, spearmanr

from intpv.errors import BadInput
from intpv.metrics.interval import QUANTILE, SEED
from intpv.record.environment import repository

from .run.command import command_line, read_command_line
from .run.messages import explained
from .run.sibling import analysis

LEAST = 4  # settings: below, Bonett and Wright's interval is none
SCHEMA = 1
KEYS = {"schema", "made", "for", "from", "settings", "strategies", "frame_counts", "commit", "sha256"}
ABOUT = "Write the ranking of strategies and frame counts that sweeps predict for a larger model, or score it."

Setting = tuple[str, str, int]  # RoPE strategy, order, frames


def main() -> None:
    parser = command_line("transfer", ABOUT)
    parser.add_argument("sweeps", nargs="+", type=Path, metavar="runs/<sweep>", help="finished; one with --score")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--out", type=Path, default=Path("prediction.json"), help="file to write (%(default)s)")
    what.add_argument("--score", type=Path, metavar="FILE", help="a prediction, scored by the one sweep given")
    parser.add_argument("--model", default="video_llava_7b", help="whom it is about (%(default)s)")
    with explained("transfer"):
        given = read_command_line(parser, None)
        if not given.score:
            print("\n".join(predict_ranking(given.sweeps, given.model, given.out)))
        elif len(given.sweeps) == 1:
            print("\n".join(score_prediction(given.score, given.sweeps[0])))
        else:
            raise BadInput(f"--score takes one sweep, that of the larger model, got {len(given.sweeps)}")


def predict_ranking(sweeps: Sequence[Path], model: str, out: Path) -> list[str]:
    """Writes `out`, once, and tells it. BadInput where the sweeps have fewer than LEAST settings in common."""
    if out.exists():
        raise BadInput(f"{out} is there already: a prediction is written once, --out names another file")
    known = [_accuracies(sweep) for sweep in sweeps]
    common = [setting for setting in known[0] if all(setting in one for one in known)]
    if len(common) < LEAST:
        raise BadInput(f"a ranking needs {LEAST} settings that all sweeps have run, got {len(common)}")
    places = [_places([one[setting] for setting in common]) for one in known]
    mean = {setting: fmean(own[n] for own in places) for n, setting in enumerate(common)}
    ranked = sorted(common, key=lambda setting: (mean[setting], setting))
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "for": model,
        "commit": repository(Path(__file__).parent)["commit"],
        "from": [_origin(sweep) for sweep in sweeps],
        "settings": [_row(setting, mean, [one[setting] for one in known]) for setting in ranked],
        "strategies": _grouped(mean, lambda setting: setting[0]),
        "frame_counts": _grouped(mean, lambda setting: setting[2]),
    }
    content["sha256"] = _digest(content)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    best = ", ".join(f"{strategy} {order} {frames}" for strategy, order, frames in ranked[:3])
    return [f"{out}: {len(ranked)} settings, first {best}", f"sha256 {content['sha256']}, made {content['made']}"]


def score_prediction(file: Path, sweep: Path) -> list[str]:
    """In lines: the correlations, and where the setting predicted first came. BadInput as the module says."""
    content = _read(file)
    models = {one["model"] for one in content["from"]}
    origin = _origin(sweep)
    if origin["model"] in models:
        raise BadInput(
            f"{sweep} ran {origin['model']}, which the prediction was made from: another model must score it"
        )
    accuracies = _accuracies(sweep)
    mean = {setting: place for setting, place in _stored(content).items() if setting in accuracies}
    missing = len(content["settings"]) - len(mean)
    if len(mean) < LEAST:
        raise BadInput(
            f"{sweep} has {len(mean)} of the {len(content['settings'])} settings predicted, {LEAST} are needed"
        )
    places = dict(zip(mean, _places([accuracies[setting] for setting in mean]), strict=True))
    first = min(mean, key=lambda setting: mean[setting])
    best = max(mean, key=lambda setting: accuracies[setting])
    lines = [
        f"{file}, made {content['made']} from {', '.join(sorted(models))} for {content['for']}; scored by "
        f"{origin['model']}: {len(mean)} settings{f', {missing} more were not run' if missing else ''}"
    ]
    for name, key in (("settings", lambda setting: setting), *GROUPINGS):
        ours, theirs = _means(mean, key), _means(places, key)
        lines.append(f"{name:13} {correlation(list(ours.values()), [theirs[one] for one in ours])}")
    behind = f"{100 * (accuracies[first] - accuracies[best]):.1f} points from the best, {' '.join(map(str, best))}"
    lines.append(f"predicted first: {' '.join(map(str, first))}, place {places[first]:g} of {len(mean)}, {behind}")
    return lines


GROUPINGS: tuple[tuple[str, Callable[[Setting], Any]], ...] = (
    ("strategies", lambda setting: setting[0]),
    ("frame counts", lambda setting: setting[2]),
)


def correlation(predicted: Sequence[float], found: Sequence[float]) -> str:
    """Spearman's with a 95 % interval (Bonett and Wright 2000) and a p by permuting (two-sided), as words.

    Items are taken for draws: settings that share a strategy are not quite, and the interval is too narrow then.
    """
    rho = float(spearmanr(predicted, found).statistic) if len(predicted) > 1 else float("nan")
    if isnan(rho):
        return f"no correlation: {len(predicted)} of them, or all alike"
    if len(predicted) < LEAST:
        return f"Spearman {rho:.2f}, of {len(predicted)}: too few for an interval"
    ends = spearman_interval(rho, len(predicted))
    interval = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
    tested = permutation_test(
        (predicted,), lambda one: spearmanr(one, found).statistic, permutation_type="pairings", n_resamples=2000,
        rng=SEED, vectorized=False,
    )  # fmt: skip
    return f"Spearman {rho:.2f}{interval}, p {tested.pvalue:.3f}, of {len(predicted)}"


def spearman_interval(rho: float, count: int) -> tuple[float, float] | None:
    """95 %, by Fisher's transformation with the standard error of Bonett and Wright (Psychometrika 65, 2000).

    None at 1 and -1, where it would have no width.
    """
    if abs(rho) > 1 - 1e-12:
        return None
    half = QUANTILE * sqrt((1 + rho**2 / 2) / (count - 3))
    return tanh(atanh(rho) - half), tanh(atanh(rho) + half)


def _accuracies(sweep: Path) -> dict[Setting, float]:
    """Of finished cells in full precision. At the fewest frames all strategies are one, which stands there once."""
    cells = _cells(sweep)
    base = analysis("pairs").baseline(cells)
    if base is None:
        raise BadInput(f"{sweep} has no finished cell without scaling in full precision, which is the baseline")
    found = {}
    for cell in cells:
        if cell.status == "done" and cell.kv_quant == "none" and (cell is base or cell.frames > base.frames):
            found[cell.strategy, cell.rearranger, cell.frames] = cell.metrics["accuracy"]
            seeds = [{run.seeds for run in one.runs} for one in (base, cell)]
            if seeds[0] != seeds[1]:
                counts = " and ".join(f"{one.name} of {len(own)}" for one, own in zip((base, cell), seeds, strict=True))
                raise BadInput(f"{sweep}: cells are ranked by means over the same seeds, got {counts} finished")
    return found


def _cells(sweep: Path) -> list:
    cells = analysis("runs").read_sweep(sweep)
    analysis("consistency").refuse_mixed(cells)
    return analysis("seeds").over_seeds(cells)


def _origin(sweep: Path) -> dict[str, Any]:
    """Who a sweep is by, as the prediction states it."""
    done = [cell for cell in _cells(sweep) if cell.status == "done"]
    return {
        "sweep": sweep.resolve().name,
        "model": done[0].model,
        "data": done[0].data,
        "questions": done[0].metrics["questions"],
        "cells": len(done),
    }


def _places(accuracies: Sequence[float]) -> list[float]:
    """1 for the highest; those alike share the mean of their places."""
    return rankdata([-one for one in accuracies]).tolist()


def _row(setting: Setting, mean: Mapping[Setting, float], accuracies: Sequence[float]) -> dict[str, Any]:
    named = dict(zip(("rope_strategy", "rearranger", "frames"), setting, strict=True))
    return named | {"mean_place": mean[setting], "accuracies": accuracies}


def _means(places: Mapping[Setting, float], key: Callable[[Setting], Any]) -> dict[Any, float]:
    """Mean place over the settings of each value of the key."""
    found: dict[Any, list[float]] = {}
    for setting, place in places.items():
        found.setdefault(key(setting), []).append(place)
    return {value: fmean(own) for value, own in found.items()}


def _grouped(mean: Mapping[Setting, float], key: Callable[[Setting], Any]) -> list[list]:
    return sorted(([value, place] for value, place in _means(mean, key).items()), key=lambda one: one[1])


def _digest(content: Mapping[str, Any]) -> str:
    """Of everything but the hash itself, whatever the file's spaces and order of keys."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{file} is no prediction: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict) or not content.keys() >= KEYS:
        raise BadInput(f"{file} is no prediction: it lacks {', '.join(sorted(KEYS - set(content)))}")
    if content["sha256"] != (found := _digest(content)):
        raise BadInput(f"{file} states sha256 {content['sha256']} and its content has {found}: it was changed since")
    if content["schema"] != SCHEMA:
        raise BadInput(f"{file} has schema {content['schema']}, this version reads {SCHEMA}")
    return content


def _stored(content: Mapping[str, Any]) -> dict[Setting, float]:
    return dict(_stored_rows(content["settings"]))


def _stored_rows(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Setting, float]]:
    for row in rows:
        yield (row["rope_strategy"], row["rearranger"], row["frames"]), row["mean_place"]


if __name__ == "__main__":
    main()
