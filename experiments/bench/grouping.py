"""Measure what grouping and reordering cost: python -m experiments.bench grouping [rounds=5] [frames=8,16,32,64,128]

The paper leaves this open. Frames of the 7B's tower (3 x 224 x 224, float32) split into groups and its tokens (257 x
4096 a frame, bfloat16) merged back into the order of time, by each rearranger of conf/rearranger in turn with
`strided`, and that in turn with one block of the tower: a video's tower is m x 23 of them. Beside it the same merge at
the tower's own width, 1024, before the projector. The share of prefill is by FLOPs, at the block's rate. One core.
"""

from pathlib import Path

import torch
from hydra.utils import instantiate

from intpv.bounds import check_whole
from intpv.cost import closed_form
from intpv.cost.grouping import Block, Regroup
from intpv.cost.shape import SHAPES, Shape
from intpv.escape import markdown_table
from intpv.rearranger.group_length import check_frames
from intpv.rearranger.rearranger import Rearranger

from ..run.command import own_config, unchecked
from ..run.messages import explained
from ..run.options import options_of
from ..run.provenance import line, provenance, write_result
from ..run.threads import set_threads
from .timing import alternate

PAPER = "strided"
DEFAULTS = {"rounds": 5, "frames": [8, 16, 32, 64, 128], "threads": 1, "device": "cpu"}
OUT = "analysis/results/bench_grouping.json"


@torch.inference_mode()
def main() -> None:
    with explained("bench grouping"):
        options = own_config("bench grouping", __doc__, {**DEFAULTS, "out": OUT})
        for count in options.frames:
            check_whole("frames", count)
            check_frames(count, SHAPES["video_llava_7b"].group)
        set_threads(options.threads)
    frames = list(options.frames)
    result = {"what": "Measure what grouping and reordering cost", "provenance": provenance()}
    result |= bench(SHAPES["video_llava_7b"], frames, options.rounds, torch.device(options.device))
    table = as_table(write_result(options.out, result))
    Path(options.out).with_suffix(".md").write_text(table)
    print(table)


def bench(shape: Shape, frames: list[int], rounds: int, device: torch.device) -> dict:
    """A row per number of frames; the block's seconds stand in each, so that another process' load shows."""
    block = Block(shape, device)
    block()  # warm
    known = rearrangers()
    rows = [_row(shape, count, block, known, rounds) for count in frames]
    return {"rounds": rounds, "threads": torch.get_num_threads(), "device": str(device), "rows": rows}


def rearrangers() -> dict[str, Rearranger]:
    """Every option of conf/rearranger."""
    found = {name: unchecked([f"rearranger={name}"])[0]["rearranger"] for name in options_of("rearranger")}
    return {name: instantiate(config) for name, config in found.items()}


def _row(shape: Shape, frames: int, block: Block, known: dict[str, Rearranger], rounds: int) -> dict:
    """Seconds, and the shares of the paper's own rearranger."""
    strided = Regroup(shape, frames, known[PAPER], block.device)
    strided()  # warm
    beside = alternate(strided, block, rounds)
    blocks = shape.groups(frames) * closed_form.tower_flops(shape) / block.flops
    prefill = closed_form.prefill_flops(shape, frames * shape.tokens_per_frame) / block.flops
    merges = alternate(strided.merge_narrow, strided.merge_wide, rounds)
    return {
        "frames": frames,
        "block_s": beside["theirs_s"],
        "share_of_tower": _share(beside["ratio"], blocks),
        "share_of_prefill_by_flops": _share(beside["ratio"], prefill),
        "merge_s": merges["theirs_s"],
        "merge_before_projector_s": merges["ours_s"],
        "split_and_merge": {name: _beside(shape, frames, one, strided, rounds) for name, one in known.items()},
    }


def _beside(shape: Shape, frames: int, rearranger: Rearranger, strided: Regroup, rounds: int) -> dict:
    ours = Regroup(shape, frames, rearranger, strided.device)
    ours()
    found = alternate(ours, strided, rounds)
    return {"seconds": found["ours_s"], "strided_by_this": found["ratio"]}


def _share(ratio: dict, blocks: float) -> dict:
    """Of `blocks` blocks of the tower, from the ratio block / regrouping of each round."""
    inverse = {"median": "median", "min": "max", "max": "min"}
    return {name: 1 / (ratio[other] * blocks) for name, other in inverse.items()}


def as_table(found: dict) -> str:
    """Median and extremes over the rounds; every figure is in the JSON too."""
    heads = ["frames", f"{PAPER}, ms", "% of the tower", "% of prefill by FLOPs", "others, ms (median)"]
    rows = markdown_table(heads, [_cells(row) for row in found["rows"]])
    about = f"{found['what']}: frames of the 7B's tower, {found['rounds']} rounds, median [least, most]"
    return "\n".join(["# bench grouping", "", about, "", line(found["provenance"]), "", rows])


def _cells(row: dict) -> list[str]:
    known = row["split_and_merge"]
    others = ", ".join(f"{name} {1e3 * one['seconds']['median']:.1f}" for name, one in known.items() if name != PAPER)
    shares = [_spread(row[name], 100, 4) for name in ("share_of_tower", "share_of_prefill_by_flops")]
    return [str(row["frames"]), _spread(known[PAPER]["seconds"], 1e3, 1), *shares, others]


def _spread(found: dict, unit: float, digits: int) -> str:
    middle, least, most = (f"{unit * found[name]:.{digits}f}" for name in ("median", "min", "max"))
    return f"{middle} [{least}, {most}]"


if __name__ == "__main__":
    main()
