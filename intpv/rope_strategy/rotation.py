"""Rotation: the angles of one context's tokens, before and after its questions; fixed once, computed once."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.own_rope import OwnRope
from intpv.rope_strategy.partition import Partition
from intpv.rope_strategy.strategy import RopeStrategy

ROOM = 64  # tokens behind the prefix whose angles are made at once, at least: steps of generation come one by one
AS_TRAINED = RopeStrategy()


class NoRotation(BadInput):
    """What a strategy gave cannot be rotated by, whatever the model."""


def angles_of(
    strategy: RopeStrategy, layout: Layout, geometry: RopeGeometry, factor: float
) -> Float[Tensor, "{layout.length} {geometry.head_dim//2}"]:
    """`strategy.angles`, for a strategy of anyone's: NoRotation with its name and the figure where nothing can be
    rotated by what it gives.
    """
    check_frequencies(strategy, geometry, factor)
    check_positions(strategy, layout, factor)
    name, angles = f"{type(strategy).__name__}.angles", strategy.angles(layout, geometry, factor)
    _check_shape(name, angles, "(S, d/2)", (layout.length, geometry.head_dim // 2), factor)
    if not angles.isfinite().all():
        token = int(angles.isfinite().all(1).int().argmin())
        raise NoRotation(f"{name} must be finite, got {angles[token].tolist()} for token {token} at factor {factor:g}")
    return angles


def check_frequencies(strategy: RopeStrategy, geometry: RopeGeometry, factor: float) -> None:
    """NoRotation unless frequencies and temperature are finite and above 0; channels that do not turn in training may
    stay as they are.
    """
    name, table = type(strategy).__name__, strategy.inv_freq(geometry, factor)
    _check_shape(f"{name}.inv_freq", table, "(d/2,)", (geometry.head_dim // 2,), factor)
    sound = table.isfinite() & ((table > 0) | (baseline_inv_freq(geometry) <= 0))
    if not sound.all():
        channel = int(sound.int().argmin())
        got = f"{table[channel]:.3g} rad per token in channel {channel} at factor {factor:g}"
        raise NoRotation(f"{name}.inv_freq must be finite and above 0, got {got}")
    scale = strategy.scale(geometry, factor)
    if not 0 < scale < math.inf:
        raise NoRotation(f"{name}.attention_scale must be finite and above 0, got {scale:.3g} at factor {factor:g}")


def check_positions(strategy: RopeStrategy, layout: Layout, factor: float) -> None:
    """NoRotation unless they are a finite number for each token on each axis."""
    name, positions = f"{type(strategy).__name__}.positions", strategy.positions(layout, factor)
    _check_shape(name, positions, "(A, S)", (3 if layout.has_grids else 1, layout.length), factor)
    if not positions.isfinite().all():
        raise NoRotation(f"{name} must be finite, got {positions[~positions.isfinite()][0]} at factor {factor:g}")


def _check_shape(what: str, given: object, letters: str, expected: tuple[int, ...], factor: float) -> None:
    got = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
    if got != expected:
        raise NoRotation(f"{what} must be {letters} = {expected} numbers, got {got} at factor {factor:g}")


@dataclass(eq=False)  # with fields, so that a cache can tell how many bytes a prefix under it holds
class Rotation:
    """`strategy.angles` at one factor, on a checkpoint's own RoPE: what prefill, questions and un-rotation share.

    >>> from intpv.layout import Span
    >>> own = OwnRope(RopeGeometry(head_dim=4, base=16.0, trained_length=8), fixed={})  # 1 and 1/4 rad per token
    >>> rotation = Rotation(RopeStrategy(), Layout((Span(2),)), own, factor=1.0)
    >>> rotation.rows(range(1, 4))[None].round(decimals=3).tolist()  # the prefix' last token and two behind it
    [[1.0, 0.25], [2.0, 0.5], [3.0, 0.75]]
    """

    strategy: RopeStrategy
    layout: Layout
    own: OwnRope
    factor: float
    # by type of layer, of what follows the prefix; the prefix' own are made anew: a context is kept
    _after: dict[str | None, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        _ = self.partition  # refuses what cannot be, before anything is fed

    @property
    def geometry(self) -> RopeGeometry:
        return self.own.scaled

    @property
    def scale(self) -> float:
        """What multiplies cos and sin where a strategy acts: the checkpoint's own temperature times the strategy's."""
        return self.geometry.own_scale * self.strategy.scale(self.geometry, self.factor)

    @cached_property
    def partition(self) -> Partition | None:
        """The strategy's own, kept: every step asks. BadInput where keys could not be turned on from where they are."""
        partition = self.strategy.partition(self.layout, self.geometry, self.factor)
        if partition and (self.own.fixed or self.geometry.columns):
            why = "layers have tables of their own" if self.own.fixed else "channels are paired in another way"
            raise BadInput(
                f"rope_strategy={self.strategy.name} needs one rotation of channels i and i + d/2, here {why}"
            )
        return partition

    @property
    def unrotation(self) -> Float[Tensor, "S half"] | None:
        """The angles of the prefix' keys, whose channels i and i + d/2 rotate together.

        None where layers rotate by tables of their own, or pair channels in another way.
        """
        return None if self.own.fixed or self.geometry.columns else self._prefix[self.own.layer_type]

    def rows(self, tokens: range) -> dict[str | None, Float[Tensor, "n half"]]:
        """Angles in rad of tokens of the prefix and what follows it, by type of layer (None: all alike), float32.

        BadInput for positions at which the checkpoint itself would rotate by another table.
        """
        length = self.layout.length
        self.check(tokens.stop)
        if tokens.stop <= length:
            return {kind: table[tokens.start : tokens.stop] for kind, table in self._prefix.items()}
        held = len(next(iter(self._after.values()), ()))
        if tokens.stop - length > held:
            room = max(tokens.stop - length, 2 * held, ROOM)
            self._after = {kind: table[length:].clone() for kind, table in self._tables(self.layout.ask(room)).items()}
        if tokens.start >= length:
            return {kind: table[tokens.start - length : tokens.stop - length] for kind, table in self._after.items()}
        both = {kind: torch.cat([table, self._after[kind]]) for kind, table in self._prefix.items()}
        return {kind: table[tokens.start : tokens.stop] for kind, table in both.items()}

    def scales(self) -> dict[str | None, float]:
        """What multiplies cos and sin, by type of layer."""
        return {kind: one.own_scale for kind, one in self.own.fixed.items()} | {self.own.layer_type: self.scale}

    def geometries(self) -> dict[str | None, RopeGeometry]:
        return {**self.own.fixed, self.own.layer_type: self.own.scaled}

    @property
    def _prefix(self) -> dict[str | None, Tensor]:
        return self._tables(self.layout)

    def _tables(self, layout: Layout) -> dict[str | None, Tensor]:
        angles = angles_of(self.strategy, layout, self.geometry, self.factor)
        fixed = {kind: AS_TRAINED.angles(layout, one, 1.0) for kind, one in self.own.fixed.items()}
        return {**fixed, self.own.layer_type: angles.float()}

    def check(self, stop: int) -> None:
        """BadInput for a sequence of `stop` tokens in which the checkpoint itself would rotate by another table: at
        factor 1 it rotates as trained, or not at all."""
        most = [one.holds for one in self.geometries().values() if one.holds]
        if not most or self.factor != 1 or stop <= min(most):
            return
        furthest, goes_on = self._reach
        reach = max(furthest, goes_on + stop - self.layout.length)
        if reach > min(most):
            raise BadInput(
                f"this checkpoint (rope_type {self.geometry.rope_type}) rotates sequences beyond {min(most)} positions "
                f"by another table, and a prefix is rotated before its question: got {reach} positions; scale them "
                f"(rope_strategy=ntk), or raise rope_strategy.reserve_text, the tokens kept for a question"
            )

    @cached_property
    def _reach(self) -> tuple[int, int]:
        """Positions as trained: behind the furthest of the prefix, and where text goes on. Every token of an answer
        asks, and a prefix is long."""
        taken = AS_TRAINED.positions(self.layout.ask(1), 1.0)
        return int(taken[:, :-1].max()) + 1, int(taken[:, -1].max())
