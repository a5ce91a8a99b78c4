"""Training of the mini model: tower on captions, decoder on text, then both on video, in one Lightning module."""

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from intpv.encoder.languagebind import LanguageBind
from intpv.model.checkpoint import save
from intpv.model.model import Model
from intpv.model.prompt import MINI
from intpv.video.preprocess import Preprocess

from .batch import IGNORE, Batch
from .caption import caption_loss, readout
from .recipe import Geometry, Recipe
from .vocabulary import tokenizer, words

ABOUT = (
    "The mini model knows flipbook clips and nothing else: flashes of the canvas (first, last, count, presence, order, "
    "in which eighth), the moving square (direction, faster or slower) and the light that changed the corners, asked "
    "in flipbook's own words. Its answers about any other video or in other words mean nothing."
)


class MiniTraining(LightningModule):
    """Encoder and decoder learn together; the loss is the answers' cross entropy and the captions'."""

    def __init__(self, recipe: Recipe, geometry: Geometry | None = None):
        super().__init__()
        self.recipe, geometry = recipe, geometry or Geometry()
        self.save_hyperparameters({"recipe": asdict(recipe), "geometry": asdict(geometry)})
        torch.manual_seed(recipe.seed)
        special = {"vocab_size": len(words()), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        self.llm = LlamaForCausalLM(LlamaConfig(**geometry.llm, **special))
        self.encoder = LanguageBind(**geometry.encoder)
        self.readout = readout(self.encoder.tokens_per_frame, geometry.encoder["llm_width"])
        self.preprocess = Preprocess(size=self.encoder.image_size)
        self.right: dict[str, list[Tensor]] = defaultdict(list)

    @property
    def visual_length(self) -> int:
        """N * P, tokens."""
        return self.encoder.group_length * self.encoder.tokens_per_frame

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """(B, S, D), and the captions' loss"""
        embeddings = self.llm.model.embed_tokens(batch.ids)
        if batch.pictures is None:
            return embeddings, 0.0
        pixels = self.preprocess(batch.pictures.flatten(0, 1))
        # codec-like damage at the size the tower sees: an offset per clip and colour, noise per pixel
        clips = pixels.view(*batch.pictures.shape[:3], *pixels.shape[-2:])
        random = torch.Generator(clips.device).manual_seed(self.global_step)  # a resumed run draws the same
        shapes = {"clip": (len(clips), 1, 3, 1, 1), "level": (len(clips), 1, 1, 1, 1), "pixel": clips.shape}
        normal = {key: torch.randn(shape, generator=random, device=clips.device) for key, shape in shapes.items()}
        clips = clips + 0.03 * normal["clip"] + 0.03 * normal["level"] * normal["pixel"]
        tokens = self.encoder(clips)
        loss = caption_loss(self.readout(tokens.flatten(2).flatten(0, 1)), batch.captions.flatten(0, 1))
        self.log("caption_loss", loss.detach())
        return embeddings.masked_scatter(batch.video[..., None], tokens.to(embeddings.dtype)), loss

    def training_step(self, batch: Batch, _) -> Tensor:
        embeddings, captions = self.embed(batch)
        if self.global_step < self.recipe.tower_steps:
            return captions
        hidden = self.llm.model(
            inputs_embeds=embeddings, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
        ).last_hidden_state
        keep = batch.targets != IGNORE
        logits = self.llm.lm_head(hidden[keep]).float()
        loss = cross_entropy(logits, batch.targets[keep])
        self.log("loss", loss.detach())
        self._count_right(batch, keep, logits)
        return loss + self.recipe.caption_weight * captions

    def _count_right(self, batch: Batch, keep: Tensor, logits: Tensor) -> None:
        right = torch.zeros_like(batch.targets, dtype=torch.float)
        right[keep] = (logits.argmax(-1) == batch.targets[keep]).float()
        source = "text" if batch.pictures is None else "video"
        for i, (kinds, places) in enumerate(zip(batch.kinds, batch.answers, strict=True)):
            for kind, place in zip(kinds, places, strict=True):
                self.right[f"accuracy/{source}/{kind}"].append(right[i, place])
        if self.global_step % 100 == 99:
            self.log_dict({name: torch.stack(values).mean() for name, values in self.right.items()})
            self.right.clear()

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
        if step - begin < recipe.warmup:
            return peak * (step - begin + 1) / recipe.warmup
        done = min(1.0, (step - begin - recipe.warmup) / max(1, end - begin - recipe.warmup))
        return peak * (0.02 + 0.49 * (1 + float(np.cos(np.pi * done))))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        moved = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(batch).items()}
        return Batch(**moved)

    def export(self, folder: Path) -> None:
        """Save as a checkpoint that intpv.model.checkpoint loads."""
        model = Model("mini", self.llm, self.encoder, tokenizer(), MINI, self.preprocess, ABOUT)
        save(folder, model, {"steps": self.global_step, **asdict(self.recipe)})
