"""Training of the mini model: tower on captions, decoder on text, then both on video, in one Lightning module."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from lightning import LightningModule
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import IterableDataset
from transformers import LlamaConfig, LlamaForCausalLM

from intpv.encoder.languagebind import LanguageBind
from intpv.model.mini import save
from intpv.model.model import MINI, Model
from intpv.preprocess.clip import Preprocess

from .lesson import Lesson, caption_loss, readout, text_lesson, video_lesson
from .recipe import PROMPT_ROOM, QUESTIONS_ROOM, Geometry, Recipe
from .scene import TRAIN_STREAM
from .vocabulary import tokenizer, words

# Lessons to tensors: one packed row per lesson, its questions hidden from each other, as `ask` will feed them.


IGNORE = -100  # torch's cross entropy leaves these out


@dataclass(frozen=True)
class Batch:
    """B packed lessons, padded to S tokens, with their F frames as pictures (0 to 255) or as captions."""

    ids: Int[Tensor, "B S"]
    video: Bool[Tensor, "B S"]  # places that take video tokens
    positions: Float[Tensor, "B S"]
    mask: Bool[Tensor, "B 1 S S"]  # True: may attend
    targets: Int[Tensor, "B S"]  # next token on answers, IGNORE elsewhere
    kinds: list[list[str]]  # per lesson
    answers: list[list[int]]  # places whose next token is the answer's first
    pictures: UInt8[Tensor, "B F C H W"] | None
    captions: Float[Tensor, "B F 12"] | None


def pack(
    lessons: list[Lesson], tokenizer, prompt, visual_length: int, size: int = 0, steps: list[float] | None = None
) -> Batch:
    """Encode and pad, to `size` tokens at least. `prompt` gives the words around video and question
    (intpv.model.model.Prompt), `steps` from one position to the next, by lesson (1)."""
    rows = [_row(lesson, tokenizer, prompt, visual_length) for lesson in lessons]
    size = max(size, *(len(row.ids) for row in rows))
    ids = torch.full((len(rows), size), tokenizer.pad_token_id)
    positions, block = torch.zeros(ids.shape), torch.full_like(ids, -1)
    targets = torch.full_like(ids, IGNORE)
    video = torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        n = len(row.ids)
        ids[i, :n], positions[i, :n], block[i, :n] = map(torch.tensor, (row.ids, row.positions, row.block))
        targets[i, :n] = torch.tensor(row.targets)
        video[i, row.video : row.video + visual_length * (lessons[i].pictures is not None)] = True
    # block 0 is the prefix, every question a block of its own; padding (-1) sees itself, or its softmax is empty
    same = (block[:, :, None] == block[:, None]) | (block[:, None] == 0)
    mask = (same & torch.ones(size, size, dtype=torch.bool).tril())[:, None]
    if steps is not None:
        positions *= torch.tensor(steps)[:, None]
    pictures = captions = None
    if lessons[0].pictures is not None:
        pictures = torch.stack([torch.from_numpy(lesson.pictures) for lesson in lessons]).permute(0, 1, 4, 2, 3)
        captions = torch.stack([torch.from_numpy(lesson.caption) for lesson in lessons])
    kinds = [[kind for kind, *_ in lesson.questions] for lesson in lessons]
    return Batch(ids, video, positions, mask, targets, kinds, [row.answers for row in rows], pictures, captions)


@dataclass
class _Row:
    ids: list[int]
    positions: list[int]
    block: list[int]
    targets: list[int]
    answers: list[int]
    video: int  # where video tokens start


def _row(lesson: Lesson, tokenizer, prompt, visual_length: int) -> _Row:
    def encode(text):
        return tokenizer(text, add_special_tokens=False).input_ids

    before = [tokenizer.bos_token_id, *encode(lesson.before), *encode(prompt.before_video)]
    if lesson.pictures is None:  # a text lesson's own words stand where the video would
        before = [tokenizer.bos_token_id, *encode(prompt.before_video), *encode(lesson.before)]
    visual = [tokenizer.pad_token_id] * (visual_length * (lesson.pictures is not None))
    ids = [*before, *visual, *encode(lesson.after), *encode(prompt.after_video)]
    start = len(ids)
    row = _Row(ids, list(range(start)), [0] * start, [IGNORE] * start, [], len(before))
    for number, (_, question, answer) in enumerate(lesson.questions, 1):
        asked, reply = encode(prompt.question(question)), [*encode(answer), tokenizer.eos_token_id]
        tokens = asked + reply[:-1]
        row.ids += tokens
        row.positions += range(start, start + len(tokens))
        row.block += [number] * len(tokens)
        row.targets += [IGNORE] * (len(asked) - 1) + reply
        row.answers.append(len(row.ids) - len(reply))
    return row


# Stream: an endless one of batches.


class Lessons(IterableDataset):
    """Batches from step `start` on; a batch depends on seed and step alone, so that resuming repeats nothing."""

    def __init__(self, recipe: Recipe, start: int, visual_length: int):
        self.recipe, self.start, self.visual_length = recipe, start, visual_length

    def __iter__(self) -> Iterator[Batch]:
        words_of, recipe = tokenizer(), self.recipe
        for step in range(self.start, recipe.steps):
            drawn = [np.random.default_rng([TRAIN_STREAM, recipe.seed, step, i]) for i in range(recipe.batch)]
            if self._is_text(step):
                row = recipe.short if step < recipe.tower_steps + recipe.short_steps else recipe.window
                lessons = [text_lesson(rng, row - PROMPT_ROOM) for rng in drawn]
                steps = [float(rng.uniform(recipe.least_step, 1)) for rng in drawn]
            else:
                lessons, steps = [video_lesson(rng, recipe.filler) for rng in drawn], None
                row = 2 * self.visual_length
            # a length each for short text, text and video, so that compiling pays
            yield pack(lessons, words_of, MINI, self.visual_length, row + QUESTIONS_ROOM, steps)

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


class MiniTraining(LightningModule):
    """Encoder and decoder learn together; the loss is the answers' cross entropy and the captions'."""

    def __init__(self, recipe: Recipe, geometry: Geometry | None = None):
        super().__init__()
        self.recipe, geometry = recipe, geometry or Geometry.of(recipe.window)
        self.save_hyperparameters({"recipe": asdict(recipe), "geometry": asdict(geometry)})
        torch.manual_seed(recipe.seed)
        special: dict[str, Any] = {"vocab_size": len(words()), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        self.llm = LlamaForCausalLM(LlamaConfig(**geometry.llm, **special))
        self.encoder = LanguageBind(**geometry.encoder)
        self.readout = readout(self.encoder.tokens_per_frame, geometry.encoder["llm_width"])
        self.preprocess = Preprocess(size=self.encoder.image_size)
        self.right: dict[str, list[Tensor]] = defaultdict(list)

    @property
    def visual_length(self) -> int:
        """N * P, tokens."""
        return self.encoder.group_length * self.encoder.tokens_per_frame

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, S, D), and the captions' loss"""
        embeddings = self.llm.model.embed_tokens(batch.ids)
        if batch.pictures is None:
            return embeddings, embeddings.new_zeros(())
        assert batch.captions is not None  # pictures never come without
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
        moved: dict[str, Any] = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(batch).items()}
        return Batch(**moved)

    def export(self, folder: Path, made_by: list[dict]) -> None:
        """Save as a checkpoint that intpv.model.mini loads; `made_by`: provenance of each part of the training."""
        model = Model("mini", self.llm, self.encoder, tokenizer(), MINI, self.preprocess, ABOUT)
        save(folder, model, {"recipe": asdict(self.recipe), "made_by": made_by})
