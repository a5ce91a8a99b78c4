"""Human labels: of a prediction, in either kind of file; what cannot be read is named."""

import pytest

from intpv.errors import BadInput
from intpv.scorer.judge.human import HumanLabels


def test_a_label_belongs_to_a_prediction(tmp_path, answered):
    (tmp_path / "a.csv").write_text("id,prediction,correct\nv0/0,a  dog,yes\nv1/0,a cat,0\n")
    (tmp_path / "a.jsonl").write_text(
        '{"id": "v0/0", "prediction": "a dog", "correct": true}\n\n'
        '{"id": "v1/0", "prediction": "a cat", "correct": "no"}\n'
    )
    for name in ("a.csv", "a.jsonl"):
        human = HumanLabels.read(tmp_path / name)
        assert human.of(answered("v0/0", "a dog")) is True
        assert human.of(answered("v1/0", "a cat")) is False
        assert human.of(answered("v1/0", "a dog")) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"id": "1", "prediction": "x", "correct": "maybe"}', "line 1: correct must be yes or no, got maybe"),
        ('{"id": "1", "prediction": "x"}', "line 1: correct is missing, got id, prediction"),
        ("\n[1]", "line 2: must be a JSON object, got"),
        (
            '{"id": 1, "prediction": "x", "correct": 1}\n{"id": 1, "prediction": "x", "correct": 0}',
            "line 2: correct must be",
        ),
    ],
)
def test_bad_labels(tmp_path, text, line):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(BadInput) as refused:
        HumanLabels.read(tmp_path / "a.jsonl")
    assert line in str(refused.value)
