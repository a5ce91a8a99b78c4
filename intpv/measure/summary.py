"""Summary: every metric that the lines of samples.jsonl alone can tell, overall and for each regime."""

from intpv.measure.accuracy import accuracy
from intpv.measure.interval import accuracy_interval, skill_interval
from intpv.measure.sample import Samples
from intpv.measure.skill import skill
from intpv.measure.subsets import by_regime
from intpv.measure.when import when


def summarise(samples: Samples) -> dict[str, float]:
    """Flat metrics by name, sorted; what is undefined is left out, never NaN. The same for any order of the lines."""
    metrics = {**_measured(samples), **by_regime(samples, _measured)}
    return dict(sorted(metrics.items()))


def _measured(samples: Samples) -> dict[str, float]:
    size = {"questions": float(len(samples)), "videos": float(len({sample["video"] for sample in samples}))}
    rates = {**accuracy(samples), **accuracy_interval(samples), **skill(samples), **skill_interval(samples)}
    return {**size, **rates, **when(samples)}
