"""Each failure fires its own signature; the baseline beside itself fires none; a line says which with its figures."""

import math

import pytest
import torch

from intpv.metrics.signatures.in_words import shown
from intpv.metrics.signatures.time_probe import moments
from intpv.metrics.signatures.verdicts import signature_figures

NAMES = {
    "garbled_output",
    "attention_saturation",
    "attention_collapse",
    "positional_drift",
    "time_probe",
    "token_misalignment",
    "slot_order",
}
LONGER = math.log(4)
NOISE = torch.randn(8, 5, 12, generator=torch.Generator().manual_seed(9))


def _values(videos=20, seed=0, **changed):
    """What videos leave where the run is the baseline, but for `changed` per run."""
    g = torch.Generator().manual_seed(seed)
    times = torch.linspace(0, 1, 8)
    tokens = [times[:, None, None] + 0.3 * torch.randn(8, 5, 12, generator=g) for _ in range(videos)]
    probe = torch.stack([moments(one, times) for one in tokens])
    usual = {
        "invalid": torch.full((videos,), 0.0),
        "entropy": 3 + 0.1 * torch.randn(videos, generator=g),
        "time_centroid": 0.5 + 0.03 * torch.randn(videos, generator=g),
        "slot_order": torch.ones(videos),
        "probe": probe,
    }
    values = {f"{name}/{side}": value for name, value in usual.items() for side in ("run", "baseline")}
    values |= {"seam/run": torch.zeros(videos), "seam/baseline": 0.6 + 0.1 * torch.randn(videos, generator=g)}
    values |= {"questions": torch.full((videos,), 10.0), "log_times_longer": torch.full((videos,), LONGER)}
    return values | {f"{name}/run": change(values[f"{name}/run"]) for name, change in changed.items()}


def _fired(values):
    metrics = signature_figures(values)
    assert all(math.isfinite(value) for value in metrics.values())
    return {name for name in NAMES if metrics[f"signature/{name}"]}


def test_the_baseline_fires_nothing_fresh_videos_included():
    assert _fired(_values()) == set()
    other = _values(seed=1)
    fresh = {name: other[name] if name.endswith("/run") else value for name, value in _values().items()}
    assert _fired(fresh) == set()


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("garbled_output", {"invalid": lambda x: x + 0.4}),
        ("attention_saturation", {"entropy": lambda x: x + LONGER + 0.3}),
        ("attention_collapse", {"entropy": lambda x: 0.3 * x}),
        ("positional_drift", {"time_centroid": lambda x: x - 0.1}),
        ("positional_drift", {"time_centroid": lambda x: x + 0.1}),
        ("token_misalignment", {"seam": lambda x: x - 0.3}),
        ("slot_order", {"slot_order": lambda x: x / 4}),
        ("time_probe", {"probe": lambda x: torch.stack([moments(NOISE, torch.linspace(0, 1, 8))] * len(x))}),
    ],
)
def test_each_failure_fires_its_own(name, changed):
    values = _values(**changed)
    assert _fired(values) == {name}
    (line,) = shown(signature_figures(values))
    assert line.startswith(f"{name} shows: ")
    assert f"{signature_figures(values)[f'signature/{name}/value']:.3g}" in line


def test_repeating_every_frame_is_no_saturation():
    """It adds at most ln(F / N) to the entropy."""
    assert _fired(_values(entropy=lambda x: x + LONGER)) == set()


def test_one_video_has_figures_but_no_verdict():
    metrics = signature_figures(_values(1))
    assert not {f"signature/{name}" for name in NAMES} & set(metrics)
    assert shown(metrics) == []
