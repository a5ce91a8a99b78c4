"""Fidelities: every method on the same specimens, with bits and bytes beside the losses, never a grand mean alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.report import answer_kl
from intpv.attention_kl.streaming import Side, compare
from intpv.kv_quant.kv_quant import Layers, NoQuant
from intpv.metrics.interval import bootstrap, ratio

from .allowance import Allowances
from .intpv_methods import Packed
from .methods import Method
from .prefix import Specimen, VideoLike, sharpness
from .watched_layers import Watched

# Fidelity: what becomes of keys, values, attention and its output when a prefix is held by some method.


@dataclass(frozen=True)
class Loss:
    """Per layer and head (L, H), or key head (L, H_kv); sums over tokens or rows, in float64.

    `kl` is the mean over rows, in nats, of KL(exact || held) over prefix and own keys: it sees keys only.
    """

    kl: Float[Tensor, "L H"]
    squares: dict[str, tuple[Float[Tensor, "L _"], Float[Tensor, "L _"]]]  # of the error, and of what it is relative to

    def relative(self) -> dict[str, float]:
        """Relative Frobenius errors over all layers and heads."""
        return {name: (error.sum() / norm.sum()).sqrt().item() for name, (error, norm) in self.squares.items()}


def loss(specimen: Specimen, dense: Layers) -> Loss:
    """`dense` is what attention sees of the prefix, in the order of its tokens."""
    groups = KeyGroups.of(specimen.layout, sinks=0)
    exact, held = (NoQuant().pack(layers, specimen.layout, None).layers for layers in (specimen.layers, dense))
    kl = []
    squares: dict[str, list[tuple[Tensor, Tensor]]] = {"key": [], "value": [], "output": []}
    for asked, ours, theirs, pair, found in zip(specimen.asked, exact, held, specimen.layers, dense, strict=True):
        comparison = compare(Side(asked, ours), Side(asked, theirs), groups)
        kl.append(comparison.all_keys.kl.double().mean(1))
        squares["output"].append((comparison.error.double().sum(1), comparison.norm.double().sum(1)))
        for name, right, wrong in zip(("key", "value"), pair, found, strict=True):
            right, wrong = right.double(), wrong.double()
            squares[name].append(((right - wrong).square().sum((1, 2)), right.square().sum((1, 2))))
    stacked = {}
    for name, sums in squares.items():
        errors, norms = zip(*sums, strict=True)
        stacked[name] = (torch.stack(errors), torch.stack(norms))
    return Loss(torch.stack(kl), stacked)


# Ratios: the attention KL of one method over another's, with what it says about the spread over units.


EQUAL = 1.05  # times their bits that ours may have for a comparison at equal bits: groups seldom fit to the last token
# ours, theirs, the most that the ratio may be at equal bits (None: reported only)
PAIRS = (
    ("best2", "quanto2 K0 V0", 0.1),
    ("best2", "quanto2 K-1 V0", 0.6),
    ("best2", "kivi K g64", 1.0),
    ("best2", "kivi", 1.0),
    ("best2 g32", "quanto2 K0 V0", 0.1),
    ("best2 g32", "quanto2 K-1 V0", 0.6),
    ("best2 g32", "kivi", 1.0),
    ("best2_sink", "quanto2 K-1 V0", 0.4),
    ("best2_sink", "kivi", 1.0),
    ("int2", "quanto2 K-1 V0", 0.4),
    ("int4", "quanto4 K0 V0", None),
    ("int4", "quanto4 K-1 V0", None),
    ("int8", "hqq8 K0 V0", None),
)


def ratios(kl: Mapping[str, Sequence[float]], bits: Mapping[str, float]) -> list[dict]:
    """One line for each pair that was measured. `kl` is per unit (a head of a seed, or a clip), the same units for all.

    The ratio is that of the means; its 95 % interval is a bootstrap over units, which are drawn for both at once.
    """
    return [
        {
            "ours": ours,
            "theirs": theirs,
            "bits": [bits[ours], bits[theirs]],
            "at_most": limit if bits[ours] <= EQUAL * bits[theirs] else None,
            **of_pair(kl[ours], kl[theirs]),
        }
        for ours, theirs, limit in PAIRS
        if ours in kl and theirs in kl
    ]


def of_pair(ours: Sequence[float], theirs: Sequence[float]) -> dict:
    """`median` and `most` are of the units' own ratios; `interval` is None with one unit."""
    both = np.array([ours, theirs], dtype=float).T
    single = both[:, 0] / both[:, 1]
    interval = bootstrap(both, ratio)
    return {
        "ratio": float(both[:, 0].sum() / both[:, 1].sum()),
        "interval": interval and list(interval),
        "median": float(np.median(single)),
        "most": float(single.max()),
        "units": len(both),
    }


# Storages: the bytes that an object really holds, whatever classes its tensors hide in.
#
# Every object that can be reached is walked; a tensor subclass is opened by its __tensor_flatten__ (quanto keeps its
# codes there, and the wrapper's own nbytes are those of what it stands for). Storages are counted once, and whole: a
# view keeps all of its storage alive.


def bytes_held(held: object) -> int:
    """Bytes of the unique storages behind all tensors within reach."""
    storages = (tensor.untyped_storage() for tensor in plain(held))
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def plain(held: object) -> Iterator[torch.Tensor]:
    """All plain tensors within reach of `held`, its attributes, members and values; each at least once."""
    seen: set[int] = set()
    waiting = [held]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | torch.nn.Module):  # a model is no part of its cache
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            if hasattr(one, "__tensor_flatten__"):
                waiting += [getattr(one, name) for name in one.__tensor_flatten__()[0]]
            else:
                yield one
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple | set):
            waiting += one
        else:
            waiting += getattr(one, "__dict__", {}).values()


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
        if isinstance(held, Packed):
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
            found["answer_kl"] = {"mean": mean, "interval": interval and list(interval), "units": len(sums)}
            found["answers_changed"] = torch.cat(self.changed).double().mean().item()
        return found


def pooled(losses: Sequence[Loss]) -> dict[str, float]:
    """Relative Frobenius errors of key, value and output over all specimens."""
    names = losses[0].squares
    sums = {name: [sum(one.squares[name][part].sum() for one in losses) for part in (0, 1)] for name in names}
    return {name: sqrt(error / norm) for name, (error, norm) in sums.items()}


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


def on_clips(clips: Iterable[Watched | Specimen], methods: Mapping[str, Method], allowances: Allowances) -> dict:
    """Real layers, of clips that are asked about or of text that is only read; a unit of the intervals is a clip or a
    stretch of text, a head of the figures a layer's head, its mean over them."""
    tallies: dict[str, Tally] = {}
    tokens = []
    for one in clips:
        specimen, clip = (one, None) if isinstance(one, Specimen) else (one.specimen, one)
        tokens.append(specimen.layout.length)
        _add(tallies, methods, allowances, specimen, clip)
    whole = {name: tally for name, tally in tallies.items() if len(tally.losses) == len(tokens)}
    heads = {name: torch.stack([one.kl for one in tally.losses]).mean(0).flatten() for name, tally in whole.items()}
    units = {name: [one.kl.mean().item() for one in tally.losses] for name, tally in whole.items()}
    return _result(whole, heads, units) | {"tokens": tokens, "dtype": str(specimen.layers[0][0].dtype)}


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
