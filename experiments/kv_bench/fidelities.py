"""Fidelities: every method on the same specimens, with bits and bytes beside the losses, never a grand mean alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from intpv.attention_kl.answers import answer_kl
from intpv.measure.interval import bootstrap, ratio

from .allowance import Allowances
from .fidelity import Loss, loss
from .flipbook_layers import Watched
from .methods import Method
from .ratios import ratios
from .specimen import Specimen
from .storages import bytes_held
from .video_like import VideoLike, sharpness


@dataclass
class Tally:
    """What one method did to the specimens so far."""

    losses: list[Loss] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    bits: list[float] = field(default_factory=list)
    closed_form: list[int] = field(default_factory=list)  # of ours
    answers: list[torch.Tensor] = field(default_factory=list)  # (Q,) KL per clip
    changed: list[torch.Tensor] = field(default_factory=list)  # (Q,) whether the likeliest first token is another

    def add(self, method: Method, specimen: Specimen) -> None:
        held = method.hold(specimen, room=1)
        nbytes = bytes_held(held.held)
        self.losses.append(loss(specimen, held.dense()))
        self.bytes.append(nbytes)
        self.bits.append(8 * nbytes / specimen.elements)
        if not method.is_peer:
            self.closed_form.append(held.closed_form(specimen))

    def ask(self, method: Method, clip: Watched) -> None:
        logits = method.answers(clip.video_llm, clip.prefill, clip.questions)
        self.answers.append(answer_kl(clip.logits, logits))
        self.changed.append(clip.logits.argmax(-1) != logits.argmax(-1))

    def row(self, kl: torch.Tensor) -> dict:
        """`kl` is per head; errors are over all specimens together."""
        points = {"median": 0.5, "p95": 0.95, "max": 1.0}
        found = {
            "bits_per_element": sum(self.bits) / len(self.bits),
            "bytes": self.bytes,
            "kl": {"mean": kl.mean().item(), **{name: kl.quantile(at).item() for name, at in points.items()}},
            "errors": pooled(self.losses),
        }
        if self.closed_form:
            found["equals_closed_form"] = self.closed_form == self.bytes
        if self.answers:
            sums = torch.stack([torch.stack([one.sum(), one.new_tensor(len(one))]) for one in self.answers]).numpy()
            interval, mean = bootstrap(sums, ratio), float(sums[:, 0].sum() / sums[:, 1].sum())
            found["answer_kl"] = {"mean": mean, "interval": interval and list(interval)}
            found["answers_changed"] = torch.cat(self.changed).double().mean().item()
        return found


def pooled(losses: Sequence[Loss]) -> dict[str, float]:
    """Relative Frobenius errors of key, value and output over all specimens."""
    names = losses[0].squares
    sums = {name: [sum(one.squares[name][part].sum() for one in losses) for part in (0, 1)] for name in names}
    return {name: (error / norm).sqrt().item() for name, (error, norm) in sums.items()}


def on_video_like(
    drawn: VideoLike, seeds: Iterable[int], methods: Mapping[str, Method], allowances: Allowances
) -> dict:
    """Drawn layers; a unit of the intervals, and a head of the figures, is a head of a seed."""
    tallies: dict[str, Tally] = {}
    achieved = []
    for seed in seeds:
        specimen = drawn.draw(seed)
        achieved.append(sharpness(specimen.asked[0].q, specimen.layers[0][0]))
        _add(tallies, methods, allowances, specimen)
    whole = {name: tally for name, tally in tallies.items() if len(tally.losses) == len(achieved)}
    heads = {name: torch.cat([one.kl.flatten() for one in tally.losses]) for name, tally in whole.items()}
    units = {name: kl.tolist() for name, kl in heads.items()}
    return _result(whole, heads, units) | {"achieved": achieved, "dtype": str(drawn.dtype).removeprefix("torch.")}


def on_clips(clips: Iterable[Watched], methods: Mapping[str, Method], allowances: Allowances) -> dict:
    """Real layers; a unit of the intervals is a clip, a head of the figures a layer's head, its mean over clips."""
    tallies: dict[str, Tally] = {}
    tokens = []
    for clip in clips:
        tokens.append(clip.specimen.layout.length)
        _add(tallies, methods, allowances, clip.specimen, clip)
    whole = {name: tally for name, tally in tallies.items() if len(tally.answers) == len(tokens)}
    heads = {name: torch.stack([one.kl for one in tally.losses]).mean(0).flatten() for name, tally in whole.items()}
    units = {name: [one.kl.mean().item() for one in tally.losses] for name, tally in whole.items()}
    return _result(whole, heads, units) | {"tokens": tokens, "dtype": str(clip.specimen.layers[0][0].dtype)}


def _add(tallies: dict[str, Tally], methods, allowances: Allowances, specimen: Specimen, clip: Watched | None = None):
    for name, method in methods.items():
        if name in allowances.skipped or not method.fits(specimen):
            continue
        with allowances.spending(name, method.is_peer):
            tally = tallies.setdefault(name, Tally())
            tally.add(method, specimen)
            if clip:
                tally.ask(method, clip)


def _result(tallies: Mapping[str, Tally], heads: Mapping[str, torch.Tensor], units: Mapping[str, list[float]]) -> dict:
    rows = {name: tally.row(heads[name]) for name, tally in tallies.items()}
    bits = {name: row["bits_per_element"] for name, row in rows.items()}
    return {"methods": rows, "ratios": ratios(units, bits), "kl_of_units": dict(units)}
