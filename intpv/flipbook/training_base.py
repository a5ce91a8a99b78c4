"""What every training on flipbook's lessons shares: pictures as a codec leaves them, the answers' loss and accuracy."""

import math
from abc import abstractmethod
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from lightning import LightningModule
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from intpv.encoder.video_encoder import VideoEncoder
from intpv.preprocess.clip import Preprocess

from .batch import IGNORE, Batch
from .lesson import caption_loss, readout


def share_of_peak(step: int, steps: int, warmup: int) -> float:
    """Of a learning rate: a linear warm-up, then a cosine down to 2 % at the end of `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 0.02 + 0.49 * (1 + math.cos(math.pi * done))


class LessonTraining(LightningModule):
    """A decoder, an encoder and a read-out of captions, which is thrown away afterwards."""

    def __init__(self, llm: PreTrainedModel, encoder: VideoEncoder):
        super().__init__()
        self.llm, self.encoder = llm, encoder
        self.readout = readout(encoder.tokens_per_frame, llm.config.hidden_size)
        self.preprocess = Preprocess(size=encoder.image_size)
        self.right: dict[str, list[Tensor]] = defaultdict(list)

    @property
    def visual_length(self) -> int:
        """N * P, tokens."""
        return self.encoder.trained_visual_length

    def clips(self, batch: Batch) -> Float[Tensor, "B F C H W"]:
        """Normalised pixels with codec-like damage at the size the tower sees: an offset per clip and colour, noise per
        pixel."""
        assert batch.pictures is not None
        pixels = self.preprocess(batch.pictures.flatten(0, 1))
        clips = pixels.view(*batch.pictures.shape[:3], *pixels.shape[-2:])
        random = torch.Generator(clips.device).manual_seed(self.global_step)  # a resumed run draws the same
        shapes = {"clip": (len(clips), 1, 3, 1, 1), "level": (len(clips), 1, 1, 1, 1), "pixel": clips.shape}
        normal = {key: torch.randn(shape, generator=random, device=clips.device) for key, shape in shapes.items()}
        return clips + 0.03 * normal["clip"] + 0.03 * normal["level"] * normal["pixel"]

    def caption_loss(self, tokens: Float[Tensor, "B F P D"], batch: Batch) -> Float[Tensor, ""]:
        """Of the read-out of all frames."""
        assert batch.captions is not None  # pictures never come without
        loss = caption_loss(self.readout(tokens.flatten(2).flatten(0, 1)), batch.captions.flatten(0, 1))
        self.log("caption_loss", loss.detach())
        return loss

    def embed(self, batch: Batch, tokens: Float[Tensor, "B F P D"] | None) -> Float[Tensor, "B S D"]:
        """The words' embeddings, the video's tokens in their places."""
        embeddings = self.llm.get_input_embeddings()(batch.ids)
        if tokens is None:
            return embeddings
        return embeddings.masked_scatter(batch.video[..., None], tokens.to(embeddings.dtype))

    def answer_loss(self, batch: Batch, embeddings: Float[Tensor, "B S D"]) -> Float[Tensor, ""]:
        """Cross entropy of the answers' tokens; beside it, counts which kinds were answered rightly."""
        hidden = self.llm.model(
            inputs_embeds=embeddings, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
        ).last_hidden_state
        logits = self.llm.lm_head(hidden[batch.targets != IGNORE]).float()
        loss = cross_entropy(logits, batch.targets[batch.targets != IGNORE])
        self.log("loss", loss.detach())
        self.count_right(batch, logits)
        return loss

    def count_right(self, batch: Batch, logits: Float[Tensor, "targets vocabulary"]) -> None:
        """By kind, from the logits of all answers' tokens."""
        keep = batch.targets != IGNORE
        right = torch.zeros_like(batch.targets, dtype=torch.float)
        right[keep] = (logits.argmax(-1) == batch.targets[keep]).float()
        source = "text" if batch.pictures is None else "video"
        for i, (kinds, places) in enumerate(zip(batch.kinds, batch.answers, strict=True)):
            for kind, place in zip(kinds, places, strict=True):
                self.right[f"accuracy/{source}/{kind}"].append(right[i, place])
        if self.global_step % 100 == 99:
            self.log_dict({name: torch.stack(values).mean() for name, values in self.right.items()})
            self.right.clear()

    @abstractmethod
    def export(self, folder: Path, made_by: list[dict]) -> None:
        """Save what was trained as a folder that a loader of intpv.model reads; `made_by`: provenance of each part."""

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        moved: dict[str, Any] = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(batch).items()}
        return Batch(**moved)
