"""Training for a quantised KV cache: LoRA learns to answer beside a prefix as a policy will store it.

As at inference the prefix is prefilled in full precision, packed, and read back by the questions alone. Backwards the
rounding counts as nothing (the straight-through estimator, arXiv 1308.3432), so keys, values and queries learn to lie
where the policy's codes tell them apart.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div
from transformers import DynamicCache, PreTrainedTokenizerBase

from intpv.encoder.prefix_pieces import Words, first_words, layout_of, words
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.kv_quant.packed import Layers
from intpv.layout import Layout, Span
from intpv.model.model import Model, Prompt
from intpv.record.atomic import write_json

from .batch import IGNORE, Batch, pack
from .lesson import FRAMES, video_lesson
from .lora_training import LoraTraining
from .recipe import KVRecipe, plain_recipe
from .scene import TRAIN_STREAM
from .training_base import share_of_peak

ROUND_TO = 32  # tokens of a row: few lengths
TARGETS = ("answers", "self")


class VideoAlone:
    """The batch of a step: video lessons whose prefixes are equally long, for no words stand around the video."""

    def __init__(self, recipe: KVRecipe, tokenizer: PreTrainedTokenizerBase, prompt: Prompt, visual_length: int):
        self.recipe, self.tokenizer, self.prompt, self.visual_length = recipe, tokenizer, prompt, visual_length

    def __call__(self, step: int) -> Batch:
        recipe = self.recipe
        drawn = [np.random.default_rng([TRAIN_STREAM, recipe.seed, step, i]) for i in range(recipe.batch)]
        lessons = [video_lesson(rng, 0) for rng in drawn]
        return pack(lessons, self.tokenizer, self.prompt, self.visual_length, round_to=ROUND_TO)


class KVTraining(LoraTraining):
    """`model` is changed: LoRA stands in its decoder, and no other weight is trained."""

    def __init__(self, recipe: KVRecipe, model: Model, kv_quant: KVQuant | NoQuant):
        torch.manual_seed(recipe.seed)
        if recipe.target not in TARGETS:
            raise BadInput(f"target must be {' or '.join(TARGETS)}, got {recipe.target}")
        calibration = getattr(kv_quant, "calibration", "dynamic")
        if calibration != "dynamic":
            raise BadInput(
                f"kv_quant={recipe.kv_quant} has ranges of the model before training (kv_quant.calibration="
                f"{calibration}): train with ranges that are read off each prefix, calibration=dynamic"
            )
        super().__init__(model.llm, model.encoder, recipe.rank, recipe.alpha, recipe.targets, base=None)
        model.encoder.requires_grad_(False)
        self.readout.requires_grad_(False)  # no captions are learnt
        self.recipe, self.kv_quant, self.learning_rate = recipe, kv_quant, recipe.learning_rate
        self.tokenizer, self.prompt = model.tokenizer, model.prompt
        self.layout = prefix_layout(model)
        self.save_hyperparameters({"recipe": plain_recipe(recipe)})

    def training_step(self, batch: Batch, _) -> Tensor:
        with torch.no_grad():
            embeddings = self.embed(batch, self.encoder(self.clips(batch)))
        logits = self.answer_logits(batch, embeddings, self.kv_quant)
        self.count_right(batch, logits)
        if self.recipe.target == "self":
            with torch.no_grad(), self.without_lora():
                wanted = self.answer_logits(batch, embeddings, NoQuant()).log_softmax(-1)
            loss = kl_div(logits.log_softmax(-1), wanted, reduction="batchmean", log_target=True)
        else:
            loss = cross_entropy(logits, batch.targets[batch.targets != IGNORE])
        self.log("loss", loss.detach())
        return loss

    def answer_logits(
        self, batch: Batch, embeddings: Float[Tensor, "B S D"], kv_quant: KVQuant | NoQuant
    ) -> Float[Tensor, "targets vocabulary"]:
        """Of all answers' tokens, the questions reading what `kv_quant` leaves of the prefix."""
        start, decoder = self.layout.length, self.llm.model
        watched = decoder(
            inputs_embeds=embeddings[:, :start], position_ids=batch.positions[:, :start], use_cache=True
        ).past_key_values
        angles = batch.positions[0, :start, None] * decoder.rotary_emb.inv_freq
        cache = DynamicCache()
        for index, (keys, values) in enumerate(as_stored(_layers(watched), kv_quant, self.layout, angles)):
            cache.update(keys, values, index)
        hidden = decoder(
            inputs_embeds=embeddings[:, start:],
            attention_mask=batch.mask[:, :, start:],
            position_ids=batch.positions[:, start:],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self.llm.lm_head(hidden[batch.targets[:, start:] != IGNORE]).float()

    def rate(self, step: int) -> float:
        """A linear warm-up and a cosine down to 2 %."""
        return share_of_peak(step, self.recipe.steps, self.recipe.warmup)

    def export(self, folder: Path, made_by: list[dict]) -> None:
        """Save as a PEFT folder, as model.lora and model.tuned take it; `made_by`: provenance of each part."""
        self.save_lora(folder)
        write_json(folder / "intpv.json", {"recipe": plain_recipe(self.recipe), "made_by": made_by})


def prefix_layout(model: Model) -> Layout:
    """Of a lesson's prefix without words around its video."""
    before = (*first_words(model.tokenizer, "").ids, *words(model.tokenizer, model.prompt.before_video).ids)
    frames = [Span(model.encoder.tokens_per_frame, time=float(time)) for time in range(FRAMES)]
    return layout_of([Words(before), *frames, words(model.tokenizer, model.prompt.after_video)])


Batched = list[tuple[Float[Tensor, "B H_kv S d"], Float[Tensor, "B H_kv S d"]]]  # a pair for each layer


def as_stored(layers: Batched, kv_quant: KVQuant | NoQuant, layout: Layout, angles: Float[Tensor, "S half"]) -> Batched:
    """Keys (after rotation) and values as they come back from the policy's codes, each prefix of the batch packed by
    itself; their gradients are those of what went in.
    """
    rows = [
        _unpacked([(k[row].detach(), v[row].detach()) for k, v in layers], kv_quant, layout, angles)
        for row in range(len(layers[0][0]))
    ]
    stored = [[torch.stack(sides) for sides in zip(*pairs, strict=True)] for pairs in zip(*rows, strict=True)]
    return [
        (keys + (k - keys).detach(), values + (v - values).detach())
        for (keys, values), (k, v) in zip(layers, stored, strict=True)
    ]


def _unpacked(
    layers: Layers, kv_quant: KVQuant | NoQuant, layout: Layout, angles: Float[Tensor, "S half"]
) -> list[tuple[Tensor, Tensor]]:
    packed = kv_quant.pack(layers, layout, angles)
    pieces = [list(layer.blocks()) for layer in packed.layers]
    return [(torch.cat([k for k, _ in some], 1), torch.cat([v for _, v in some], 1)) for some in pieces]


def _layers(cache: DynamicCache) -> Batched:
    layers: list[Any] = cache.layers  # a decoder that mini is has no other kinds
    return [(layer.keys, layer.values) for layer in layers]
