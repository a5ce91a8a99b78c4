"""Training of the mini model: tower on captions, decoder on text, then both on video, in one Lightning module."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from intpv.encoder.languagebind import LanguageBind
from intpv.model.mini import save
from intpv.model.model import MINI, Model

from .batch import Batch, pack
from .lesson import text_lesson, video_lesson
from .recipe import PROMPT_ROOM, QUESTIONS_ROOM, Geometry, Recipe
from .scene import TRAIN_STREAM
from .training_base import LessonTraining, share_of_peak
from .vocabulary import tokenizer, words


class Lessons:
    """The batch of a step, which depends on seed and step alone: text lessons in their steps, video in the others."""

    def __init__(self, recipe: Recipe, visual_length: int):
        self.recipe, self.visual_length, self.tokenizer = recipe, visual_length, tokenizer()

    def __call__(self, step: int) -> Batch:
        recipe = self.recipe
        drawn = [np.random.default_rng([TRAIN_STREAM, recipe.seed, step, i]) for i in range(recipe.batch)]
        if self._is_text(step):
            row = recipe.short if step < recipe.tower_steps + recipe.short_steps else recipe.window
            lessons = [text_lesson(rng, row - PROMPT_ROOM) for rng in drawn]
            steps = [float(rng.uniform(recipe.least_step, 1)) for rng in drawn]
        else:
            lessons, steps = [video_lesson(rng, recipe.filler) for rng in drawn], None
            row = 2 * self.visual_length
        # a length each for short text, text and video, so that compiling pays
        return pack(lessons, self.tokenizer, MINI, self.visual_length, row + QUESTIONS_ROOM, steps)

    def _is_text(self, step: int) -> bool:
        recipe = self.recipe
        if step < recipe.tower_steps + recipe.text_steps:
            return step >= recipe.tower_steps
        return step % recipe.replay == 0


ABOUT = (
    "The mini model knows flipbook clips and nothing else: flashes of the canvas (first, last, count, presence, order, "
    "in which eighth), the moving square (direction, faster or slower) and the light that changed the corners, asked "
    "in flipbook's own words. Its answers about any other video or in other words mean nothing."
)


class MiniTraining(LessonTraining):
    """Encoder and decoder learn together; the loss is the answers' cross entropy and the captions'."""

    def __init__(self, recipe: Recipe, geometry: Geometry | None = None):
        geometry = geometry or Geometry.of(recipe.window)
        torch.manual_seed(recipe.seed)
        special: dict[str, Any] = {"vocab_size": len(words()), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        llm = LlamaForCausalLM(LlamaConfig(**geometry.llm, **special))
        super().__init__(llm, LanguageBind(**geometry.encoder))
        self.recipe = recipe
        self.save_hyperparameters({"recipe": asdict(recipe), "geometry": asdict(geometry)})

    def training_step(self, batch: Batch, _) -> Tensor:
        tokens, captions = None, torch.zeros((), device=self.device)
        if batch.pictures is not None:
            tokens = self.encoder(self.clips(batch))
            captions = self.caption_loss(tokens, batch)
        if self.global_step < self.recipe.tower_steps:
            return captions
        return self.answer_loss(batch, self.embed(batch, tokens)) + self.recipe.caption_weight * captions

    def configure_optimizers(self):
        decay = [p for p in self.parameters() if p.ndim > 1]
        rest = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.recipe.learning_rate, betas=(0.9, 0.98))
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Share of the peak rate: for the tower alone, then for the rest, a linear warm-up and a cosine down to 2 %."""
        recipe = self.recipe
        begin, end = (0, recipe.tower_steps) if step < recipe.tower_steps else (recipe.tower_steps, recipe.steps)
        peak = recipe.tower_rate / recipe.learning_rate if begin < end == recipe.tower_steps else 1.0
        return peak * share_of_peak(step - begin, end - begin, recipe.warmup)

    def export(self, folder: Path, made_by: list[dict]) -> None:
        """Save as a checkpoint that intpv.model.mini loads; `made_by`: provenance of each part of the training."""
        model = Model("mini", self.llm, self.encoder, tokenizer(), MINI, self.preprocess, ABOUT)
        save(folder, model, {"recipe": asdict(self.recipe), "made_by": made_by})
