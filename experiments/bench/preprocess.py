"""Measure what preprocessing costs beside decoding: python -m experiments.bench preprocess [rounds=5] [out=...]

32 frames of a 480p clip of its own (854 x 480, H.264, 20 s, a keyframe every 2 s), decoded as a run does it without the
child process, and fitted and normalised for every published model; one thread, in turn. The second clip has keyframes
alone, which is the least that decoding can cost. Under 2 minutes.
"""

import tempfile
from functools import partial
from pathlib import Path

import av
import numpy as np
from omegaconf import OmegaConf

from intpv.preprocess.clip import Preprocess
from intpv.preprocess.qwen2_5_vl import Smart
from intpv.preprocess.qwen3_vl import SmartVolume
from intpv.preprocess.siglip import Square
from intpv.preprocess.video_llava import TensorCrop
from intpv.video.reader import decode
from intpv.video.sampling import Sampler

from ..run.command import own_config
from ..run.messages import explained
from ..run.provenance import provenance, write_result
from ..run.threads import set_threads
from .timing import alternate

FRAMES, WIDTH, HEIGHT, FPS, SECONDS = 32, 854, 480, 25, 20
CLIPS = {"keyframe_every_2_s": "50", "keyframes_alone": "1"}
LIMIT = 1.2  # times decoding
MODELS = {
    "video_llava_7b": TensorCrop(),
    "video_llava_7b_hf": Preprocess(resize="bicubic"),
    "llava_next_video_7b": Preprocess(size=336, resize="bicubic"),
    "llava_onevision_7b": Square(),
    "qwen2_5_vl_7b": Smart(),
    "qwen3_vl_8b": SmartVolume(),
}


def main() -> None:
    defaults = {"rounds": 5, "out": "analysis/results/bench_preprocess.json"}
    with explained("bench preprocess"):
        options = own_config("bench preprocess", __doc__, defaults)
    set_threads(1)
    result = {
        "what": "Measure what preprocessing costs beside decoding",
        "provenance": provenance(),
        "frames": FRAMES,
        "limit": LIMIT,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, gap in CLIPS.items():
            path = film(Path(folder) / f"{name}.mp4", gap)
            result[name] = {model: timed(path, model, options.rounds) for model in MODELS}
    write_result(options.out, result)
    print(OmegaConf.to_yaml(result))


def timed(path: Path, model: str, rounds: int) -> dict:
    """Seconds of preprocessing and of decoding, and how many times decoding it takes."""
    read = partial(decode, str(path), FRAMES, Sampler())
    frames = read().frames
    MODELS[model](frames)  # warm
    times = alternate(lambda: MODELS[model](frames), read, rounds)
    ratio = times["ratio"]
    share = {"median": 1 / ratio["median"], "min": 1 / ratio["max"], "max": 1 / ratio["min"]}
    shape = list(MODELS[model].fit(frames).shape[-2:])
    return {"size": shape, "preprocess_s": times["ours_s"], "decode_s": times["theirs_s"], "times_decoding": share}


def film(path: Path, gap: str) -> Path:
    """Drifting waves under a little noise: neither still nor impossible to compress."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    noise = rng.normal(0, 4, (8, HEIGHT, WIDTH, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": gap, "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for step in range(FPS * SECONDS):
            wave = 128 + 90 * np.sin((x + 3 * step) / 37) * np.cos((y - 2 * step) / 29)
            picture = (wave[..., None] + noise[step % 8]).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
