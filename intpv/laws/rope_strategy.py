"""Laws of a RoPE strategy: its tables at several sizes of head and video, then what a model makes of them.

Tables are asked for without a model, at the factors 1, 1.5, 4 and 7.3. What is shown to the model is a clip of noise.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from intpv.check import rotation, scaling
from intpv.check.finding import Check, Wrong
from intpv.check.scaling import at_factor
from intpv.check.shown_model import QUESTIONS, Subject
from intpv.errors import BadInput
from intpv.laws.traces import Traces
from intpv.layout import Layout, Span
from intpv.options import homes, option
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.rotation import angles_of, check_frequencies, check_positions
from intpv.rope_strategy.strategy import RopeStrategy, counts

FACTORS = (1.0, 1.5, 4.0, 7.3)
# Vicuna's; Llama 3's in the visual window of Video-LLaVA; a small one whose window is shorter than what it is shown
SIZES = (
    RopeGeometry(128, 10000.0, 4096),
    RopeGeometry(64, 500000.0, 2056),
    RopeGeometry(32, 100.0, 80),
)


def video(num_frames: int, tokens: int = 5) -> Layout:
    """Text, `num_frames` frames of `tokens` tokens, a word of text in the middle, text."""
    frames = [Span(tokens, time=0.5 * index) for index in range(num_frames)]
    half = num_frames // 2
    return Layout((Span(3), *frames[:half], Span(1), *frames[half:], Span(2)))


LAYOUTS = (video(8), video(32))


def grid_video(slots: int, moves: bool) -> Layout:
    """M-RoPE: frames of 2 x 3 tokens that share a place and differ in time, or that the sequence moves on between."""
    frames = [
        Span(6, float(i), (2, 3), late=0 if moves else 2 * i, advance=3 if moves or i + 1 == slots else 0)
        for i in range(slots)
    ]
    return Layout((Span(4), *frames, Span(2)))


# channels of an axis one after another, as in Qwen2.5-VL, or interleaved, as in Qwen3-VL
AXES_OF = ((0,) * 6 + (1,) * 5 + (2,) * 5, (0, 1, 2) * 5 + (0,))


def checks(strategy: RopeStrategy, subject: Callable[[], Subject]) -> list[Check]:
    """In the order of need. `subject` is called by the laws that need a model, and must be the same at each call."""
    name = type(strategy).__name__
    traces = Traces(subject)
    laws: dict[str, Callable[[], str]] = {
        "frequencies": lambda: frequencies(strategy),
        "positions and angles": lambda: tables(strategy),
        "identity at factor 1": lambda: identity(strategy),
        "prefix without question": lambda: prefix_alone(strategy),
        "question in two pieces": lambda: in_pieces(strategy),
        "positions in order": lambda: never_back(strategy),
        "M-RoPE": lambda: three_axes(strategy),
        "identity on the model": lambda: scaling.checks(subject(), {name: strategy})[0].judge(),
        "angles on the model": lambda: rotation.checks(subject(), {name: strategy})[0].judge(),
        "every kv_quant": lambda: every_policy(strategy, subject()),
        "restored": lambda: traces.restored(at_factor(strategy)),
    }
    needed, may_refuse = ("frequencies", "positions and angles"), ("M-RoPE",)
    return [Check(law, traces.before(judge), law in may_refuse, law in needed) for law, judge in laws.items()]


def _sizes(factors: tuple[float, ...] = FACTORS) -> Iterator[tuple[Layout, RopeGeometry, float]]:
    return product(LAYOUTS, SIZES, factors)


def frequencies(strategy: RopeStrategy) -> str:
    """inv_freq is (d/2,), finite and above 0; so is what multiplies cos and sin."""
    for geometry, factor in product(SIZES, FACTORS):
        check_frequencies(strategy, geometry, factor)
    every = torch.cat([strategy.inv_freq(geometry, factor) for geometry in SIZES for factor in FACTORS])
    sizes = ", ".join(str(one.head_dim) for one in SIZES)
    return (
        f"(d/2,), {every.min():.2g} to {every.max():.2g} rad per token, for d of {sizes} at factors 1 to {FACTORS[-1]}"
    )


def tables(strategy: RopeStrategy) -> str:
    """Positions (A, S) and angles (S, d/2), finite; float32 whatever torch's default is."""
    for layout, geometry, factor in _sizes():
        check_positions(strategy, layout, factor)
        angles = angles_of(strategy, layout, geometry, factor)
        if angles.dtype != torch.float32:
            raise Wrong(f"angles are {angles.dtype}, must be torch.float32")
        before = torch.get_default_dtype()
        try:
            torch.set_default_dtype(torch.bfloat16)
            off = _off(strategy.angles(layout, geometry, factor), angles)
        finally:
            torch.set_default_dtype(before)
        if off:
            raise Wrong(f"angles move by {off:.3g} rad where torch's default is bfloat16, must by 0")
    return f"(A, S) and (S, d/2), finite, in float32, for {' and '.join(str(one.length) for one in LAYOUTS)} tokens"


