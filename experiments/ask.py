"""Ask any video file: python -m experiments.ask clip.mp4 "Did red flash?" "How many flashes were there?" -o frames=32

One watch, all questions. `-o group=option` changes the configuration as on evaluate's command line.
"""

import argparse
import json
import time

from .command_line import CONF, explained, without_null
from .naming import check, register_resolvers, without_hydra


def main() -> None:
    parser = argparse.ArgumentParser(prog="ask", description="Watch a video once and answer questions about it.")
    parser.add_argument("video")
    parser.add_argument("question", nargs="+")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="frames=32, ...")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--show", metavar="PNG", help="save the frames seen as one picture")
    arguments = parser.parse_args()
    with explained("ask"):
        report = ask(arguments)
    print(json.dumps(report, indent=1, ensure_ascii=False) if arguments.json else as_text(report))


def ask(arguments: argparse.Namespace) -> dict:
    """Everything there is to say about the answers, as plain data."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    register_resolvers(__package__)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", without_null(arguments.override), return_hydra_config=True)
        choices = composed.hydra.runtime.choices
        config = OmegaConf.to_container(without_hydra(composed), resolve=True)
    check(config)

    from hydra.utils import instantiate

    from . import build
    from .quiet import quiet
    from .threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    video = instantiate(config["video"]).read(arguments.video, config["frames"])
    video_llm = build.video_llm(config)
    started = time.perf_counter()
    context = video_llm.watch(video.frames, video.timestamps, arguments.video)
    watched = time.perf_counter()
    answers = video_llm.ask(context, arguments.question)
    asked = time.perf_counter()
    if arguments.show:
        from intpv.video.strip import save_strip

        save_strip(video.frames, arguments.show)
    return {
        "video": arguments.video,
        "model": video_llm.model.name,
        "about_the_model": video_llm.model.about,
        "frames": {"indices": list(video.indices), "seconds": [round(float(t), 3) for t in video.timestamps]},
        "rope": {"strategy": choices.rope_strategy, "factor": context.factor},
        "kv": {
            "option": choices.kv_quant,
            "bytes": context.packed.ledger()["total"],
            "full_precision_bytes": context.packed.full_precision_bytes,
        },
        "time": {"watch_s": round(watched - started, 4), "ask_s": round(asked - watched, 4)},
        "answers": [
            {"question": question, "answer": answer.text, "confidence": round(answer.confidence, 4)}
            for question, answer in zip(arguments.question, answers, strict=True)
        ],
    }


def as_text(report: dict) -> str:
    """The same for reading."""
    kv, seconds = report["kv"], report["frames"]["seconds"]
    lines = [f"{one['question']}  {one['answer']}  ({one['confidence']:.0%} sure)" for one in report["answers"]]
    lines += [
        "",
        f"{len(seconds)} frames of {report['video']} at {', '.join(f'{t:.1f}' for t in seconds)} s",
        f"RoPE {report['rope']['strategy']}, factor {report['rope']['factor']:g}; "
        f"KV {kv['option']}, {kv['bytes']:,} bytes, {kv['bytes'] / kv['full_precision_bytes']:.1%} of full precision",
        f"watched in {report['time']['watch_s']:.3f} s, asked in {report['time']['ask_s']:.3f} s",
    ]
    return "\n".join([*lines, *(["", report["about_the_model"]] if report["about_the_model"] else [])])


if __name__ == "__main__":
    main()
