"""What a judge's verdicts say beside accuracy: scores, replies that say nothing, and its bias against people."""

from collections.abc import Sequence

from intpv.metrics.prediction_powered import prediction_powered
from intpv.metrics.sample import Samples, mean
from intpv.record.samples import Sample

JUDGED = "scorer=llm_judge"
LABELLED = f"{JUDGED}, scorer.labels names some of the answers"
# rows of names.py: when present -> name, unit, meaning
JUDGE_ROWS: dict[str, tuple[tuple[str, str, str], ...]] = {
    JUDGED: (
        ("[<regime>/]judge/score", "0 to 5", "Mean score that the judge gives; an empty prediction has 0."),
        ("[<regime>/]judge/accuracy_parsed", "0 to 1", "Yes over yes and no, as published; an empty prediction is no."),
        ("[<regime>/]judge/unparsed", "0 to 1", "Answers judged neither yes nor no, which count as wrong, over asked."),
        ("[<regime>/]judge/contradictory", "0 to 1", "Yes with a score of 0 or 1, no with 4 or 5, over yes and no."),
    ),
    LABELLED: (
        ("[<regime>/]judge/human", "answers", "Answers of the cell that people have judged too."),
        ("[<regime>/]judge/human_agreement", "0 to 1", "Share of these on which the judge says what people say."),
    ),
    f"{LABELLED}, of 2 videos or more": (
        ("[<regime>/]judge/corrected_accuracy", "0 to 1", "Accuracy freed of the judge's bias (arXiv 2311.01453)."),
        ("[<regime>/]judge/corrected_accuracy_ci95_<end>", "0 to 1", "Its 95 % interval, over videos."),
    ),
}


def judged(samples: Samples) -> dict[str, float]:
    """Empty for samples that no judge was asked about.

    >>> line = {"video": "cat", "error": None}
    >>> yes = line | {"verdict": "yes", "correct": True, "judge_score": 4.0}
    >>> judged([yes, line | {"verdict": "none", "correct": False, "judge_score": None}])["judge/unparsed"]
    0.5
    """
    asked = [sample for sample in samples if sample.get("verdict") is not None]
    said = [sample for sample in asked if _verdict(sample) != "none"]
    empty = [sample for sample in samples if sample.get("verdict") is None and sample["error"] is None]
    scores = [score for sample in samples if (score := sample.get("judge_score")) is not None]
    metrics: dict[str, float] = {}
    if asked:
        metrics["judge/unparsed"] = (len(asked) - len(said)) / len(asked)
    if scores and asked:
        metrics["judge/score"] = mean(scores)  # type: ignore[arg-type]
    if said:
        metrics["judge/accuracy_parsed"] = mean([_verdict(sample) == "yes" for sample in (*said, *empty)])
        metrics["judge/contradictory"] = mean([_is_contradictory(sample) for sample in said])
    return metrics | _against_people(samples, asked)


def _against_people(samples: Samples, asked: Sequence[Sample]) -> dict[str, float]:
    """What was not asked is wrong for certain: the asked ones alone are corrected."""
    human = [sample.get("human") for sample in asked]
    both = [
        (bool(sample["correct"]), bool(person))
        for sample, person in zip(asked, human, strict=True)
        if person is not None
    ]
    if not both:
        return {}
    metrics = {
        "judge/human": float(len(both)),
        "judge/human_agreement": mean([judge == person for judge, person in both]),
    }
    verdicts = [float(sample["correct"]) for sample in asked]
    people = [None if person is None else float(person) for person in human]  # type: ignore[arg-type]
    never_asked = [sample["video"] for sample in samples if sample.get("verdict") is None]
    corrected = prediction_powered(verdicts, people, [sample["video"] for sample in asked], never_asked)
    if corrected is None:
        return metrics
    name = "judge/corrected_accuracy"
    return metrics | {name: corrected.mean, f"{name}_ci95_low": corrected.low, f"{name}_ci95_high": corrected.high}


def _verdict(sample: Sample) -> object:
    return sample.get("verdict")


def _is_contradictory(sample: Sample) -> bool:
    score = sample.get("judge_score")
    if not isinstance(score, int | float):
        return False
    return score <= 1 if _verdict(sample) == "yes" else score >= 4
