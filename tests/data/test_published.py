"""Published prompts: a name stands for the template and the form of its options, and both can be one's own."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from intpv.data.activitynet_qa import ActivityNetQa
from intpv.data.mvbench import MvBench
from intpv.data.tempcompass import TempCompass
from intpv.errors import BadInput
from intpv.options import option

ENTRY = {"video": "a.mp4", "question": "What?", "candidates": ["red", "blue"], "answer": "blue"}
YAMLS = {
    file.stem: OmegaConf.to_container(OmegaConf.load(file))
    for file in sorted((Path(__file__).parents[2] / "conf" / "data").glob("*.yaml"))
}
PROMPTS = [(name, prompt) for name, fields in YAMLS.items() for prompt in fields.get("prompts", ())]
TWO = {
    "original": {"prompt": "Q: {question}\n{options}\nBest:", "option": "({letter}) {option}"},
    "lmms_eval": {"prompt": "{question}\n{options}", "option": "{letter}. {option}"},
}


def _asked(write, **fields):
    root = write({"json/state_change.json": [ENTRY]})
    return MvBench(root, kinds=["state_change"], **fields).items()[0].questions[0].text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"prompt": "original"}, "Q: What?\n(A) red\n(B) blue\nBest:"),
        ({"prompt": "lmms_eval"}, "What?\nA. red\nB. blue"),
        ({"prompt": "lmms_eval", "option": "{option}"}, "What?\nred\nblue"),
        ({"prompt": "{options} {question}"}, "A. red\nB. blue What?"),
        ({"prompt": "{options} {question}", "option": "- {option}"}, "- red\n- blue What?"),
    ],
)
def test_a_name_stands_for_what_was_published(write, fields, text):
    assert _asked(write, prompts=TWO, **fields) == text


def test_an_unknown_name():
    with pytest.raises(BadInput, match=r"data.prompt must be one of original, lmms_eval, or a template .*, got vlm$"):
        MvBench(prompt="vlm", prompts=TWO)


def test_a_prompt_that_differs_by_split():
    prompts = {"original": {"prompt": {"yes_no": "{question}\nYes or no?"}}}
    assert TempCompass(split="yes_no", prompt="original", prompts=prompts).prompt == "{question}\nYes or no?"
    with pytest.raises(BadInput, match=r"data.prompt=original is for the splits yes_no, got multi-choice"):
        TempCompass(prompt="original", prompts=prompts)


def test_a_question_in_lower_case_becomes_a_sentence(write):
    question = {"video_name": "a", "question": "is it a dog", "question_id": "a_0"}
    root = write({"test_q.json": [question], "test_a.json": [{"answer": "no", "type": 3, "question_id": "a_0"}]})
    (item,) = ActivityNetQa(root, prompt="{Question}? Answer shortly.").items()
    assert item.questions[0].text == "Is it a dog? Answer shortly."


@pytest.mark.parametrize(("name", "prompt"), PROMPTS)
def test_every_published_prompt_is_a_template_of_every_split(name, prompt):
    known = YAMLS[name]["prompts"][prompt]["prompt"]
    for split in known if isinstance(known, dict) else [YAMLS[name]["split"]]:
        made = option("data", name, prompt=prompt, split=split)
        assert made.prompt == (known[split] if isinstance(known, dict) else known)
    assert YAMLS[name]["prompt"] in YAMLS[name]["prompts"]