def identity(strategy: RopeStrategy) -> str:
    """At s = 1 the tables are those of training, bit for bit."""
    for layout, geometry, _ in _sizes((1.0,)):
        trained, scale = baseline_inv_freq(geometry), strategy.scale(geometry, 1.0)
        counted = torch.arange(layout.length).float()
        for what, got, expected in (
            ("inv_freq", strategy.inv_freq(geometry, 1.0), trained),
            ("positions", strategy.positions(layout, 1.0)[0], counted),
            ("angles", strategy.angles(layout, geometry, 1.0), torch.outer(counted, trained)),
        ):
            if off := _off(got, expected):
                raise Wrong(f"{what} at factor 1 differ from those of training by {off:.3g}, must by 0")
        if (own := strategy.attention_scale(1.0)) != 1 or scale != 1:
            raise Wrong(f"cos and sin are multiplied by {own:g} at factor 1, must be by 1")
        window = layout.length + strategy.reserve_text
        if (auto := replace(strategy, factor="auto").resolve(layout, (layout.visual_length,), window)) != 1:
            raise Wrong(f"auto makes factor {auto:g} of a video as long as those of training, must make 1")
    return "inv_freq, positions and angles of training, bit for bit; auto is 1 at trained length"


def prefix_alone(strategy: RopeStrategy) -> str:
    """A prefix is rotated before its questions are known."""
    for layout, geometry, factor in _sizes():
        for question in (1, 40):
            _same_beginning(strategy, layout, layout.ask(question), geometry, factor, "a question behind the prefix")
    return "angles move by 0 rad behind questions of 1 and 40 tokens"


def in_pieces(strategy: RopeStrategy) -> str:
    """What of a question comes first does not know of the rest: an answer is fed token by token."""
    for layout, geometry, factor in _sizes():
        for first in (1, 7):
            shorter, longer = layout.ask(first), layout.ask(40)
            _same_beginning(strategy, shorter, longer, geometry, factor, f"what follows {first} tokens of a question")
    return "the first 1 and 7 of 40 tokens turn alike, alone or together"


def _same_beginning(strategy, shorter: Layout, longer: Layout, geometry: RopeGeometry, factor: float, why: str) -> None:
    pairs = {
        "positions": [strategy.positions(one, factor)[:, : shorter.length] for one in (shorter, longer)],
        "angles": [strategy.angles(one, geometry, factor)[: shorter.length] for one in (shorter, longer)],
    }
    for what, (alone, together) in pairs.items():
        if off := _off(alone, together):
            raise Wrong(f"{why} changes {what} before it by {off:.3g} at factor {factor:g}, must by 0")


def never_back(strategy: RopeStrategy) -> str:
    """From 0 on, never back, whatever follows: spans drawn at random, cut behind each of them."""
    draw, cuts = random.Random(0), 0
    for factor in FACTORS * 3:
        spans = tuple(Span(draw.randrange(12), draw.choice([None, 0.0, 2.5])) for _ in range(12))
        whole = strategy.positions(Layout(spans), factor)
        if whole.shape[1] and whole[0, 0] != 0:
            raise Wrong(f"the first token is at position {whole[0, 0]:.3g} at factor {factor:g}, must be at 0")
        if (back := whole.diff()).numel() and back.min() < 0:
            raise Wrong(f"positions go back by {-back.min():.3g} at factor {factor:g}, must not")
        for cut in range(len(spans)):
            part = Layout(spans[:cut])
            if off := _off(strategy.positions(part, factor), whole[:, : part.length]):
                raise Wrong(f"positions move by {off:.3g} with what follows them at factor {factor:g}, must by 0")
            cuts += 1
    return f"from 0 on, never back; the same in {cuts} beginnings of longer ones"


def three_axes(strategy: RopeStrategy) -> str:
    """On M-RoPE the same: shapes, the tables of training at factor 1, a prefix that knows of no question."""
    for axis_of, moves in product(AXES_OF, (False, True)):
        layout = grid_video(16, moves)
        sections = tuple(axis_of.count(axis) for axis in range(3))
        geometry = RopeGeometry(32, 1000.0, 40, axes=sections, axis_of=axis_of, growing=layout.growing_axes)
        for factor in FACTORS:
            angles_of(strategy, layout, geometry, factor)
            _same_beginning(strategy, layout, layout.ask(9), geometry, factor, "a question behind the prefix")
        text, visual = counts(layout)
        trained = (text + visual).float()[list(axis_of)].T * baseline_inv_freq(geometry)
        if off := _off(strategy.angles(layout, geometry, 1.0), trained):
            raise Wrong(f"angles at factor 1 differ from those of training by {off:.3g}, must by 0")
    return "shapes, identity and prefix as above, on sections and interleaved"


def every_policy(strategy: RopeStrategy, subject: Subject) -> str:
    """Each option of kv_quant packs the prefix and is asked; what the two of them do not do together is refused."""
    llm = replace(subject.llm, rope_strategy=at_factor(strategy))
    prefill = subject.prefilled(llm)
    exact = torch.stack([one.kept_logits for one in llm.ask(llm.pack(prefill), QUESTIONS)]).float()
    moved, refused = {}, []
    for name in sorted(homes("kv_quant")):
        packing = replace(llm, kv_quant=option("kv_quant", name))
        try:
            answers = packing.ask(packing.pack(prefill), QUESTIONS)
        except BadInput as error:
            refused.append(f"{name} ({str(error).partition(':')[0]})")
            continue
        logits = torch.stack([one.kept_logits for one in answers]).float()
        if not logits.isfinite().all():
            raise Wrong(f"kv_quant={name}: {int((~logits.isfinite()).sum())} logits are not finite")
        moved[name] = float((logits - exact).abs().max())
    worst = max(moved, key=lambda name: moved[name])
    said = (
        f"{len(moved)} options answer, a logit of {exact.abs().max():.3g} moves by {moved[worst]:.2g} at most ({worst})"
    )
    return f"{said}; refused: {', '.join(refused)}" if refused else said


def _off(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        raise Wrong(f"shapes {tuple(one.shape)} and {tuple(other.shape)} must be equal")
    return float((one.double() - other.double()).abs().max()) if one.numel() else 0.0
