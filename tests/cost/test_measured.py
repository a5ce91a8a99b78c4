"""Measured and closed form: equal where they must be, on a shape that a CPU builds at once."""

import json
import sys

import pytest
import torch

from experiments import cost as verb
from intpv.cost import closed_form as cost
from intpv.cost import measured as cost_measured
from intpv.cost.measured import random_model
from intpv.cost.shape import read
from intpv.errors import BadInput
from intpv.layout import Layout, Span

SIZES = {"layers": 2, "heads": 4, "kv_heads": 2, "head_dim": 32, "hidden": 64, "intermediate": 96, "vocabulary": 128}
SIZES |= {"tower_layers": 2, "tower_run": 1, "tower_hidden": 64, "tower_intermediate": 128, "image_size": 28}
SMALL = [f"{name}={size}" for name, size in SIZES.items()]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def options():
    return verb.kv_options()


@pytest.fixture(scope="module")
def report(options):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cost_measured, "STEPS", 3)
        return cost_measured.measured(read("video_llava_7b", SIZES), [8, 16], options, CPU)


@pytest.mark.slow
def test_weights_are_the_closed_forms_parameters_and_a_few_buffers(report):
    shape = read("video_llava_7b", SIZES)
    closed = {"weights": cost.llm_parameters(shape), "tower": cost.tower_parameters(shape)}
    closed["tower"] += cost.projector_parameters(shape)
    for part, parameters in closed.items():
        assert 0 <= report["weights"][part] - cost.FP16 * parameters < 1024  # the rotation's frequencies, indices


def test_the_prefix_takes_what_the_closed_form_says_to_the_byte(report, options):
    shape = read("video_llava_7b", SIZES)
    sizes = {"layers": shape.layers, "kv_heads": shape.kv_heads, "head_dim": shape.head_dim, "element_size": cost.FP16}
    for row in report["rows"]:
        text = row["tokens"] - row["frames"] * shape.tokens_per_frame
        layout = Layout((Span(text), *(Span(shape.tokens_per_frame, float(i)) for i in range(row["frames"]))))
        for name, option in options.items():
            assert row["kv"][name] == option.closed_form_bytes(**sizes, length=row["tokens"], layout=layout)


def test_peaks_are_ordered_and_grow_with_frames(report):
    few, many = report["rows"]
    for row in (few, many):
        for name, held in row["held"].items():
            assert held == sum(report["weights"].values()) + row["kv"][name]
            assert min(row["ask_peak"][name], row["watch_peak"][name]) > held
            assert row["decode_s"][name] > 0
    assert few["tower_bytes"] < many["tower_bytes"]
    assert all(few["watch_peak"][name] < many["watch_peak"][name] for name in few["kv"])


def test_a_tower_holds_at_least_its_output(report):
    shape = read("video_llava_7b", SIZES)
    for row in report["rows"]:
        assert row["tower_bytes"] >= cost.FP16 * row["frames"] * shape.tokens_per_frame * shape.tower_hidden


def test_too_few_words_are_refused_with_both_numbers():
    with pytest.raises(BadInput, match=r"vocabulary must be at least \d+, .*, got 5"):
        random_model(read("video_llava_7b", SIZES | {"vocabulary": 5}), CPU, torch.bfloat16)


def test_the_verb_prints_both_side_by_side_in_a_hundred_columns(report, monkeypatch, capsys):
    monkeypatch.setattr(cost_measured, "measured", lambda *_: report)
    said = {}
    for form in ((), ("--json",)):
        monkeypatch.setattr(sys, "argv", ["cost", "frames=8,16", "--measured", *form, *SMALL])
        verb.main()
        said[form] = capsys.readouterr().out
    assert max(map(len, said[()].splitlines())) <= 100
    assert "Measured on cpu with random weights" in " ".join(said[()].split())
    found = json.loads(said["--json",])
    assert [row["groups"] for row in found["measured"]] == [row["groups"] for row in found["as_it_is"]]
    assert all(row["kv"].keys() == found["as_it_is"][0]["kv"].keys() for row in found["measured"])
