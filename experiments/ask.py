"""Ask any video file: python -m experiments.ask clip.mp4 "Did red flash?" "How many flashes were there?" -o frames=32

One watch, all questions; where one is too long the others are answered, and the exit code is 1. `-o group=option`
changes the configuration as on evaluate's command line.
"""

import argparse
import sys
import time

from intpv.errors import BadInput
from intpv.escape import json_text, printable

from .run.command import command_line, read_command_line, run_config
from .run.messages import explained


def main() -> None:
    parser = command_line("ask", "Watch a video once and answer questions about it.")
    parser.add_argument("video")
    parser.add_argument("question", nargs="+")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="frames=32, ...")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--show", metavar="PNG", help="save the frames seen, with their times, as one picture")
    with explained("ask"):
        arguments = read_command_line(parser, None)  # overrides are -o
        report = ask(arguments)
    print(json_text(report, indent=1) if arguments.json else as_text(report))
    if any("error" in one for one in report["answers"]):
        sys.exit(1)


def ask(arguments: argparse.Namespace) -> dict:
    """Everything there is to say about the answers, as plain data."""
    config, choices = run_config(arguments.override, arguments.cfg)

    from hydra.utils import instantiate

    from intpv.model.loading.generation import in_words, not_followed
    from intpv.timing import wait_for

    from .run import build
    from .run.quiet import quiet
    from .run.threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    video = instantiate(config["video"]).read(arguments.video, config["frames"])
    video_llm = build.video_llm(config)
    devices = video_llm.model.devices
    wait_for(*devices)
    started = time.perf_counter()
    context = video_llm.watch(video.frames, video.timestamps, arguments.video)
    wait_for(*devices)
    watched = time.perf_counter()
    told = video_llm.ask_each(context, arguments.question)
    asked = time.perf_counter()
    refused = [answer for answer in told if isinstance(answer, str)]
    if len(refused) == len(told):
        raise BadInput(refused[0])
    if arguments.show:
        from intpv.video.strip import save_strip

        save_strip(video.frames, video.indices, video.timestamps, arguments.show)
    return {
        "video": arguments.video,
        "model": video_llm.model.name,
        "about_the_model": video_llm.model.about,
        "frames": {"indices": list(video.indices), "seconds": [round(float(t), 3) for t in video.timestamps]},
        "rope": {"strategy": choices["rope_strategy"], "factor": context.factor},
        "kv": {
            "option": choices["kv_quant"],
            "bytes": context.packed.ledger()["total"],
            "full_precision_bytes": context.packed.full_precision_bytes,
        },
        "generation_not_followed": in_words(not_followed(video_llm.model.llm)),
        "time": {"watch_s": round(watched - started, 4), "ask_s": round(asked - watched, 4)},
        "answers": [
            {"question": question, "error": answer}
            if isinstance(answer, str)
            else {"question": question, "answer": answer.text, "confidence": round(answer.confidence, 4)}
            for question, answer in zip(arguments.question, told, strict=True)
        ],
    }


def as_text(report: dict) -> str:
    """The same for reading."""
    kv, seconds = report["kv"], report["frames"]["seconds"]
    lines = [
        f"not asked: {one['error']}"
        if "error" in one
        else printable(f"{one['question']}  {one['answer']}  ({one['confidence']:.0%} sure)")
        for one in report["answers"]
    ]
    lines += [
        "",
        f"{len(seconds)} frames of {printable(report['video'])} at {', '.join(f'{t:.1f}' for t in seconds)} s",
        f"RoPE {report['rope']['strategy']}, factor {report['rope']['factor']:g}; "
        f"KV {kv['option']}, {kv['bytes']:,} bytes, {kv['bytes'] / kv['full_precision_bytes']:.1%} of full precision",
        f"watched in {report['time']['watch_s']:.3f} s, asked in {report['time']['ask_s']:.3f} s",
    ]
    if asked := report["generation_not_followed"]:
        lines.append(f"the checkpoint asks for {asked}: not followed, answers are greedy")
    return "\n".join([*lines, *(["", report["about_the_model"]] if report["about_the_model"] else [])])


if __name__ == "__main__":
    main()
