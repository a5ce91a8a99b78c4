"""Measure what attention KL costs: python -m experiments.bench attention_kl [rounds=3] [out=FILE]

One layer of Llama-7B's shape, random weights, one core. Time: the whole local pass of 128 rows, their forward included,
against the layer's prefill of the same 8k tokens, in bfloat16 where the CPU has instructions for it, else in float32.
Memory, in bfloat16: the CPU allocator's own count, what operations use inside included, beyond what is held before
(weights, rows and both caches). Five minutes where the CPU computes in bfloat16, 25 where it emulates it.
"""

import json
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch.profiler import ProfilerActivity, profile
from transformers import DynamicCache, LlamaConfig, LlamaModel

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.passes import local
from intpv.attention_kl.subject import Subject
from intpv.hf.cache import handed, layers_of
from intpv.kv_quant.kv_quant import NoQuant
from intpv.layout import Layout, Span
from intpv.options import option

from ..run.command import own_config
from ..run.messages import explained
from ..run.provenance import provenance, write_result
from ..run.threads import set_threads
from .timing import alternate

SHAPE: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_hidden_layers": 1,
}
ROWS, FRAMES, TEXT = 128, 32, 32  # the rows are one question; text tokens before the video
LIMITS = {"share_of_prefill": 0.3, "bytes_beyond_caches": 128 * 2**20, "times_less_than_maps": 20}


@dataclass(frozen=True)
class Layer:
    """A layer that has watched `length` tokens: its prefix in full precision and in 4 bits."""

    decoder: LlamaModel
    length: int  # S, tokens

    def layout(self) -> Layout:
        per_frame = (self.length - TEXT) // FRAMES
        return Layout((Span(TEXT), *(Span(per_frame, float(second)) for second in range(FRAMES))))

    def prefill(self) -> DynamicCache:
        cache = DynamicCache()
        ids = torch.arange(self.length)[None] % self.decoder.config.vocab_size
        self.decoder(input_ids=ids, **handed(self.decoder, cache))
        return cache

    def local_pass(self, cache: DynamicCache) -> Callable[[], object]:
        """KL from the full-precision prefix to the 4-bit one, for all rows; both are held by what is returned."""
        layers, layout = layers_of(cache), self.layout()
        packed = option("kv_quant", "int4").pack(layers, layout, None)
        dense = NoQuant().pack(layers, layout, None)
        reference = Subject(self.decoder, dense, KeyGroups.of(layout), self.length)
        rows = [torch.arange(ROWS)]
        return lambda: local(reference, packed, rows)

    def maps(self, rows: int, cache: DynamicCache | None = None) -> object:
        """What transformers offers instead: one model's attention to every key, for every row."""
        self.decoder.set_attn_implementation("eager")
        try:
            return self.decoder(
                input_ids=torch.arange(rows)[None] % self.decoder.config.vocab_size,
                **handed(self.decoder, cache),
                use_cache=cache is not None,
                output_attentions=True,
            ).attentions
        finally:
            self.decoder.set_attn_implementation("sdpa")


@torch.inference_mode()
def main() -> None:
    with explained("bench attention_kl"):
        options = own_config("bench attention_kl", __doc__, {"rounds": 3, "out": "analysis/results/bench_kl.json"})
    set_threads(1)
    # without instructions for bfloat16 a prefill takes ten times as long, and any share of it would look small
    dtype = torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
    decoder = LlamaModel(LlamaConfig(vocab_size=1000, **SHAPE))
    decoder.to(dtype).eval()  # type: ignore[arg-type]  # transformers' decorator hides that it is a method
    result = {"what": "Measure what attention KL costs", "provenance": provenance(), "rows": ROWS, "limits": LIMITS}
    result |= {"dtype_of_times": str(dtype).removeprefix("torch."), "dtype_of_bytes": "bfloat16"}
    result |= {"at_8k": at_8k(Layer(decoder, 8192 + TEXT), options.rounds), "at_4k": at_4k(Layer(decoder, 4096 + TEXT))}
    write_result(options.out, result)
    print(OmegaConf.to_yaml(result))


def at_8k(layer: Layer, rounds: int) -> dict:
    """Time against prefill, bytes beyond the two caches."""
    cache = layer.prefill()
    measure = layer.local_pass(cache)
    measure()  # warm
    times = alternate(measure, layer.prefill, rounds)
    share = {"median": 1 / times["ratio"]["median"], "min": 1 / times["ratio"]["max"], "max": 1 / times["ratio"]["min"]}
    names = {"pass_s": times["ours_s"], "prefill_s": times["theirs_s"], "share_of_prefill": share}
    layer, cache = in_bfloat16(layer, cache)
    return {"tokens": layer.length, **names, "bytes_beyond_caches": peak_bytes(layer.local_pass(cache))}


def at_4k(layer: Layer) -> dict:
    """Peak memory against output_attentions=True, which KL needs of two models; here it is one's."""
    layer, cache = in_bfloat16(layer, layer.prefill())
    ours, maps = peak_bytes(layer.local_pass(cache)), peak_bytes(lambda: layer.maps(layer.length))
    rows = peak_bytes(lambda: layer.maps(ROWS, cache))  # the last to run: it appends to the cache
    names = {"bytes_beyond_caches": ours, "bytes_of_maps": maps, "bytes_of_maps_of_these_rows": rows}
    return {"tokens": layer.length, **names, "times_less_than_maps": maps / ours}


def in_bfloat16(layer: Layer, cache: DynamicCache) -> tuple[Layer, DynamicCache]:
    """Copies of both, for their bytes."""
    held = DynamicCache()
    for index, (keys, values) in enumerate(layers_of(cache)):
        held.update(keys[None].to(torch.bfloat16), values[None].to(torch.bfloat16), index)
    decoder = deepcopy(layer.decoder)
    decoder.to(torch.bfloat16)  # type: ignore[arg-type]  # as above
    return Layer(decoder, layer.length), held


def peak_bytes(run: Callable[[], object]) -> int:
    """The most that was allocated at once while it ran, beyond what was there before.

    What it frees of that is not seen and would make the figure larger, never smaller.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        run()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        watched.export_chrome_trace(str(trace))
        events = [event for event in json.loads(trace.read_text())["traceEvents"] if event["name"] == "[memory]"]
    counts = [event["args"] for event in sorted(events, key=lambda event: event["ts"])]
    before = counts[0]["Total Allocated"] - counts[0]["Bytes"]
    return max(count["Total Allocated"] for count in counts) - before


if __name__ == "__main__":
    main()
