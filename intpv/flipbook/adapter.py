"""Adapter: a projector and LoRA (arXiv 2106.09685) that teach a pretrained language model flipbook's lessons.

First the projector alone: captions are read out of its tokens, and some tokens of each frame come to lie where the
language model's own words for what is seen lie. Without it the projector's tokens start at several times the words'
norm, and the language model learns late. Then LoRA learns with it: answers, captions, and plain text, which keeps what
the language model was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pydoc_data.topics import topics
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.encoder.languagebind import LanguageBind
from intpv.model.mini import save_around
from intpv.model.model import Model, Prompt
from intpv.shipped import shipped

from .batch import Batch, pack
from .lesson import video_lesson
from .lora_training import LoraTraining
from .recipe import AdapterRecipe, Geometry, plain_recipe
from .scene import COLORS, LIGHTS, TRAIN_STREAM
from .training_base import share_of_peak

PROMPT = Prompt("Video:", "\n", "{question}\n")
NOTHING = "dark"  # the word for a frame without a flash, and for one without a light
SAID_BY = {"color": slice(0, 3), "light": slice(3, 6)}  # a frame's tokens; all of them together tell best
SHARPNESS = 10.0  # nats by which a token's word is likelier than one further off by the embeddings' mean square
ABOUT = (
    "A small language model (SmolLM2-135M-Instruct) that saw flipbook clips of 8 frames and nothing else: flashes "
    "of the canvas (first, last, count, presence, order, in which eighth), the moving square (direction, faster or "
    "slower) and the light that changed the corners, asked in flipbook's words. Its answers about any other video or "
    "in other words mean nothing."
)


@dataclass(frozen=True)
class VideoLessons:
    """The batch of a step, which depends on seed and step alone."""

    recipe: AdapterRecipe
    tokenizer: PreTrainedTokenizerBase
    visual_length: int  # tokens

    def __call__(self, step: int) -> Batch:
        recipe = self.recipe
        size = recipe.align_batch if step < recipe.align_steps else recipe.batch
        drawn = [np.random.default_rng([TRAIN_STREAM, recipe.seed, step, i]) for i in range(size)]
        lessons = [video_lesson(rng, recipe.filler) for rng in drawn]
        return pack(lessons, self.tokenizer, PROMPT, self.visual_length, round_to=32)  # few lengths: compiling pays


class AdapterTraining(LoraTraining):
    """The tower is the mini's of the same seed, and stays as it is."""

    def __init__(
        self, recipe: AdapterRecipe, llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, base_sha256: str
    ):
        torch.manual_seed(recipe.seed)
        encoder = LanguageBind(**{**Geometry().encoder, "llm_width": llm.config.hidden_size})
        encoder.tower.load_state_dict(_tower(shipped("mini", recipe.seed)))
        super().__init__(llm, encoder, recipe.rank, recipe.alpha, recipe.targets, BASE)
        self.recipe, self.tokenizer, self.base_sha256 = recipe, tokenizer, base_sha256
        self.learning_rate = recipe.learning_rate
        encoder.tower.eval().requires_grad_(False)
        # not buffers: they are the base's, and no part of a checkpoint
        self.scale = float(self._base_words().square().mean())
        self.words = {kind: self._meant(names) for kind, names in (("color", COLORS), ("light", LIGHTS))}
        self.save_hyperparameters({"recipe": plain_recipe(recipe), "base_sha256": base_sha256})

    def training_step(self, batch: Batch, _) -> Tensor:
        recipe = self.recipe
        with torch.no_grad():
            features = self.encoder.features(self.clips(batch))
        tokens = self.encoder.project(features)
        beside = self.caption_loss(tokens, batch) + self._word_loss(tokens, batch)
        if self.global_step < recipe.align_steps:
            return beside
        loss = self.answer_loss(batch, self.embed(batch, tokens)) + recipe.beside_weight * beside
        if self.global_step % recipe.text_every == 0:
            loss = loss + recipe.text_weight * self._text_loss()
        return loss

    def _base_words(self) -> Float[Tensor, "vocabulary D"]:
        return cast(nn.Embedding, self.llm.get_input_embeddings()).weight.detach()

    def _meant(self, names: Sequence[str]) -> Float[Tensor, "words D"]:
        """The base's embeddings of NOTHING and of these words, as they stand inside a sentence."""
        table = self._base_words()
        ids = [self.tokenizer(f" {name}", add_special_tokens=False).input_ids for name in (NOTHING, *names)]
        return torch.stack([table[torch.tensor(one)].mean(0) for one in ids])

    def _word_loss(self, tokens: Float[Tensor, "B F P D"], batch: Batch) -> Float[Tensor, ""]:
        """How far a frame's tokens are from the words for its colour and its light, and how likely nearness makes these
        among all. Frames with something to see count as much as those without, of which there are four times as many:
        else all tokens come to mean the word for nothing."""
        assert batch.captions is not None
        lights = batch.captions[..., 1 : 1 + len(LIGHTS)]
        seen = {"color": batch.captions[..., 0].long(), "light": (lights.argmax(-1) + 1) * (lights.amax(-1) > 0)}
        losses = []
        for kind, ids in seen.items():
            said, words = tokens[:, :, SAID_BY[kind]], self.words[kind].to(tokens.device)
            ids = ids[..., None].expand(said.shape[:3])
            away = (said[..., None, :] - words).square().mean(-1) / self.scale  # (B, F, tokens, words)
            each = cross_entropy(-SHARPNESS * away.flatten(0, 2), ids.flatten(), reduction="none")
            each = each.view(ids.shape) + away.gather(-1, ids[..., None])[..., 0]
            losses += [each[part].mean() for part in (ids > 0, ids == 0) if part.any()]
        loss = torch.stack(losses).sum() / 2
        self.log("word_loss", loss.detach())
        return loss

    def _text_loss(self) -> Float[Tensor, ""]:
        """Of one stretch of text, another one each time."""
        ids = self._text[self.global_step // self.recipe.text_every % len(self._text)][None].to(self.device)
        logits = self.llm(ids, use_cache=False).logits.float()
        loss = cross_entropy(logits[0, :-1], ids[0, 1:])
        self.log("text_loss", loss.detach())
        return loss

    @cached_property
    def _text(self) -> Int[Tensor, "stretches length"]:
        return stretches(self.tokenizer, held_out=False, length=self.recipe.text_length)

    def rate(self, step: int) -> float:
        """For the projector alone, then for both, a linear warm-up and a cosine down to 2 %."""
        recipe = self.recipe
        begin, end = (0, recipe.align_steps) if step < recipe.align_steps else (recipe.align_steps, recipe.steps)
        return share_of_peak(step - begin, end - begin, recipe.warmup)

    def export(self, folder: Path, made_by: list[dict]) -> None:
        """Save as a folder that intpv.model.smollm2 loads; `made_by`: provenance of each part of the training."""
        perplexities = self.perplexities()
        self.save_lora(folder)
        model = Model("smollm2", self.llm, self.encoder, self.tokenizer, PROMPT, self.preprocess, ABOUT)
        about = {"recipe": plain_recipe(self.recipe), "base_sha256": self.base_sha256, "perplexity": perplexities}
        save_around(folder, model, {**about, "made_by": made_by})

    @torch.no_grad()
    def perplexities(self, most: int = 24) -> dict[str, float]:
        """Of `most` stretches of text that was kept out of the training: with the adapter, and of the base."""
        text = stretches(self.tokenizer, held_out=True, length=2 * self.recipe.text_length)
        text = text[:: max(1, len(text) // most)][:most].to(self.device)
        with self.without_lora():
            base = self._perplexity(text)
        return {"base": base, "adapter": self._perplexity(text)}

    def _perplexity(self, text: Int[Tensor, "stretches length"]) -> float:
        losses = [cross_entropy(self.llm(ids[None], use_cache=False).logits[0, :-1].float(), ids[1:]) for ids in text]
        return float(torch.stack(losses).mean().exp())


BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


def stretches(
    tokenizer: PreTrainedTokenizerBase, *, held_out: bool | None, length: int
) -> Int[Tensor, "stretches length"]:
    """Python's own documentation in pieces of `length` tokens. Every fourth of its topics is kept out of the training;
    `held_out` None takes all."""
    numbered = enumerate(sorted(topics.items()))
    kept = [text for number, (_, text) in numbered if held_out is None or (number % 4 == 3) == held_out]
    ids = tokenizer("\n\n".join(kept), add_special_tokens=False).input_ids
    return torch.tensor(ids[: len(ids) // length * length]).view(-1, length)


def _tower(folder: Path) -> dict[str, Tensor]:
    held = load_file(folder / "encoder/model.safetensors")
    return {key.removeprefix("tower."): value.float() for key, value in held.items() if key.startswith("tower.")}
