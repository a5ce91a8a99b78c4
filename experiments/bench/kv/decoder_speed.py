"""A whole decoder with random weights: attention of all layers alone, and the full decode step, by each method.

With CUDA graphs one step is captured and replayed: launches cost nothing then, and the cache stays where it is. Beside
each stands the bandwidth limit: the bytes that a step has to read (the held ones, and for the full step the weights)
over what a copy on this device moves per second.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from transformers import LlamaConfig, LlamaModel

from intpv.hf.cache import handed

from .allowance import Allowances
from .clock import bandwidth, beyond_held, check_rounds, interleaved, wait
from .layer_speed import Shape, held_by
from .methods import Method

LLAMA_7B = {"hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32, "num_hidden_layers": 32}
WARM = 3  # steps before a capture
STEPS_BESIDE = 3 * 2 + 2 * (2 * WARM + 1)  # what is decoded beside the counted rounds: first rounds, peak, captures


def decoder_speed(
    decoder: LlamaModel,
    frames: int,
    patches: int,
    methods: Mapping[str, Method],
    decodes: tuple[str, ...],
    rounds: int,
    allowances: Allowances,
) -> dict:
    """Per method and path, one after the other since together they do not fit: bytes, milliseconds, limits."""
    check_rounds(4 * rounds, STEPS_BESIDE)
    config, device = decoder.config, decoder.device
    heads, layers = config.num_key_value_heads or config.num_attention_heads, config.num_hidden_layers
    head_dim = config.head_dim or config.hidden_size // config.num_attention_heads
    shape = Shape(heads, head_dim, layers, decoder.dtype, device)
    specimen, token, copied = shape.specimen(frames, patches), shape.token(), bandwidth(device)
    ids = torch.zeros(1, 1, dtype=torch.long, device=device)
    position = torch.full((1, 1), specimen.layout.length, device=device)
    weights = sum(weight.nbytes for weight in decoder.layers.parameters())
    found = {}
    for name, method, one, row in held_by(specimen, methods, decodes, allowances):
        attention = lambda one=one: [one.step(layer, *token) for layer in range(layers)]  # noqa: E731
        step = lambda one=one: decoder(input_ids=ids, position_ids=position, **handed(decoder, one.past))  # noqa: E731
        runs: dict[str, Callable[[], object]] = {"attention": attention, "step": step}
        with allowances.spending(name, method.is_peer), one.around(decoder):
            beyond = beyond_held(attention, device)
            times = interleaved(runs, rounds, device)
            for run in runs:
                if device.type == "cuda":
                    times |= _replayed(f"{run} in a graph", runs[run], rounds, device)
            limits = {"attention": row["bytes"], "step": row["bytes"] + weights}
            found[name] = {**row, "beyond_held_bytes": beyond, "times": times}
            found[name]["limit_ms"] = {run: 1e3 * read / copied for run, read in limits.items()}
        del one, attention, step, runs  # before the next one is held: two do not fit
    notes = {"copy_bytes_per_s": copied, "weight_bytes": weights, "elements": specimen.elements}
    return {"frames": frames, "tokens": specimen.layout.length, **notes, "methods": found}


def random_decoder(shape: Mapping[str, Any], dtype: torch.dtype, device: torch.device) -> LlamaModel:
    """LlamaModel of that shape, without a head."""
    with torch.device(device):
        decoder = LlamaModel(LlamaConfig(vocab_size=1000, **shape))
        decoder.to(dtype).eval()  # type: ignore[arg-type]  # transformers' decorator hides that it is a method
        return decoder


def _replayed(name: str, run: Callable[[], object], rounds: int, device: torch.device) -> dict:
    """Milliseconds of a captured step, or why it cannot be captured."""
    try:
        replay = _capture(run, device)
    except Exception as error:
        wait(device)
        return {name: {"skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}}
    return interleaved({name: replay}, rounds, device)


def _capture(run: Callable[[], object], device: torch.device) -> Callable[[], None]:
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(WARM):
            run()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay
