"""Answering: watching and asking a random model by each policy, and transformers' generate on the same prefix.

One video of so many frames, QUESTIONS questions of about 40 tokens, STEPS tokens each: as many as a short answer has.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from intpv.attention_kl.attention_kl import AttentionKL
from intpv.cost.measured import look, prefilled
from intpv.cost.memory import counting
from intpv.hf.cache import handed
from intpv.options import option
from intpv.timing import laps
from intpv.video_llm.context import Prefill, VideoContext
from intpv.video_llm.video_llm import VideoLLM

from ..kv import clock
from ..timing import spread

QUESTION = " ".join(["did red flash ?"] * 10)
QUESTIONS, STEPS, GENERATED = 24, 8, 3  # GENERATED: questions that transformers answers, one after the other


def answer_times(video_llm: VideoLLM, frames: int, names: Sequence[str], rounds: int) -> dict:
    """Seconds of watching, packing and asking, peaks in bytes, and the seconds of `generate` for one question."""
    device = video_llm.device
    features, encode = timed(lambda: look(video_llm, frames), device, rounds)
    prefill, filling = timed(partial(prefilled, video_llm, features), device, rounds)
    del features
    found: dict[str, Any] = {"frames": frames, "tokens": prefill.layout.length}
    found |= {"encode_s": encode, "prefill_s": filling}
    said, found["generate"] = generated(video_llm, prefill, rounds)
    found["options"] = {}
    for name in names:
        one = replace(video_llm, kv_quant=option("kv_quant", name))
        found["options"][name] = times_of(one, prefill, said, rounds)
    return found


def times_of(video_llm: VideoLLM, prefill: Prefill, said: Sequence[int], rounds: int) -> dict:
    """By one policy. `said`: what transformers answers from the unquantised cache."""
    device, questions = video_llm.device, [QUESTION] * QUESTIONS
    ask: Callable[[VideoContext], list] = lambda context: video_llm.ask(context, questions, keep_logits=False)  # noqa: E731
    with counting(device) as packing:
        context = video_llm.pack(prefill)
    _, pack_s = timed(lambda: video_llm.pack(prefill), device, rounds)
    first_s, _ = clock.timed(lambda: ask(context), device)  # compiles whatever is compiled
    with counting(device) as asking:
        answers = ask(context)
    with laps() as taken:
        _, ask_s = timed(lambda: ask(context), device, rounds)
    tokens = answers[0].tokens
    return {
        "bytes": context.packed.ledger()["total"],
        "pack_s": pack_s,
        "ask_s": ask_s,
        "first_ask_s": first_s,
        "first_token_s": spread(taken["first_token"]),
        "next_token_s": spread(taken["next_token"]),
        "pack_peak_bytes": packing.peak,
        "ask_peak_bytes": asking.peak,
        "same_tokens": sum(a == b for a, b in zip(tokens, said, strict=False)) / len(said),
    }


def generated(video_llm: VideoLLM, prefill: Prefill, rounds: int) -> tuple[list[int], dict]:
    """Transformers' generate from its own cache of the same keys and values, cropped after each question."""
    model, device, length = video_llm.model, video_llm.device, prefill.layout.length
    words = model.tokenizer(model.prompt.question(QUESTION), add_special_tokens=False, return_tensors="pt").input_ids
    ids = torch.cat([torch.zeros(1, length, dtype=torch.long), words], 1).to(device)  # those of the prefix are not read
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(prefill.layers):
        cache.update(keys[None], values[None], layer)

    def one() -> Tensor:
        told = model.llm.generate(  # type: ignore[operator]  # to torch a module's attribute may be a tensor
            ids,
            **handed(model.decoder, cache),
            attention_mask=torch.ones_like(ids),
            max_new_tokens=STEPS,
            min_new_tokens=STEPS,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        cache.crop(length - cache.get_seq_length())
        return told

    with counting(device) as memory:
        one()
    told, seconds = timed(one, device, max(GENERATED, rounds))
    return told[0, ids.shape[1] :].tolist(), {"question_s": seconds, "peak_bytes": memory.peak}


def measuring(video_llm: VideoLLM, frames: int, name: str) -> dict:
    """Seconds of attention KL's four passes beside those of watching and asking."""
    device, questions = video_llm.device, [QUESTION] * QUESTIONS
    one = replace(video_llm, kv_quant=option("kv_quant", name))
    kl = AttentionKL()
    prefill, watch = timed(lambda: prefilled(one, look(one, frames)), device, 1)
    context = one.pack(prefill)
    _, ask = timed(lambda: one.ask(context, questions), device, 1)
    _, measure = timed(lambda: kl.measure(one, prefill, context, questions), device, 1)
    times = {"watch_s": watch["median"], "ask_s": ask["median"], "measure_s": measure["median"]}
    share = times["measure_s"] / (times["watch_s"] + times["ask_s"])
    return {"frames": frames, "option": name, **times, "times_watch_and_ask": share}


def timed(run: Callable[[], Any], device: torch.device, rounds: int) -> tuple[Any, dict]:
    """What it gives, and its seconds over the rounds; one more round, the first, is not counted."""
    result = run()
    return result, spread([clock.timed(run, device)[0] for _ in range(rounds)])
