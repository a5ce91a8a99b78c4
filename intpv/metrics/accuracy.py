"""Accuracy, free and restricted to the options, with the rates that tell how to read it."""

from operator import itemgetter

from intpv.metrics.sample import Samples, groups, is_answered, is_correct, is_restricted_correct, mean


def accuracy(samples: Samples) -> dict[str, float]:
    """All between 0 and 1; empty for no lines.

    accuracy             correct / asked; a question that could not be answered counts as wrong
    accuracy/<kind>      the same, of one kind
    accuracy_macro       mean of these over the kinds, as MLVU and MVBench score; left out where there is one kind
    accuracy_restricted  the likeliest option is the answer / asked with options; left out where none was scored
    accuracy_answered    correct / answered: what the files that could be read tell; left out where nothing was answered
    invalid_rate         answers outside the option set / answered; left out where nothing was answered
    coverage             answered / asked

    >>> line = {"kind": "count", "options": [], "error": None, "valid": True}
    >>> accuracy([line | {"correct": True}, line | {"correct": False}])
    {'accuracy': 0.5, 'coverage': 1.0, 'accuracy/count': 0.5, 'accuracy_answered': 0.5, 'invalid_rate': 0.0}
    """
    if not samples:
        return {}
    answered = [sample for sample in samples if is_answered(sample)]
    closed = [sample for sample in samples if sample["options"]]
    by_kind = groups(samples, itemgetter("kind"))
    metrics = {"accuracy": mean([is_correct(s) for s in samples]), "coverage": len(answered) / len(samples)}
    of_kinds = {f"accuracy/{kind}": mean([is_correct(s) for s in lines]) for kind, lines in by_kind.items()}
    metrics |= of_kinds
    if len(of_kinds) > 1:
        metrics["accuracy_macro"] = mean([*of_kinds.values()])
    if any(sample.get("choice") is not None for sample in closed):
        metrics["accuracy_restricted"] = mean([is_restricted_correct(s) for s in closed])
    if answered:
        metrics["accuracy_answered"] = mean([is_correct(s) for s in answered])
        metrics["invalid_rate"] = mean([not s["valid"] for s in answered])
    return metrics
