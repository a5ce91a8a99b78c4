"""A model over several devices is the model on one, to the bit, and nothing of one device meets what is on another."""

from pathlib import Path

import pytest
import torch
from torch import nn

from intpv.attention_kl.attention_kl import AttentionKL
from intpv.errors import BadInput
from intpv.kv_quant.calibration import Stream
from intpv.model.loading.hub import devices_of, shared_out, spread, warn_of_unseen_gpus
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.video_llm.video_llm import VideoLLM

from ...pretended import pretended
from ...tiny import clip, tiny_model
from ..families import BUILDERS, OPTIONS, QUESTIONS
from ..families import clip as shown

CONF = Path(__file__).parents[2] / "conf"
CALIBRATED = ("paper_channel", "paper_tensor")  # on the mini model: refused on others
POLICIES = sorted({file.stem for file in (CONF / "kv_quant").glob("*.yaml")} - set(CALIBRATED))
TWO = [torch.device("meta:0"), torch.device("meta:1")]


def built(model, policy: str = "none") -> VideoLLM:
    return VideoLLM(model, Strided(), VisualOnlyScaling(), option("kv_quant", policy), max_new_tokens=4)


def spread_over(model, devices) -> None:
    spread(nn.ModuleDict({"llm": model.llm, "encoder": model.encoder}), model.decoder, devices)


def tiny_over_two():
    model = tiny_model()
    spread_over(model, TWO)
    return model


def answers(llm: VideoLLM, pixels, times) -> list[tuple]:
    context = llm.watch(pixels, times)
    return [(one.tokens, one.loglik, one.logits.tolist()) for one in llm.ask(context, QUESTIONS, OPTIONS)]


@pytest.mark.parametrize("policy", POLICIES)
def test_two_devices_give_what_one_gives(policy):
    pixels, times = clip(32)
    expected = answers(built(tiny_model(), policy), pixels, times)
    with pretended():
        model = tiny_over_two()
        assert model.devices == tuple(TWO)
        assert model.llm.device == TWO[0]
        assert answers(built(model, policy), pixels, times) == expected


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["none", "best2"])
@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_real_models_too(build, policy):
    known = build()
    pixels, times = shown(32, known.size)
    expected = answers(built(known.model, policy), pixels, times)
    with pretended():
        known = build()
        spread_over(known.model, TWO)
        assert answers(built(known.model, policy), pixels, times) == expected


@pytest.mark.slow
def test_bytes_are_the_closed_form_with_a_table_of_angles_on_each_device():
    with pretended():
        model = tiny_over_two()
        llm = built(model, "best2")
        context = llm.watch(*clip(32))
        shape = {"layers": 3, "kv_heads": 1, "head_dim": 32, "length": context.layout.length, "element_size": 4}
        one, two = (llm.kv_quant.closed_form_bytes(**shape, layout=context.layout, devices=count) for count in (1, 2))
        assert context.packed.ledger()["total"] == two > one


def test_the_judge_sees_what_is_left_on_another_device():
    with pretended():
        model = tiny_over_two()
        for layer in model.decoder.layers:
            layer._forward_pre_hooks.clear()
        with pytest.raises(RuntimeError, match="on meta:0, meta:1"):
            built(model).watch(*clip(8))


@pytest.mark.slow
def test_what_is_lost_is_measured_alike():
    pixels, times = clip(16)

    def measured(llm: VideoLLM) -> dict:
        prefill = llm.prefill(llm.look(pixels), times)
        return (
            AttentionKL(visual_rows=2)
            .measure(llm, prefill, llm.pack(prefill), QUESTIONS[:1], lambda: llm.tokens(llm.look(pixels)))[0]
            .figures()
        )

    expected = measured(built(tiny_model(), "int2"))
    assert expected["attention_kl/local/all/mean"] > 0
    with pretended():
        found = measured(built(tiny_over_two(), "int2"))
    # floors are of rounding alone, and off the CPU keys are read in larger blocks
    bounds = {name: 1e-6 if "/floor/" in name else 1e-9 for name in expected}
    assert found == {name: pytest.approx(value, abs=bounds[name]) for name, value in expected.items()}


def test_calibration_sees_the_same_numbers():
    def streamed(llm: VideoLLM) -> dict:
        pixels, times = clip(16)
        prefill = llm.prefill(llm.look(pixels), times)
        stream = Stream(bins=16, sinks=4)
        angles = llm.rope_strategy.angles(prefill.layout, prefill.geometry, prefill.factor)
        for _ in range(2):
            stream.add(prefill.layers, angles)
        return {kind: (one.low.tolist(), one.histogram.counts.tolist()) for kind, one in stream.statistics().items()}

    expected = streamed(built(tiny_model()))
    with pretended():
        model = tiny_over_two()
        assert streamed(built(model)) == expected


@pytest.mark.parametrize("rest", [0, 5, 40])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_shares_are_runs_of_about_equal_bytes(rest, count):
    sizes = torch.randint(1, 10, (32,), generator=torch.Generator().manual_seed(count)).tolist()
    devices = [torch.device("meta", index) for index in range(count)]
    places = [device.index for device in shared_out(rest, sizes, devices)]
    assert places == sorted(places)
    share = (rest + sum(sizes)) / count
    held = [sum(size for size, at in zip(sizes, places, strict=True) if at == one) for one in range(count)]
    held[0] += rest
    assert max(abs(one - share) for one in held) <= max(sizes)


def test_a_device_without_a_layer_is_refused():
    with pretended(), pytest.raises(BadInput, match="names 5 devices, 3 layers leave"):
        spread_over(tiny_model(), [torch.device(f"meta:{index}") for index in range(5)])


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ([], r"or a list like \[cuda:0,cuda:1\], got \[\]"),
        (["cuda:0", "cuda:0"], "got "),
        (["cuda:0", "gpu"], "got "),
        ("gpu", "model.device must be auto, balanced, cpu, cuda or a list like"),
        (0, "got 0"),
        (None, "got None"),
    ],
)
def test_no_device(device, said):
    with pytest.raises(BadInput, match=said):
        devices_of(device)


def test_gpus_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices_of("balanced") == (torch.device("cuda:0"), torch.device("cuda:1"))
    assert devices_of("auto") == (torch.device("cuda"),)
    assert devices_of(["cuda:1"]) == (torch.device("cuda:1"),)
    with pytest.raises(BadInput, match=r"model.device=cuda:2, but torch .* finds 2 GPU"):
        devices_of(["cuda:0", "cuda:2"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices_of("auto") == (torch.device("cpu"),)
    with pytest.raises(BadInput, match="finds no GPU"):
        devices_of("balanced")


@pytest.mark.parametrize(
    ("nodes", "chosen", "warned"),
    [(["/dev/nvidia3"], None, 1), (["/dev/nvidia3"], "0", 1), (["/dev/nvidia3"], "", 0), ([], None, 0)],
)
def test_a_gpu_that_torch_does_not_see_is_said(monkeypatch, caplog, nodes, chosen, warned):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    warn_of_unseen_gpus(nodes)
    lines = [line for line in caplog.messages if line.startswith("running on the CPU: /dev/nvidia3 is here, but torch")]
    assert len(lines) == warned
