"""Batch: lessons as tensors, one packed row each, its questions hidden from each other, as `ask` will feed them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import IterableDataset
from transformers import PreTrainedTokenizerBase

from intpv.encoder.prefix_pieces import first_words
from intpv.model.model import Prompt

from .lesson import Lesson

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
    lessons: list[Lesson],
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    visual_length: int,
    size: int = 0,
    steps: list[float] | None = None,
    round_to: int = 1,
) -> Batch:
    """Encode and pad, to `size` tokens at least and a multiple of `round_to`. `prompt` gives the words around video and
    question, `steps` from one position to the next, by lesson (1)."""
    rows = [_row(lesson, tokenizer, prompt, visual_length) for lesson in lessons]
    size = -(-max(size, *(len(row.ids) for row in rows)) // round_to) * round_to
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


def _row(lesson: Lesson, tokenizer: PreTrainedTokenizerBase, prompt: Prompt, visual_length: int) -> _Row:
    def encode(text):
        return tokenizer(text, add_special_tokens=False).input_ids

    if lesson.pictures is None:  # a text lesson's own words stand where the video would
        before = [*first_words(tokenizer, prompt.before_video).ids, *encode(lesson.before)]
    else:
        before = [*first_words(tokenizer, lesson.before).ids, *encode(prompt.before_video)]
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


class Batches(IterableDataset):
    """Those of the steps from `start` on; `at` makes the one of a step, so that resuming repeats nothing."""

    def __init__(self, at: Callable[[int], Batch], start: int, steps: int):
        self.at, self.start, self.steps = at, start, steps

    def __iter__(self) -> Iterator[Batch]:
        return map(self.at, range(self.start, self.steps))
