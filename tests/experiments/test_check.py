"""The check verb: sound models pass, what is broken ends with 1, what does not load ends with 2 and one line."""

import sys
from dataclasses import dataclass

import pytest

from experiments import check
from experiments.run.command import run_config
from experiments.run.options import options_of
from intpv.errors import BadInput
from intpv.rope_strategy.strategy import RopeStrategy

from ..pretended import pretended
from ..tiny import tiny_model

TINY = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "llm_width": 64,
}
LLM = {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def broken(**_):
    """A loader that a config may name: declares that it does not mix time, and does."""
    model = tiny_model()
    model.encoder.mixes_time = False
    return model


def incomplete(**_):
    """A loader that takes something that is not there."""
    return tiny_model().encoder.vision_tower


@dataclass(frozen=True, kw_only=True)
class Backwards(RopeStrategy):
    """A strategy that a config may name: beyond the trained length all channels turn the other way."""

    def inv_freq(self, geometry, factor):
        return super().inv_freq(geometry, factor) * (1 if factor == 1 else -1)


@pytest.fixture
def ended(monkeypatch, capsys):
    """(exit code, standard output, standard error)"""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["check", "trainer.threads=1", *arguments])
        with pytest.raises(SystemExit) as end:
            check.main()
        return end.value.code, *capsys.readouterr()

    return run


@pytest.mark.slow
def test_the_mini_model_passes_with_every_option(ended):
    code, out, _ = ended("model=mini")
    assert code == 0
    verdicts = [line.split()[0] for line in out.splitlines()[:-1]]
    assert set(verdicts) == {"ok"}
    assert out.splitlines()[-1].startswith("0 checks failed, in ")
    options = [f"{group}={option} " for group in ("rope_strategy", "kv_quant") for option in options_of(group)]
    assert len(options) > 10
    assert all(option in out for option in options)


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["cpu", "[meta:0,meta:1]"])
def test_random_weights_of_a_large_model_pass_or_refuse_what_is_calibrated(ended, devices):
    sizes = [f"encoder.{key}={value}" for key, value in TINY.items()]
    sizes += [f"model.llm.{key}={value}" for key, value in LLM.items()]
    with pretended():
        code, out, _ = ended("model=video_llava_7b", "model.weights=random", f"model.device={devices}", *sizes)
    assert code == 0
    refused = [line for line in out.splitlines() if line.startswith("refused")]
    assert {line.split()[1] for line in refused} == {"kv_quant=paper_channel", "kv_quant=paper_tensor"}
    assert all("was calibrated on model mini" in line for line in refused)


@pytest.mark.slow
def test_one_fault_is_one_line_and_exit_code_1(ended):
    code, out, _ = ended("model=random", "model._target_=tests.experiments.test_check.broken")
    assert code == 1
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("FAIL")] == [["FAIL", "mixes_time"]]
    assert "measured True, declared False" in out


def test_a_loader_that_breaks_is_one_line_that_says_where(ended):
    code, out, error = ended("model=random", "model._target_=tests.experiments.test_check.incomplete")
    assert (code, error) == (1, "")
    assert out.startswith("FAIL    loads")
    assert "has no attribute 'vision_tower' (" in out
    assert len(out.splitlines()) == 1


def test_naming_an_option_checks_its_laws_and_no_model(ended):
    code, out, _ = ended("scorer=exact")
    assert code == 0
    *laws, last = out.splitlines()
    assert [law[8:38].strip() for law in laws] == ["answer is right", "others are wrong", "same score again"]
    assert last.startswith("0 checks failed, in ")


def test_a_strategy_that_breaks_a_law_ends_with_1_in_check_and_with_2_elsewhere(ended):
    target = f"rope_strategy._target_={Backwards.__module__}.Backwards"
    code, out, _ = ended("rope_strategy=linear", target)
    assert code == 1
    assert out.splitlines()[0].startswith("FAIL    frequencies")
    assert "Backwards.inv_freq must be finite and above 0, got -1 rad per token in channel 0 at factor 1.5" in out
    with pytest.raises(
        BadInput, match=r"rope_strategy=linear: Backwards\.inv_freq must be .* in channel 0 at factor 2"
    ):
        run_config(["rope_strategy=linear", target], None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["model=mine"], "model=mine is no option"),
        (["model=hf_llava"], "model=hf_llava reads a checkpoint of yours: model.path=FOLDER"),
        (["model=hf_llava", "model.path=/no/where"], "model.path=/no/where is no folder: hf download llava-hf/"),
        (["model=mini", "model.lora=/no/where"], "model.lora"),
    ],
)
def test_what_does_not_load_is_one_line_and_exit_code_2(ended, arguments, line):
    code, out, error = ended(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"check: {line}")
    assert len(error.splitlines()) == 1
