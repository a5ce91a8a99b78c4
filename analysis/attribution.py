"""Attribution: which of a few settings a loss beyond the trained number of frames goes back to, and which interact.

    python -m analysis.attribution runs/plateau rope_strategy.delta=0.125 rearranger=strided video.repeat=8

The sweep holds all combinations of settings that have two values each; named are those that bring something back to
what the model was trained on. A setting's share of the loss is its gain averaged over all orders of adding one by one
(Shapley 1953): shares sum to what all of them bring back together, and *left* is what then still lacks to the baseline,
the fewest frames without any of them. Writes attribution.md and attribution.csv into the sweep's folder.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from intpv.errors import BadInput
from intpv.escape import printable
from intpv.metrics.factorial import alone_weights, interaction_weights, last_weights, shapley_weights

from .consistency import refuse_mixed
from .effects import Columns, Effect, setting_of, split_setting
from .page_and_table import write_page_and_table
from .provenance import provenance_lines
from .runs import Cell, read_sweep, say
from .score_columns import regimes
from .table import markdown_table

LEGEND = (
    "Points of accuracy [95 % interval, bootstrap over videos] {each training}, the same questions in every cell. "
    "alone: gained by a setting where no other is set; last: where all others are; share: mean over all orders of "
    "setting one by one (Shapley), which sum to what all bring back; of the loss: that share in %. left: baseline "
    "minus all set."
)


@dataclass(frozen=True)
class Attribution:
    """Of one number of frames and one regime."""

    frames: int
    regime: str
    videos: int
    settings: Mapping[str, Mapping[str, Effect]]  # setting -> alone | last | share -> figure
    interactions: Mapping[str, Effect]  # "one x other"
    accuracies: Mapping[str, float]  # baseline, none set, all set; 0 to 1
    loss: Effect | None  # baseline minus none set; None without a baseline
    left: Effect | None  # baseline minus all set


def attributions(cells: Sequence[Cell], settings: Sequence[str]) -> list[Attribution]:
    """For every number of frames beyond the fewest, or the only one, and every regime.

    Raises BadInput where a combination is missing, a cell differs in something else, or questions are not the same.
    """
    keys = [split_setting(setting) for setting in settings]
    if not keys:
        raise BadInput("name the settings that bring something back: KEY=VALUE ...")
    done = [cell for cell in cells if cell.status == "done"]
    refuse_mixed(done)
    found = _by_place(done, keys)
    lengths = sorted({frames for frames, _ in found})
    base = found.get((lengths[0], 0)) if len(lengths) > 1 else None
    if len(lengths) > 1 and base is None:
        raise BadInput(f"no finished cell of {lengths[0]} frames with none of {', '.join(settings)}: the baseline")
    result = []
    for frames, regime in product(lengths[1:] or lengths, regimes(done)):
        places = range(2 ** len(keys))
        for place in (place for place in places if (frames, place) not in found):
            missing = [one for bit, one in enumerate(settings) if place >> bit & 1]
            raise BadInput(
                f"no finished cell of {frames} frames with {' '.join(missing) or 'none'} of the settings set"
            )
        result.append(_attribution(settings, frames, regime, [found[frames, place] for place in places], base))
    return result


def write_attribution(folder: str | Path, settings: Sequence[str]) -> list[Path]:
    """attribution.md and attribution.csv in the sweep's folder."""
    folder = Path(folder)
    cells = read_sweep(folder)
    found = attributions(cells, settings)
    head = f"# Attribution: {printable(folder.name)}\n\n{provenance_lines(folder, cells)}\n{LEGEND}\n"
    rows = [row for one in found for row in _rows(one)]
    return write_page_and_table(folder, "attribution", head + "".join(map(_page, found)), rows)


