"""Measure RoPE strategies and packed prefixes on long text: python -m experiments.bench text [tokens=16384] [out=FILE]

A control without any video: SmolLM2-135M-Instruct alone (what `make smol` installs, or base=FOLDER of any Llama) reads
Python's own documentation far beyond its window. First, the loss of every 1024 positions under each strategy and
factor; then the loss of a continuation whose prefix was packed by each policy. A readable table is written beside
`out`. On two cores 90 seconds for each strategy, factor and stretch of 16,384 tokens; in part by sections=[...].
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import DynamicCache, PreTrainedModel

from intpv.bounds import check_whole
from intpv.errors import BadInput
from intpv.escape import markdown_table
from intpv.flipbook.adapter import stretches
from intpv.hf.attention import attending_to, placed, use
from intpv.hf.cache import QuestionCache, handed, layers_of
from intpv.hf.rotary import applied
from intpv.kv_quant.calibrated import DYNAMIC
from intpv.kv_quant.kv_quant import KVQuant
from intpv.layout import Layout, Span
from intpv.model.loading import smollm2_base
from intpv.model.loading.folder import read_folder
from intpv.options import homes, option
from intpv.rope_strategy.own_rope import own_rope
from intpv.rope_strategy.rotation import Rotation

from ..run.command import own_config
from ..run.messages import explained
from ..run.provenance import line, provenance, write_result

BIN = 1024  # positions
SECTIONS = ("positions", "prefix")
SAME = ("none",)  # at every factor
VISUAL = ("visual_only", "frame_step", "parallel_windows")  # change visual tokens alone, which text has none of
DEFAULTS = {
    "out": "analysis/results/bench_text.json",
    "sections": list(SECTIONS),
    "tokens": 16384,
    "stretches": 2,  # of text
    "strategies": ["none", "linear", "ntk", "yarn"],
    "factors": [2, 4],
    "prefix": 4096,  # tokens that are packed
    "continuation": 512,  # tokens that are scored after them
    "policies": ["none", "int8", "int4", "int2", "kivi", "best2"],
    "base": None,
    "cache_dir": "~/.cache/intpv/models",
}


@dataclass(frozen=True)
class TextReader:
    """A language model that reads text under one rotation, which counts all of it as scaled tokens."""

    llm: PreTrainedModel

    def rotation(self, strategy: str, factor: float, length: int) -> Rotation:
        """Over `length` tokens and what follows them; trained on the model's own window."""
        rotary, layout = self.llm.get_decoder().get_submodule("rotary_emb"), Layout((Span(length),))
        chosen = option("rope_strategy", strategy, **({} if strategy == "none" else {"factor": factor}))
        window = self.llm.config.get_text_config().max_position_embeddings
        return Rotation(chosen, layout, own_rope(rotary, window, layout.growing_axes, length), factor)

    def losses(self, ids: Int[Tensor, " S"], rotation: Rotation) -> Float[Tensor, " S-1"]:
        """Nats per token, each given all before it."""
        decoder, tokens = self.llm.get_decoder(), torch.arange(len(ids))
        rotated = applied(decoder.get_submodule("rotary_emb"), rotation, range(len(ids)))
        with use(decoder), rotated, placed(tokens, tokens):
            hidden = decoder(input_ids=ids[None], position_ids=tokens[None], use_cache=False)
        return self._score(hidden.last_hidden_state[0, :-1], ids[1:])

    def continued(self, ids: Int[Tensor, " S"], prefix: int, policies: list[str]) -> dict[str, Any]:
        """Nats per token of what follows the first `prefix` tokens, packed by each policy; bits per element beside."""
        decoder, rotation = self.llm.get_decoder(), self.rotation("none", 1.0, prefix)
        rotary, cache = decoder.get_submodule("rotary_emb"), DynamicCache()
        with applied(rotary, rotation, range(prefix)):
            decoder(input_ids=ids[None, :prefix], position_ids=torch.arange(prefix)[None], **handed(decoder, cache))
        found, places = {}, torch.arange(prefix, len(ids))
        for policy in policies:
            packed = option("kv_quant", policy).pack(layers_of(cache), rotation.layout, rotation.unrotation)
            with (
                applied(rotary, rotation, range(prefix, len(ids))),
                use(decoder),
                attending_to(packed),
                placed(places, places),
            ):
                hidden = decoder(
                    input_ids=ids[None, prefix:],
                    position_ids=places[None],
                    attention_mask=torch.ones(1, 1, len(places), len(places), dtype=torch.bool).tril(),
                    **handed(decoder, QuestionCache()),
                )
            loss = self._score(hidden.last_hidden_state[0, :-1], ids[prefix + 1 :])
            found[policy] = {"bits_per_element": packed.bits_per_element, "loss": loss}
        return found

    def _score(self, hidden: Float[Tensor, "n D"], targets: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """In portions: logits of all tokens would outgrow everything else."""
        head = self.llm.get_output_embeddings()
        parts = zip(hidden.split(BIN), targets.split(BIN), strict=True)
        return torch.cat([cross_entropy(head(part).float(), wanted, reduction="none") for part, wanted in parts])


@torch.inference_mode()
def main() -> None:
    with explained("bench text"):
        options = valid_options(
            cast(dict[str, Any], OmegaConf.to_container(own_config("bench text", __doc__, DEFAULTS)))
        )
        folder = smollm2_base.ready_base(options["base"], options["cache_dir"])
        llm, tokenizer = read_folder(folder, "LlamaForCausalLM", "float32", "cpu")
        text = stretches(tokenizer, held_out=None, length=options["tokens"])
        if len(text) < options["stretches"]:
            raise BadInput(f"there are {len(text)} stretches of {options['tokens']} tokens, got {options['stretches']}")
        found: dict[str, Any] = {
            "what": "Measure RoPE strategies and packed prefixes on long text: nats per token",
            "provenance": provenance(),
            "model": llm.config.name_or_path and Path(llm.config.name_or_path).name,
            "weights_sha256": smollm2_base.weights_sha256(folder),
            "window": llm.config.max_position_embeddings,
            "options": options,
        }
        measure(TextReader(llm), text[: options["stretches"]], options, found)
        print(Path(options["out"]).with_suffix(".md").read_text())


def valid_options(options: dict[str, Any]) -> dict[str, Any]:
    """BadInput for a section, a strategy, a policy or a size that there is not."""
    for name in ("tokens", "stretches", "prefix", "continuation"):
        check_whole(name, options[name])
    for name, known in (
        ("sections", SECTIONS),
        ("strategies", [one for one in homes("rope_strategy") if one not in VISUAL]),
        ("policies", homes("kv_quant")),
    ):
        if strange := [one for one in options[name] if one not in known]:
            raise BadInput(f"{name} must be some of {', '.join(sorted(known))}, got {strange[0]}")
    for policy in options["policies"]:
        made = option("kv_quant", policy)
        if isinstance(made, KVQuant) and (made.groups_frames or made.calibration != DYNAMIC):
            raise BadInput(f"policies must need neither frames nor ranges of another model, got {policy}")
    if (needed := options["prefix"] + options["continuation"]) > options["tokens"]:
        raise BadInput(f"prefix and continuation must fit into tokens={options['tokens']}, got {needed}")
    return options


def measure(reader: TextReader, text: Int[Tensor, "stretches S"], options: dict, found: dict) -> None:
    """Every part is written once it is there."""
    if "positions" in options["sections"]:
        found["positions"] = {}
        for strategy, factor in ways(options):
            rotation = reader.rotation(strategy, factor, text.shape[1])
            losses = torch.stack([reader.losses(ids, rotation) for ids in text])
            bins = [part.mean(1) for part in losses.split(BIN, 1)]
            found["positions"][f"{strategy} {factor:g}"] = {
                "loss": [float(part.mean()) for part in bins],
                "of_stretches": [part.tolist() for part in bins],
            }
            write(found, options["out"])
    if "prefix" in options["sections"]:
        runs = [
            reader.continued(ids[: options["prefix"] + options["continuation"]], options["prefix"], options["policies"])
            for ids in text
        ]
        exact = "none" if "none" in options["policies"] else None
        found["prefix"] = {}
        for policy in options["policies"]:
            loss = torch.stack([run[policy]["loss"] for run in runs])
            row = {"bits_per_element": runs[0][policy]["bits_per_element"], "loss": float(loss.mean())}
            if exact:
                row["beyond_none"] = [float((run[policy]["loss"] - run[exact]["loss"]).mean()) for run in runs]
            found["prefix"][policy] = row
        write(found, options["out"])


def ways(options: dict) -> Iterator[tuple[str, float]]:
    """Strategy and factor; one factor of those that leave text as it is."""
    for strategy in options["strategies"]:
        for factor in (1,) if strategy in SAME else options["factors"]:
            yield strategy, float(factor)


def write(found: dict, out: str) -> None:
    Path(out).with_suffix(".md").write_text(text_table(write_result(out, found)))


def text_table(found: dict) -> str:
    """The losses as tables; every figure is in the JSON too."""
    options = found["options"]
    lines = [
        "# RoPE strategies and packed prefixes on long text",
        "",
        f"{found['model']}, window {found['window']:,} positions; {options['stretches']} stretches of "
        f"{options['tokens']:,} tokens of Python's documentation. Nats per token, lower is better.",
        "",
        line(found["provenance"]),
    ]
    if "positions" in found:
        tokens = options["tokens"]  # all but the first are scored
        ends = [min(end, tokens) for end in range(BIN, tokens - 1 + BIN, BIN)]
        shown = [place for place, end in enumerate(ends) if (place + 1) % 2 == 0 or len(ends) < 8]
        losses = {name: row["loss"] for name, row in found["positions"].items()}
        table = markdown_table(
            ["strategy, factor", *(f"{ends[place]:,}" for place in shown)],
            [[name, *(f"{loss[place]:.2f}" for place in shown)] for name, loss in losses.items()],
        )
        lines += ["", "## Loss of 1,024 positions, ending at", "", table.rstrip()]
    if "prefix" in found:
        rows = []
        for name, row in found["prefix"].items():
            beyond = ", ".join(f"{value:+.3f}" for value in row.get("beyond_none", []))
            rows.append([name, f"{row['bits_per_element']:.2f}", f"{row['loss']:.3f}", beyond])
        table = markdown_table(["policy", "bits", "loss", "beyond full precision, by stretch"], rows)
        lines += ["", f"## Loss of {options['continuation'] - 1} tokens behind {options['prefix']:,} packed ones", ""]
        lines.append(table.rstrip())
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
