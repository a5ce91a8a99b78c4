"""Published prompts: a name stands for the template and the form of its options, and both can be one's own.

And published answers, of real files where they are at hand: each is right by the scorer that the option's head names.
"""

import re
from pathlib import Path
from string import ascii_uppercase

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
REAL = {  # option -> its fields, path -> published file; some of them
    "activitynet_qa": ({}, {"test_q.json": "activitynet_test_q.json", "test_a.json": "activitynet_test_a.json"}),
    "tgif_qa": ({"questions": "tgif.csv"}, {"tgif.csv": "tgif_Test_frameqa_question.csv"}),
    "nextqa": (
        {"split": "val"},
        {"val.csv": "nextqa_val.csv", "map_vid_vidorID.json": "nextqa_map_vid_vidorID.json"},
    ),
    "mlvu": (
        {"kinds": ["plotQA", "count"]},
        {f"json/{stem}.json": f"mlvu_{stem}.json" for stem in ("1_plotQA", "4_count")},
    ),
    "tempcompass": ({}, {"questions/multi-choice.json": "tempcompass_multi-choice.json"}),
    "tempcompass yes_no": ({"split": "yes_no"}, {"questions/yes_no.json": "tempcompass_yes_no.json"}),
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


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_published_answers_are_right_by_the_scorer_of_the_head(published, name):
    fields, files = REAL[name]
    benchmark = option("data", name.split()[0], root=published(files), **fields)
    head = (Path(__file__).parents[2] / "conf" / "data" / f"{benchmark.name}.yaml").read_text()
    scorer = option("scorer", re.search(r"scorer=(\w+)", head)[1])
    questions = [question for item in benchmark.items() for question in item.questions]
    wrong = [one for one in questions if not scorer.score(one.answer, one).correct]
    assert not wrong
    for one in questions:
        if one.options:
            letter = ascii_uppercase[one.options.index(one.answer)]
            assert scorer.score(f"({letter})", one).correct
