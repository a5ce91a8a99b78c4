"""Calibrating: watch clips that no test has, and stream statistics of the keys and values that they leave."""

import torch

from intpv.data.benchmark import Benchmark
from intpv.data.item_check import check_items
from intpv.errors import BadInput
from intpv.inference.viewing import Clips, Viewer
from intpv.kv_quant.calibration import Calibration, Stream


@torch.inference_mode()
def calibrate(viewer: Viewer, benchmark: Benchmark, videos: int, bins: int, sinks: int) -> Calibration:
    """Over `videos` clips of the benchmark's calibration split; the first `sinks` tokens of each do not count.

    BadInput where that split is the benchmark's own, where a clip cannot be read, and where contexts differ in frames
    or in what rotated their keys: ranges of two factors are of neither.
    """
    if videos < 1 or bins < 2 or sinks < 0:
        raise BadInput(f"calibration needs videos >= 1, bins >= 2 and sinks >= 0, got {videos}, {bins} and {sinks}")
    apart = split_apart(benchmark, videos, closed=False)
    video_llm, stream, origin = viewer.video_llm, Stream(bins, sinks), None
    for loaded in Clips(apart.items(), viewer, lambda item: not viewer.is_ready(item)):
        if loaded.error:
            raise BadInput(loaded.error)
        view = viewer.view(loaded.item, loaded.frames)
        prefill = video_llm.prefill(view.features, view.timestamps, loaded.item.id)
        here = video_llm.origin(prefill.rotation)
        if origin is not None and here != origin:
            both = (f"factor {one.factor:g} at {one.frames} frames" for one in (origin, here))
            raise BadInput(f"all clips must have one rotation and one length, got {' and '.join(both)}")
        origin = here
        if (angles := prefill.rotation.unrotation) is None:
            raise BadInput(
                "calibration needs one rotation of whole keys, this model's layers differ or pair channels otherwise"
            )
        stream.add(prefill.layers, angles)
    assert origin is not None  # check_items refuses a split without clips
    about = {"dataset": benchmark.name, "split": apart.split, "clips": str(videos), "sinks": str(sinks)}
    return Calibration(stream.statistics(), origin, about)


def split_apart(benchmark: Benchmark, videos: int, closed: bool) -> Benchmark:
    """The calibration split, its items checked; `closed`: its questions must have options. BadInput where it is the
    benchmark's own.
    """
    apart = benchmark.calibration(videos)
    if apart.split == benchmark.split:
        raise BadInput(f"calibration must not see the split {benchmark.split} of data={benchmark.name}, got it")
    check_items(apart.items(), benchmark.name, closed)
    return apart
