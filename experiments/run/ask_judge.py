"""Ask a judge about saved predictions: what it will cost, a bar while it goes, and at the end what it did wrong."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from intpv.bounds import shown
from intpv.errors import BadInput
from intpv.escape import printable
from intpv.record.samples import Sample
from intpv.scorer.judge.client import Reply, Stopped
from intpv.scorer.judge.judging import Judged, judge_all
from intpv.scorer.judge.verdict import parse_verdict
from intpv.scorer.llm_judge import PLACES, Estimate, LLMJudge

from .messages import INTERRUPTED

STEPS = 10  # lines of progress where there is no terminal
MUTE = 20  # first replies without a verdict: the judge is not asked the rest for money


def ask_judge(judge: LLMJudge, samples: Sequence[Sample], dry_run: bool) -> Judged:
    """All that was not judged before. BadInput where the judge answers nobody, with how much is kept.

    The samples whose keys are in `failed` have no verdict yet; those in `refused` never will.
    """
    _check_labels(judge, samples)
    wanted = judge.wanted(samples)
    left = {key: sample for key, sample in wanted.items() if key not in judge.store}
    if closed := sum(bool(sample["options"]) for sample in wanted.values()):
        _say(f"{closed:,} of these questions have options, which the judge is not shown: see scorer=letters")
    if judge.store.spoilt:
        _say(f"{judge.store.file}: {judge.store.spoilt} lines are no replies, and are asked again")
    _say(estimate_line(judge, judge.estimate(wanted)))
    if dry_run or not left:
        return Judged()
    client = judge.client()
    messages = {key: judge.messages(sample) for key, sample in left.items()}

    heard = [key for key, sample in wanted.items() if judge.verdict(sample)]
    mute: list[str] = []

    def keep(key: str, reply: Reply) -> None:
        sample = left[key]
        judge.store.keep(key, reply, {place: str(dict(sample)[place]) for place in PLACES})
        if reply.refused is None and not heard:
            (heard if parse_verdict(reply.text) else mute).append(key)
            if len(mute) >= MUTE:
                why = "see scorer.max_tokens, scorer.body and scorer.user"
                raise Stopped(f"the first {MUTE} replies say neither yes nor no, as {shown(reply.text[:60])}: {why}")

    kept = f"replies are kept in {judge.store.file}: the same command goes on"
    try:
        with _Bar(len(left)) as bar:
            judged = judge_all(messages, client.ask, keep, judge.patience, bar.show, len(judge.store) > 0)
    except BadInput as error:
        raise BadInput(f"{error}; {len(judge.store)} {kept}") from None
    except KeyboardInterrupt:
        _say(f"interrupted: {len(judge.store)} {kept}")
        sys.exit(INTERRUPTED)
    _say(outcome_line(judge, left, judged))
    if judged.failed:
        cause = next(iter(judged.failed.values()))
        _say(f"{len(judged.failed)} answers have no verdict yet ({cause}); {len(judge.store)} {kept}")
    return judged


def _check_labels(judge: LLMJudge, samples: Sequence[Sample]) -> None:
    """BadInput where people have labelled other predictions than these: nothing would be corrected."""
    labels = len(judge.human.labels)
    if labels and not any(judge.human.of(sample) is not None for sample in samples):
        of_these = "id and prediction must be as in samples.jsonl"
        raise BadInput(f"scorer.labels: none of the {labels} in {judge.labels} is of a prediction here: {of_these}")


def estimate_line(judge: LLMJudge, estimate: Estimate) -> str:
    """What is asked of whom, and what that takes."""
    left = estimate.answers - estimate.known
    usd = "" if estimate.usd is None else f", {estimate.usd:.2f} USD"
    cost = f": about {estimate.tokens_in:,} tokens in and {estimate.tokens_out:,} out at most{usd}" if left else ""
    known = f", {estimate.known:,} of them judged before" if estimate.known else ""
    known += f" ({estimate.refused:,} refused)" if estimate.refused else ""
    return f"judge {judge.name}: {estimate.answers:,} different answers{known}, {left:,} to ask{cost}"


def outcome_line(judge: LLMJudge, asked: Mapping[str, Sample], judged: Judged) -> str:
    """What came back, and what went wrong on the way: everything is counted."""
    replies = [reply for key in asked if (reply := judge.store.get(key)) and reply.refused is None]
    unparsed = sum(parse_verdict(reply.text) is None for reply in replies)
    served = Counter(reply.served for reply in replies if reply.served)
    parts = [f"{len(asked):,} asked", f"{judged.answered:,} answered", f"{unparsed:,} say neither yes nor no"]
    parts += [f"{len(judged.refused):,} refused"] if judged.refused else []
    parts += [f"{cause} met {times} times" for cause, times in sorted(judged.troubles.items()) if cause != "refused"]
    parts += [f"served as {', '.join(served)}"] if set(served) - {judge.model} else []
    return f"judge {judge.name}: {', '.join(parts)}"


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


class _Bar:
    """A bar on a terminal, a line for each tenth elsewhere."""

    def __init__(self, total: int) -> None:
        self.total, self.console, self.said = total, Console(stderr=True), 0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bars = Progress(
            *columns, TimeRemainingColumn(), console=self.console, disable=not self.console.is_terminal
        )
        self.task = self.bars.add_task("judged", total=total)

    def __enter__(self) -> "_Bar":
        self.bars.start()
        return self

    def __exit__(self, *error) -> None:
        self.bars.stop()

    def show(self, judged: Judged) -> None:
        done = judged.answered + len(judged.refused) + len(judged.failed)
        met = sum(judged.troubles.values())
        self.bars.update(self.task, completed=done, description=f"judged, {met} troubles" if met else "judged")
        if not self.console.is_terminal and done * STEPS // self.total > self.said:
            self.said = done * STEPS // self.total
            _say(f"judged {done:,} of {self.total:,}")
