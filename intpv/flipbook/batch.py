"""Lessons to tensors: one packed row per lesson, its questions hidden from each other, as `ask` will feed them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from .lesson import Lesson

IGNORE = -100  # torch's cross entropy leaves these out


@dataclass(frozen=True)
class Batch:
    ids: Int[Tensor, "B S"]
    video: Bool[Tensor, "B S"]  # places that take video tokens
    positions: Int[Tensor, "B S"]
    mask: Bool[Tensor, "B 1 S S"]  # True: may attend
    targets: Int[Tensor, "B S"]  # next token on answers, IGNORE elsewhere
    kinds: list[list[str]]  # per lesson
    answers: list[list[int]]  # places whose next token is the answer's first
    pictures: UInt8[Tensor, "B F C H W"] | None
    captions: Float[Tensor, "B F 12"] | None


def pack(lessons: list[Lesson], tokenizer, prompt, visual_length: int, size: int = 0) -> Batch:
    """Encode and pad. `prompt` gives the words around video and question (intpv.model.prompt.Prompt)."""
    rows = [_row(lesson, tokenizer, prompt, visual_length) for lesson in lessons]
    size = max(size, *(len(row.ids) for row in rows))
    ids = torch.full((len(rows), size), tokenizer.pad_token_id)
    positions, block = torch.zeros_like(ids), torch.full_like(ids, -1)
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
