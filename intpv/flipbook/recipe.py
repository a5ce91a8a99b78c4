"""Recipe: sizes, lengths and rates that shape the mini model, and its endless stream of batches."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from torch.utils.data import IterableDataset

from intpv.model.prompt import MINI

from .batch import Batch, pack
from .lesson import Lesson
from .scene import TRAIN_STREAM
from .text_lesson import text_lesson
from .video_lesson import FRAMES, video_lesson
from .vocabulary import tokenizer

WINDOW = 160  # W, text positions: twice the visual length, as Vicuna's 4096 to 2056


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the training; lengths in tokens, one step is one batch."""

    steps: int = 5800
    tower_steps: int = 1300  # first, the encoder alone learns to caption frames
    text_steps: int = 900  # then the decoder alone learns the questions on text
    replay: int = 5  # afterwards every replay-th step is text
    batch: int = 32  # lessons
    tower_rate: float = 2e-3  # peak learning rate while the tower is alone
    learning_rate: float = 1e-3  # peak of decoder and both; at 2e-3 it learns no matching of words in time
    warmup: int = 200  # steps
    caption_weight: float = 0.3  # of the read-out's loss beside the answers'
    filler: int = 40  # W / 4 words around the video at most
    row: int = 256  # padded row: one shape, so that compiling pays
    seed: int = 0


@dataclass(frozen=True)
class Geometry:
    """Vicuna's proportions in small: P = 10, N = 8, W = 2 N P, 70 % of the channels turn inside W."""

    llm: dict = field(
        default_factory=lambda: {
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": WINDOW,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100.0},
            "tie_word_embeddings": True,
        }
    )
    encoder: dict = field(
        default_factory=lambda: {
            "llm_width": 128,
            "select_layer": -1,
            "hidden_size": 96,
            "intermediate_size": 384,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "image_size": 48,
            "patch_size": 16,
            "num_frames": FRAMES,
            "hidden_act": "gelu",
        }
    )


class Lessons(IterableDataset):
    """Batches from step `start` on; a batch depends on seed and step alone, so that resuming repeats nothing."""

    def __init__(self, recipe: Recipe, start: int, visual_length: int):
        self.recipe, self.start, self.visual_length = recipe, start, visual_length

    def __iter__(self) -> Iterator[Batch]:
        words_of = tokenizer()
        for step in range(self.start, self.recipe.steps):
            lessons = [self._lesson(step, i) for i in range(self.recipe.batch)]
            yield pack(lessons, words_of, MINI, self.visual_length, self.recipe.row)

    def _lesson(self, step: int, index: int) -> Lesson:
        rng = np.random.default_rng([TRAIN_STREAM, self.recipe.seed, step, index])
        begin = self.recipe.tower_steps  # of the text, then of both
        both = step >= begin + self.recipe.text_steps
        if (begin <= step and not both) or (both and step % self.recipe.replay == 0):
            return text_lesson(rng, WINDOW - 24)
        return video_lesson(rng, self.recipe.filler)
