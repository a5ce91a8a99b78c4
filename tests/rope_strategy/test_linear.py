"""Linear scaling against transformers, and against its twin that scales positions instead of frequencies."""

from dataclasses import dataclass

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from intpv.hf.rotary import applied
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.strategy import RopeStrategy

from .conftest import rotation_of

LINEAR = LinearScaling()
FACTORS = [1.5, 2.0, 3.0, 5.3, 16.0]


@dataclass(frozen=True, kw_only=True)
class ThroughPositions(RopeStrategy):
    """Eq 3.5 as the paper writes it: positions / s, table unchanged."""

    def positions(self, layout, factor):
        return super().positions(layout, factor) / factor


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("head_dim", [16, 32, 128])
@pytest.mark.parametrize("base", [33.0, 10000.0, 500000.0])
def test_equals_transformers(head_dim, base, factor):
    config = LlamaConfig(
        hidden_size=head_dim,
        num_attention_heads=1,
        rope_parameters={"rope_type": "linear", "rope_theta": base, "factor": factor},
    )
    expected, attention_factor = ROPE_INIT_FUNCTIONS["linear"](config)
    inv_freq = LINEAR.inv_freq(RopeGeometry(head_dim, base, 4096), factor)
    torch.testing.assert_close(inv_freq, expected, rtol=1e-6, atol=0)
    assert LINEAR.attention_scale(factor) == attention_factor


@pytest.mark.parametrize("factor", FACTORS)
def test_frequencies_and_positions_give_the_same_angles(geometry, layout, factor):
    angles = LINEAR.angles(layout, geometry, factor)
    torch.testing.assert_close(angles, ThroughPositions().angles(layout, geometry, factor), rtol=1e-5, atol=0)


@pytest.mark.parametrize("factor", FACTORS)
@torch.inference_mode()
def test_frequencies_and_positions_give_the_same_logits(llama: LlamaForCausalLM, layout, factor):
    rotary, ids = llama.model.rotary_emb, torch.arange(layout.length)[None]
    tokens = torch.arange(layout.length)[None] * 7 % llama.config.vocab_size

    def logits(strategy):
        with applied(rotary, rotation_of(rotary, strategy, layout, factor), range(layout.length)):
            return llama(tokens, position_ids=ids).logits

    scaled, twin = logits(LINEAR), logits(ThroughPositions())
    assert (scaled - logits(RopeStrategy())).abs().max() > 0.1  # the angles do reach the logits
    torch.testing.assert_close(scaled, twin, rtol=0, atol=1e-5)
