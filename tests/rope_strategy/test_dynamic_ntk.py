"""Dynamic NTK against transformers at the length of the whole context, and one base however far an answer goes."""

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from intpv.errors import BadInput
from intpv.rope_strategy.dynamic_ntk import DynamicNTKScaling
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.ntk import NTKScaling

LENGTH = 80
LENGTHS = [80, 120, 320, 584]  # tokens


def judge(head_dim: int, base: float, alpha: float, length: int) -> torch.Tensor:
    """As transformers computes it for a sequence of this length."""
    config = LlamaConfig(
        hidden_size=head_dim,
        num_attention_heads=1,
        max_position_embeddings=LENGTH,
        rope_parameters={"rope_type": "dynamic", "rope_theta": base, "factor": alpha},
    )
    return ROPE_INIT_FUNCTIONS["dynamic"](config, seq_len=length)[0]


@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.5])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("base", [33.0, 10000.0, 1e6])
@pytest.mark.parametrize("head_dim", [16, 128])
def test_equals_transformers(head_dim, base, length, alpha):
    ours = DynamicNTKScaling(alpha=alpha).inv_freq(RopeGeometry(head_dim, base, LENGTH), length / LENGTH)
    torch.testing.assert_close(ours, judge(head_dim, base, alpha, length), rtol=1e-6, atol=0)


def test_transformers_mixes_two_bases_where_this_has_one(layout):
    """The reason why s is the context's: one token more, and cached keys are of another base than the query."""
    one, more = judge(32, 100.0, 2.0, layout.length + LENGTH), judge(32, 100.0, 2.0, layout.length + LENGTH + 1)
    assert not torch.equal(one, more)
    geometry, factor = RopeGeometry(32, 100.0, LENGTH), (layout.length + LENGTH) / LENGTH
    steps = DynamicNTKScaling().angles(layout.ask(40), geometry, factor).double().diff(dim=0)
    torch.testing.assert_close(steps, one.double().expand_as(steps), rtol=0, atol=3e-5)  # of 200 rad


@pytest.mark.parametrize("factor", [1.0, 1.5, 7.3])
def test_alpha_one_is_ntk(geometry, factor):
    one = DynamicNTKScaling(alpha=1).inv_freq(geometry, factor)
    torch.testing.assert_close(one, NTKScaling().inv_freq(geometry, factor), rtol=1e-7, atol=0)


@pytest.mark.parametrize("alpha", [0.5, 0, True, float("nan")])
def test_refuses(alpha):
    with pytest.raises(BadInput, match=f"rope_strategy.alpha must be at least 1, got {alpha}"):
        DynamicNTKScaling(alpha=alpha)