def _by_place(cells: Sequence[Cell], keys: Sequence[tuple[str, str]]) -> dict[tuple[int, int], list[Cell]]:
    """(frames, combination) -> its runs, of different seeds."""
    said = {cell.folder: {key: setting_of(cell, key) for key, _ in keys} for cell in cells}
    for key, value in keys:
        values = {one[key] for one in said.values()}
        if value not in values or len(values) != 2:
            raise BadInput(f"{key} must have two values in the sweep, one of them {value}; it has {sorted(values)}")
    found: dict[tuple[int, int], dict[tuple, Cell]] = {}
    for cell in cells:
        place = sum(1 << bit for bit, (key, value) in enumerate(keys) if said[cell.folder][key] == value)
        other = found.setdefault((cell.frames, place), {}).setdefault(cell.seeds, cell)
        if other is not cell:
            raise BadInput(
                f"{other.folder} and {cell.folder} differ in none of {', '.join(key for key, _ in keys)}: "
                "what is swept beside frames and seeds must be named, with two values each"
            )
    return {place: list(alike.values()) for place, alike in found.items()}


def _attribution(
    settings: Sequence[str], frames: int, regime: str, combinations: Sequence[list[Cell]], base: list[Cell] | None
) -> Attribution:
    """Scores are those of the combinations, and of the baseline behind them."""
    columns = Columns([*combinations, base or combinations[0]], regime)
    k, effect = len(settings), columns.effect
    weights = {"alone": alone_weights(k), "last": last_weights(k), "share": shapley_weights(k)}
    none_set, all_set, baseline = np.eye(2**k + 1)[[0, -2, -1]]
    accuracy = columns.accuracies
    return Attribution(
        frames,
        regime,
        len(columns.sums),
        {one: {name: effect(np.append(of[i], 0)) for name, of in weights.items()} for i, one in enumerate(settings)},
        {
            f"{settings[one]} x {settings[other]}": effect(np.append(of, 0))
            for (one, other), of in interaction_weights(k).items()
        },
        {"baseline": accuracy[-1], "none set": accuracy[0], "all set": accuracy[-2]},
        effect(baseline - none_set) if base else None,
        effect(baseline - all_set) if base else None,
    )


def _page(found: Attribution) -> str:
    shown = " ".join(f"{name} {100 * value:.1f}," for name, value in found.accuracies.items()).rstrip(",")
    title = f"{found.frames} frames {found.regime}".strip()
    names = ("alone", "last", "share")
    rows = [
        [one, *(str(of[name]) for name in names), _of_loss(of["share"], found.loss)]
        for one, of in found.settings.items()
    ]
    if found.loss and found.left:
        rows.append(["left", "", "", str(found.left), _of_loss(found.left, found.loss)])
        rows.append(["loss", "", "", str(found.loss), ""])
    text = f"\n## {title}\n\nAccuracy in %: {shown}; {found.videos} videos.\n\n"
    text += markdown_table(["setting", *names, "of the loss"], rows)
    if found.interactions:
        lines = [[name, str(of)] for name, of in found.interactions.items()]
        text += "\n" + markdown_table(["interaction", "more gained where both are set"], lines)
    return text


def _of_loss(part: Effect, loss: Effect | None) -> str:
    """In %; nothing where the loss is not told from 0."""
    if loss is None or loss.low is None or loss.low <= 0:
        return ""
    return f"{100 * part.value / loss.value:.0f}"


def _rows(found: Attribution) -> Iterator[dict[str, object]]:
    figures = [(one, name, of) for one, by_name in found.settings.items() for name, of in by_name.items()]
    figures += [(name, "interaction", of) for name, of in found.interactions.items()]
    figures += [("", name, of) for name, of in (("left", found.left), ("loss", found.loss)) if of]
    for setting, name, of in figures:
        place = {"frames": found.frames, "regime": found.regime, "setting": setting, "figure": name}
        yield {**place, **of.row}


def main() -> int:
    if len(sys.argv) < 3:
        print("usage: python -m analysis.attribution runs/<sweep> KEY=VALUE ...", file=sys.stderr)
        return 2
    return say(lambda: write_attribution(sys.argv[1], sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
