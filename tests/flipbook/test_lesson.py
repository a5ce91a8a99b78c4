"""Lessons: what they answer is what they show, and a batch is the same whoever asks for it."""

import numpy as np
import pytest
import torch

from intpv.flipbook.batch import IGNORE, Batches, pack
from intpv.flipbook.lesson import text_lesson, video_lesson
from intpv.flipbook.question import OPTIONS
from intpv.flipbook.recipe import Recipe
from intpv.flipbook.scene import COLORS, LIGHTS
from intpv.flipbook.training import Lessons
from intpv.flipbook.vocabulary import tokenizer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.contiguous import Contiguous
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import tiny_model


def read(words: list[str], kind: str, question: str) -> str:
    """An answer from the words of a text lesson alone."""
    seen = list(dict.fromkeys(word for word in words if word in COLORS))
    asked = [word for word in question.lower().strip("?").split() if word in COLORS]
    if kind == "cause":
        return [word for word in words[: words.index("corners")] if word in LIGHTS][-1]
    if kind in ("first light", "last light"):
        return [word for word in words if word in LIGHTS][0 if kind == "first light" else -1]
    if kind == "light":
        return "yes" if next(light for light in LIGHTS if light in question) in words else "no"
    if kind == "direction":
        return next(word for word in words if word in ("left", "right", "up", "down"))
    if kind == "speed":
        return "faster" if words.index("creeping") < words.index("dashing") else "slower"
    if kind == "rank":
        return str(seen.index(asked[0]))
    answers = {"first": seen[0], "last": seen[-1], "count": str(len(seen))}
    if kind == "presence":
        return "yes" if asked[0] in seen else "no"
    return answers.get(kind) or ("before" if seen.index(asked[0]) < seen.index(asked[1]) else "after")


@pytest.mark.parametrize("seed", range(60))
def test_a_text_lesson_answers_what_its_words_say(seed):
    lesson = text_lesson(np.random.default_rng(seed), 136)
    words = lesson.before.split()
    assert len(words) <= 136
    for kind, question, answer in lesson.questions:
        if kind == "speed" and not {"creeping", "dashing"} <= set(words):
            continue  # too few free words for both paces
        assert read(words, kind, question) == answer


def test_kinds_and_answers_of_video_lessons_are_balanced():
    lessons = [video_lesson(np.random.default_rng([5, i]), 0) for i in range(400)]
    answers = {}
    for lesson in lessons:
        for kind, _, answer in lesson.questions:
            answers.setdefault(kind, []).append(answer)
    assert set(answers) == {*OPTIONS, "light", "first light", "last light", "rank"}
    for kind in ("presence", "order", "speed", "direction", "cause"):
        counts = np.unique(answers[kind], return_counts=True)[1]
        assert counts.min() > 0.6 * counts.mean()


def test_training_sees_what_watch_and_ask_see():
    """The packed training row gives the logits that `ask` gives: the shipped weights are used as they were trained."""
    model = tiny_model()
    lesson = video_lesson(np.random.default_rng(3), 0)
    batch = pack([lesson], model.tokenizer, model.prompt, model.trained_visual_length)
    frames = batch.pictures[0]
    llm = VideoLLM(model, Contiguous(), NoScaling(), NoQuant())
    context = llm.watch(frames, torch.arange(8.0))
    answers = llm.ask(context, [question for _, question, _ in lesson.questions])
    embeddings = model.decoder.embed_tokens(batch.ids)
    embeddings[0, batch.video[0]] = llm.tokens(llm.look(model.preprocess.fit(frames))).flatten(0, 1)
    with torch.no_grad():
        logits = model.llm(
            inputs_embeds=embeddings, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
        ).logits[0]
    for place, answer, (_, _, said) in zip(batch.answers[0], answers, lesson.questions, strict=True):
        torch.testing.assert_close(logits[place], answer.logits, atol=1e-4, rtol=1e-4)
        assert batch.targets[0, place] == model.tokenizer.convert_tokens_to_ids(said)


def test_only_answers_are_targets():
    words = tokenizer()
    batch = pack([text_lesson(np.random.default_rng(i), 100) for i in range(4)], words, tiny_model().prompt, 40)
    kept = batch.targets[batch.targets != IGNORE].tolist()
    assert kept.count(words.eos_token_id) == sum(map(len, batch.answers)) == len(kept) / 2


def test_the_first_text_lessons_are_short():
    recipe = Recipe(steps=4, tower_steps=0, text_steps=4, short_steps=2, short=64, batch=8)
    longest = [int(batch.positions.max()) for batch in Batches(Lessons(recipe, 80), 0, recipe.steps)]
    assert max(longest[:2]) <= 64 < min(longest[2:])


def test_resuming_goes_on_with_the_next_batch():
    recipe = Recipe(steps=4, tower_steps=1, text_steps=1, batch=2)
    whole, rest = (
        list(Batches(Lessons(recipe, 80), 0, recipe.steps)),
        list(Batches(Lessons(recipe, 80), 2, recipe.steps)),
    )
    assert len(rest) == 2
    assert all(torch.equal(a.ids, b.ids) and torch.equal(a.mask, b.mask) for a, b in zip(whole[2:], rest, strict=True))
