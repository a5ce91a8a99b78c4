"""Two small encoders, and reference files made with the original tower: a reduced one, the full one if shared."""

import json
from pathlib import Path

import pytest
import torch

GOLDEN = Path(__file__).parents[1] / "golden" / "languagebind.safetensors"
SHARED = Path(__file__).parents[2].parent / "shared" / "golden"
SIZES = dict(
    hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3, image_size=16, patch_size=8
)


@pytest.fixture(scope="session")
def golden():
    """(config dict, original tower state dict, inputs and outputs), always there."""
    from safetensors import safe_open

    with safe_open(GOLDEN, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["vision_config"])
    weights = {key.removeprefix("tower."): value for key, value in tensors.items() if key.startswith("tower.")}
    return config, weights, tensors


@pytest.fixture(scope="session")
def full_golden():
    """The same from the unreduced files: two clips, and 32 frames."""
    from safetensors.torch import load_file

    if not SHARED.is_dir():
        pytest.skip("the full reference files (../shared/golden) are not here; the reduced one is always tested")
    config = json.loads((SHARED / "languagebind_a.json").read_text())["vision_config"]
    weights, tensors = (load_file(SHARED / f"languagebind_a.{part}.safetensors") for part in ("weights", "io"))
    return config, weights, tensors


@pytest.fixture
def languagebind():
    """A tiny random LanguageBind encoder."""
    from intpv.encoder.languagebind import LanguageBind

    torch.manual_seed(0)
    return LanguageBind(**SIZES, hidden_act="gelu", select_layer=-1, llm_width=32).eval()


@pytest.fixture
def per_frame():
    """A tiny random per-frame encoder of the same sizes."""
    from intpv.encoder.per_frame import PerFrame

    torch.manual_seed(0)
    return PerFrame(**SIZES, hidden_act="gelu", select_layer=-1, llm_width=32).eval()


@pytest.fixture
def groups():
    """Pixels of m = 2 groups of N = 8 frames."""
    return torch.randn(2, 8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
