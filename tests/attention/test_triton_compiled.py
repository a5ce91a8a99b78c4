"""What Triton makes of the kernels, compiled ahead of time for three generations of GPUs by the very launch: that they
fit, keep to the registers, are no longer than they were and are made once for all lengths. No GPU is needed."""

from collections import Counter
from importlib.util import find_spec

import pytest
import torch

from intpv.attention import triton as host
from intpv.attention.triton import flash_attention

from .packed_layers import OPTIONS, option, pack, video

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")

QUANTISED = [name for name in OPTIONS if name != "none"]
HEAD_DIM = 128
ROWS = 1, 32, 64, 128  # each takes another block of rows
SPILLED = 32  # bytes of a thread at most; a hundred cost time

# Instructions of a warp in the loop over the tokens, which takes 32 at a time: by the rows of a block, an eighth more
# than the longest option had when this was written. Without and with the matrix products of sm_90, which a warp shares
# with three more; the second of each pair is of int2 alone, from which most is hoped
LONGEST = {
    80: {1: (1020, 640), 32: (1220, 880), 64: (2720, 1400), 128: (2570, 1310)},
    90: {1: (970, 580), 32: (1145, 800), 64: (1140, 780), 128: (800, 610)},
}
LONGEST_EXACT = 1960


def _compiled(name, architecture, rows, dtype):
    from .pretended_gpu import pretended_gpu

    changes = {"calibration": "dynamic"} if option(name).calibration != "dynamic" else {}  # the mini model's is narrow
    layer = pack(option(name, **changes), video(12, 40), 2, HEAD_DIM)
    with pretended_gpu(architecture) as kernels:  # the launch itself raises OutOfResources
        flash_attention(torch.randn(2, rows, HEAD_DIM, dtype=dtype), layer, HEAD_DIM**-0.5)
    (kernel,) = (kernel for kernel in kernels if kernel.name == "split_attention")
    return kernel


def _check(name, architecture, rows, dtype):
    kernel = _compiled(name, architecture, rows, dtype)
    loop = Counter(text.split()[text.startswith("@")] for text in kernel.loop)
    assert kernel.shared <= host.SHARED <= kernel.limit
    assert kernel.stack <= SPILLED
    assert any("MMA" in instruction for instruction in loop)  # tensor cores
    if dtype == torch.float32:
        assert loop.total() <= LONGEST_EXACT
        return
    assert loop.total() <= LONGEST[90 if architecture == 90 else 80][rows][name == "int2"]
    # multiplied and added at once, so that a code is rounded once
    assert any(instruction.startswith("HFMA2") for instruction in loop)
    assert not any(instruction.startswith("HMUL2") for instruction in loop)


@pytest.mark.parametrize("rows", ROWS)
def test_int2(rows):
    for architecture in (86, 90):
        _check("int2", architecture, rows, torch.bfloat16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "architecture"),
    # kivi is int2 without sinks; code for 8.0 is like that for 8.6, where there is less room for it
    [(name, age) for name in QUANTISED if name != "kivi" for age in (86, 90)] + [("best2", 80), ("temporal", 80)],
)
def test_every_kernel(name, architecture):
    for rows in (ROWS[0], ROWS[-1]):
        _check(name, architecture, rows, torch.bfloat16)
    _check(name, architecture, 1, torch.float32)


def test_no_length_is_compiled_in():
    from .pretended_gpu import pretended_gpu

    with pretended_gpu(90) as kernels:
        for policy in (option("int2", tail=3), option("temporal")):
            for frames, per_frame in ((5, 9), (17, 16), (48, 25)):
                layer = pack(policy, video(frames, per_frame), 2, HEAD_DIM)
                for rows in (1, 2, 7, 16):
                    q = torch.randn(2, rows, HEAD_DIM, dtype=torch.bfloat16)
                    flash_attention(q, layer, HEAD_DIM**-0.5)
    assert Counter(kernel.name for kernel in kernels) == {"split_attention": 2, "merge_splits": 1}


def test_programs_fill_the_device_once(monkeypatch):
    """And no more: what is left over would run by itself at the end."""
    from intpv.attention import triton_kernel

    grids, per_gpu = [], 132 * host.PROGRAMS

    class Recorded:
        def __getitem__(self, grid):
            grids.append(grid)
            return lambda *arguments, **constants: None

    monkeypatch.setattr(triton_kernel, "split_attention", Recorded())
    monkeypatch.setattr(triton_kernel, "merge_splits", Recorded())
    monkeypatch.setattr(host, "_multiprocessors", lambda device: 132)
    layer = pack(option("int2", sinks=0), video(64, 257), 8, 32)
    for share, rows in ((1, 1), (1, 24), (4, 24), (4, 300), (4, 2000)):
        flash_attention(torch.randn(8 * share, rows, 32, dtype=torch.bfloat16), layer, 0.2)
    splits = [grid for grid in grids if len(grid) == 2]
    assert all(0.8 * per_gpu <= programs * parts <= per_gpu for programs, parts in splits), splits
    assert len(grids) - len(splits) == sum(parts > 1 for _, parts in splits)  # merged where there is more than one
