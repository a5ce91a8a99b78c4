"""The mini model answers from every cache that keeps its prefix as from its own."""

import pytest
import torch

from experiments.bench.kv.fidelity import loss
from experiments.bench.kv.intpv_methods import Ours
from experiments.bench.kv.methods import FULL
from experiments.bench.kv.transformers_methods import Theirs
from experiments.bench.kv.watched_layers import watched


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    with torch.inference_mode():
        return next(
            watched(
                8,
                1,
                (
                    "rope_strategy=visual_only",
                    f"data.root={tmp_path_factory.mktemp('clips')}",
                ),
            )
        )


def test_a_cache_in_full_precision_answers_as_the_model_does(clip):
    for method in (*FULL.values(), Ours("int8", (("bits", 16),))):
        with torch.inference_mode():
            logits = method.answers(clip.video_llm, clip.prefill, clip.questions[:3])
        torch.testing.assert_close(logits, clip.logits[:3], rtol=1e-3, atol=1e-3)


def test_the_mini_models_own_layers_are_asked_by_its_questions(clip):
    assert len(clip.specimen.layers) == len(clip.specimen.asked) == clip.video_llm.model.llm.config.num_hidden_layers
    assert loss(clip.specimen, clip.specimen.layers).kl.abs().max() < 1e-5


def test_a_padded_cache_answers_as_an_unpadded_one(clip):
    padded = Theirs(FULL["dynamic"].make, across_tokens=True)
    assert padded.hold(clip.specimen, 1).padding > 0
    with torch.inference_mode():
        logits = padded.answers(clip.video_llm, clip.prefill, clip.questions[:2])
    torch.testing.assert_close(logits, clip.logits[:2], rtol=1e-3, atol=1e-3)
