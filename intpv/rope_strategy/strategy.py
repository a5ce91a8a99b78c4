"""RopeStrategy: the factor s, and the angle of every token; a strategy overrides the one thing that it changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.bounds import check_whole
from intpv.errors import BadInput
from intpv.layout import AXES, Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.partition import Partition

# Counts: how many text and how many visual positions lie before each token of a layout, on each axis of its RoPE.


def counts(layout: Layout) -> tuple[Int[Tensor, "1 {layout.length}"], Int[Tensor, "A {layout.length}"]]:
    """(1, S) and (A, S): their sum is the position of training. A is 1, or 3 where frames are grids (M-RoPE).

    Text advances all axes alike, so one row is enough for it.

    >>> text, visual = counts(Layout((Span(2), Span(2, time=0.0), Span(1))))
    >>> text.tolist(), visual.tolist()
    ([[0, 1, 2, 2, 2]], [[0, 0, 0, 1, 2]])
    """
    axes = 3 if layout.has_grids else 1
    text, visual = 0, 0  # where the sequence stands
    texts, visuals = [torch.zeros(1, 0, dtype=torch.long)], [torch.zeros(axes, 0, dtype=torch.long)]
    for span in layout.spans:
        steps = torch.arange(span.length)
        if span.is_frame:
            texts.append(torch.full((1, span.length), text))
            visuals.append(visual + _inside(span, steps, axes))
            visual += span.length if span.advance is None else span.advance
        else:
            texts.append((text + steps)[None])
            visuals.append(torch.full((axes, span.length), visual))
            text += span.length
    return torch.cat(texts, 1), torch.cat(visuals, 1)


def reach(layout: Layout) -> tuple[int, ...]:
    """How many positions the prefix takes on each axis: up to its furthest token, or to where text goes on.

    >>> reach(Layout((Span(2), Span(4, time=0.0), Span(1))))
    (7,)
    """
    text, visual = counts(layout.prefix.ask(1))
    return _furthest(text + visual, torch.ones(text.shape[1] - 1, dtype=torch.bool))


def visual_reach(layout: Layout) -> tuple[int, ...]:
    """How many positions of the prefix are its video's, on each axis, text before and between frames left out.

    >>> visual_reach(Layout((Span(2), Span(4, time=0.0), Span(1))))
    (4,)
    """
    prefix = layout.prefix
    frames = torch.cat([torch.full((span.length,), span.is_frame) for span in prefix.spans])
    return _furthest(counts(prefix.ask(1))[1], frames)


def _furthest(taken: Int[Tensor, "A more"], of: Tensor) -> tuple[int, ...]:
    """Behind the furthest of these tokens, or where the last one of all, a text behind the prefix, stands."""
    tokens = taken[:, :-1][:, of] + 1
    return tuple(torch.cat([tokens, taken[:, -1:]], 1).amax(1).tolist())


def position_ids(positions: Float[Tensor, "*A n"]) -> Float[Tensor, "..."]:
    """As transformers' text models take them: (1, n) for one axis, (3, 1, n) for three.

    >>> position_ids(torch.zeros(1, 5)).shape, position_ids(torch.zeros(3, 5)).shape
    (torch.Size([1, 5]), torch.Size([3, 1, 5]))
    """
    rows = positions.reshape(-1, positions.shape[-1])
    return rows if len(rows) == 1 else rows[:, None]


def _inside(span: Span, steps: Int[Tensor, " n"], axes: int) -> Int[Tensor, "A n"]:
    """A frame's own positions, from where the sequence stands."""
    if axes == 1:
        return steps[None] if span.places is None else torch.tensor([span.places], dtype=torch.long)
    if span.grid is None or span.grid[0] * span.grid[1] != span.length:
        raise ValueError(f"a frame of {span.length} tokens must be a grid of as many, got {span.grid}")
    return torch.stack([torch.full_like(steps, span.late), steps // span.grid[1], steps % span.grid[1]])


WINDOWS = ("visual", "llm")


def yarn_temperature(geometry: RopeGeometry, factor: float) -> float:
    """0.1 ln s + 1, fitted to LLaMA models (arXiv 2309.00071 Eq 22).

    >>> round(yarn_temperature(RopeGeometry(head_dim=4, base=16.0, trained_length=64), 4.0), 4)
    1.1386
    """
    return 0.1 * math.log(factor) + 1.0


def log_n_temperature(geometry: RopeGeometry, factor: float) -> float:
    """sqrt(1 + ln s / ln L): logits grow by ln n / ln L at n = s L tokens (arXiv 2402.13753, after 2202.12172).

    BadInput at a trained length L of 1, whose logarithm is 0.

    >>> log_n_temperature(RopeGeometry(head_dim=4, base=16.0, trained_length=4), 64.0)  # ln 64 is three times ln 4
    2.0
    """
    if geometry.trained_length < 2:
        raise BadInput(f"rope_strategy.temperature=log_n needs a window of 2 tokens, got {geometry.trained_length}")
    return math.sqrt(1 + math.log(factor) / math.log(geometry.trained_length))


TEMPERATURES = {"yarn": yarn_temperature, "log_n": log_n_temperature}


@dataclass(frozen=True, kw_only=True)
class RopeStrategy:
    """What is common to all: `resolve` fixes s once per context, `angles` is the one table everything else reads.

    Two laws hold for every strategy. At s = 1 it is the baseline bit for bit. And at a given s the prefix never
    depends on the question: `positions(layout.ask(n), s)` begins with `positions(layout, s)`, so a question can be
    asked of a prefix that was prefilled before the question was known.

    >>> layout = Layout((Span(1), Span(3, time=0.0), Span(3, time=1.0)))  # a text token, two frames
    >>> RopeStrategy().resolve(layout, trained=[3], window_length=64)  # 6 visual tokens for a model trained on 3
    2.0
    >>> RopeStrategy(window="llm", reserve_text=25).resolve(layout, trained=[3], window_length=8)  # (7 + 25) / 8
    4.0

    Two modifiers go with every rule. `visual`: only visual tokens advance by the scaled table, per channel; with
    linear this is visual_only, with yarn or ntk what arXiv 2409.20018 calls the visual window. `temperature`.
    """

    # wider types than the values allowed: what a user mistypes must reach BadInput, under the type checker as well
    factor: float | int | str = "auto"  # s, a number >= 1, or auto
    window: str = "visual"  # what auto divides by: visual tokens seen in training, or llm: the LLM's context window
    reserve_text: int = 32  # tokens kept for question and answer when window is llm: watch precedes the questions
    # of M-RoPE, which to scale: temporal, height, width; auto is those that more frames make longer. Scaling one that
    # stays inside its trained range would only blur it. With one axis there is nothing to choose
    axes: str | Sequence[str] = "auto"
    visual: bool | int | str = (
        False  # True: text advances by the table of training, visual tokens alone by the scaled one
    )
    # multiplies cos and sin where s is above 1: None is the strategy's own (attention_scale), or a number above 0
    temperature: float | int | str | None = None

    def __post_init__(self) -> None:
        if type(self.factor) is int:  # YAML's 4 is an int; true is one as well
            object.__setattr__(self, "factor", float(self.factor))
        is_factor = isinstance(self.factor, float) and math.isfinite(self.factor) and self.factor >= 1
        if self.factor != "auto" and not is_factor:
            raise BadInput(f"rope_strategy.factor must be at least 1 or auto, got {self.factor}")
        if self.window not in WINDOWS:
            raise BadInput(f"rope_strategy.window must be one of {', '.join(WINDOWS)}, got {self.window}")
        one = isinstance(self.axes, str) or not isinstance(self.axes, Sequence)
        named = (self.axes,) if one else tuple(self.axes)
        if self.axes != "auto" and (not named or any(axis not in AXES for axis in named)):
            raise BadInput(f"rope_strategy.axes must be auto or some of {', '.join(AXES)}, got {self.axes}")
        object.__setattr__(self, "axes", self.axes if self.axes == "auto" else named)  # YAML's list has no hash
        check_whole("rope_strategy.reserve_text", self.reserve_text, 0)
        if type(self.visual) is not bool:
            raise BadInput(f"rope_strategy.visual must be true or false, got {self.visual}")
        self._check_temperature()

    def _check_temperature(self) -> None:
        given = self.temperature
        if given is None or (isinstance(given, str) and given in TEMPERATURES):
            return
        if isinstance(given, str):
            raise BadInput(
                f"rope_strategy.temperature must be a number, null, {' or '.join(TEMPERATURES)}, got {given}"
            )
        if type(given) not in (int, float) or not 0 < given < math.inf:
            raise BadInput(f"rope_strategy.temperature must be above 0, got {given}")
        object.__setattr__(self, "temperature", float(given))  # YAML's 1 is an int

    @property
    def name(self) -> str:
        """The option of conf/ that it is: options and modules have the same names."""
        return type(self).__module__.rpartition(".")[2]

    def resolve(self, layout: Layout, trained: Sequence[int], window_length: int) -> float:
        """The factor s of a context: as given, or how many times its positions overfill the window; never below 1.

        Window visual: the positions that the video takes over those it takes as in training, `trained`, on each axis
        of the layout: V / (N*P) = m with one axis, exactly 1 at F = N. Window llm: where the prefix ends, and
        reserve_text behind it, over window_length. Of several axes that are scaled the fullest one counts. A question
        in the layout is not counted. BadInput if the window that is needed is empty.
        """
        if not isinstance(self.factor, str):
            return self.factor
        if self.window == "visual":
            taken, window = visual_reach(layout), trained
        else:
            taken, window = tuple(most + self.reserve_text for most in reach(layout)), (window_length,) * len(AXES)
        scaled = self._scaled(layout)
        self._check_window([window[axis] for axis in scaled])
        return max(1.0, *(taken[axis] / window[axis] for axis in scaled))

    def trained_length(self, layout: Layout, trained: Sequence[int], window_length: int) -> int:
        """The positions that auto divides by, which is also the window in which YaRN counts turns."""
        window = [trained[axis] for axis in self._scaled(layout)] if self.window == "visual" else [window_length]
        self._check_window(window)
        return max(window)

    def _check_window(self, window: Sequence[int]) -> None:
        if min(window) < 1:
            raise BadInput(f"rope_strategy.window={self.window} needs a window of at least 1 token, got {min(window)}")

    def _scaled(self, layout: Layout) -> list[int]:
        """The axes of a layout that are scaled."""
        if not layout.has_grids:
            return [0]
        return [axis for axis, scaled in enumerate(self.scales(layout.growing_axes)) if scaled]

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """The (d/2,) table in rad per token, float32; unscaled unless a strategy scales it."""
        return baseline_inv_freq(geometry)

    def attention_scale(self, factor: float) -> float:
        """The strategy's own temperature, which stands unless `temperature` names another."""
        return 1.0

    def scale(self, geometry: RopeGeometry, factor: float) -> float:
        """What multiplies cos and sin (so attention logits by its square); un-rotating divides by that square.

        1 at s = 1, where every strategy is the baseline.
        """
        if factor == 1:
            return 1.0
        if isinstance(self.temperature, str):
            return TEMPERATURES[self.temperature](geometry, factor)
        return self.attention_scale(factor) if self.temperature is None else self.temperature

    def scales(self, growing: Sequence[str]) -> tuple[bool, ...]:
        """Of each axis of M-RoPE, whether it is scaled."""
        chosen = growing if self.axes == "auto" else self.axes
        return tuple(axis in chosen for axis in AXES)

    def table(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """What rotates: inv_freq, and with M-RoPE the table of training in the channels of axes that are not scaled."""
        scaled = self.inv_freq(geometry, factor)
        if not geometry.axis_of:
            return scaled
        chosen = torch.tensor(self.scales(geometry.growing))[list(geometry.axis_of)]
        return torch.where(chosen, scaled, baseline_inv_freq(geometry))

    def positions(self, layout: Layout, factor: float) -> Float[Tensor, "A {layout.length}"]:
        """The (A, S) positions of a prefix, or of a prefix and its question, in tokens; A = 3 axes with M-RoPE."""
        text, visual = counts(layout)
        return (text + visual).float()

    def partition(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition | None:
        """Where a query sees its keys at other distances than m - k (partition.py); None: at these."""
        return None

    def angles(
        self, layout: Layout, geometry: RopeGeometry, factor: float
    ) -> Float[Tensor, "{layout.length} {geometry.head_dim//2}"]:
        """The (S, d/2) angles in rad, for prefill, question, un-rotation and kernels alike: positions x table.

        With `visual` the text before a token counts by the table of training and only the rest by the scaled one.
        """
        positions, table = self.positions(layout, factor), self.table(geometry, factor)
        rows = positions[0, :, None] if len(positions) == 1 else positions[list(geometry.axis_of)].T
        if not self.visual or factor == 1:
            return rows * table
        text = counts(layout)[0].T.double()
        # in float64: two products are summed, and a rounding of each would be one more than other strategies have
        return (text * baseline_inv_freq(geometry).double() + (rows.double() - text) * table.double()).float()
