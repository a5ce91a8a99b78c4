"""The published generator of flipbook: what happens in a clip, drawn before anyone decides how many frames to sample.

A clip lasts STEPS frames, a long one as many as its regime says, cut into eight slots (eighths). Three independent
tracks share it:
flashes   the canvas lights up in a colour, 1 to 6 times, at most once per slot and never in the first or last slot;
          all colours of a clip differ. Small coloured discs appear as well and do not count.
mover     a white square crosses the canvas on a torus (it leaves on one side and enters on the other), so that its
          place in a single frame says nothing about its direction; once, near the middle, its speed changes.
cause     two of four lights blink; at the end of the slot of one of them, all four corners turn white for good.
"""

from dataclasses import dataclass

import numpy as np

TRAIN_STREAM, TEST_STREAM, CALIBRATION_STREAM = 1, 2, 3  # first entropy word of every seed: splits share no scene
STEPS = 256  # frames of a clip
FPS = 20  # frames per second: a clip lasts 12.8 s
SLOT = STEPS // 8  # steps of an eighth
LENGTHS = (64, 128, 256, 512, 1024, 2048)  # frames of long clips, all of which can be shown
INNER_SLOTS = (1, 2, 3, 4, 5, 6)  # events and cues keep off the clip's ends
TORUS = 80  # px, side of the canvas the mover lives on
COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
LIGHTS = ("north", "east", "south", "west")
DIRECTIONS = {"left": (0, -1), "right": (0, 1), "up": (1, -1), "down": (1, 1)}  # axis (0 = x, 1 = y), sign


@dataclass(frozen=True)
class Regime:
    """How fast things happen: `slow` events outlast an eighth of the clip's sampling gap, `fast` ones fall between.

    In `long64` to `long2048` an event lasts as many frames whatever the clip's length: the longer, the smaller a part
    of it tells anything. Shown in 64 frames, long64 is like slow.
    """

    name: str
    durations: tuple[int, int]  # steps, shortest and longest event
    low: tuple[int, ...]  # px per eighth, the mover's lower speed
    high: tuple[int, ...]  # px per eighth, its higher speed
    steps: int = STEPS  # frames of a clip

    @property
    def slot(self) -> int:
        """Steps of an eighth."""
        return self.steps // 8

    @property
    def switches(self) -> tuple[int, ...]:
        """Steps at which the mover may change its speed."""
        return 3 * self.slot, 4 * self.slot, 5 * self.slot


SLOW = (6, 8, 10), (20, 24, 28)
REGIMES = {
    "slow": Regime("slow", (18, 30), *SLOW),
    # on a torus of 80 px, steps of 20 to 60 and of 80 to 160 px between two of 8 frames tell nothing about their sign
    "fast": Regime("fast", (2, 8), tuple(range(20, 61, 4)), tuple(range(80, 161, 4))),
    **{f"long{steps}": Regime(f"long{steps}", (3, 6), *SLOW, steps) for steps in LENGTHS},
}


@dataclass(frozen=True)
class Pulse:
    """Something that is on during [start, stop)."""

    what: str  # a colour or a light
    start: int  # steps
    stop: int  # steps
    eighth: int = SLOT  # steps of an eighth of its clip

    @property
    def slot(self) -> int:
        return self.start // self.eighth

    def seen(self, times) -> int:
        """How many of the sampled `times` (steps) fall inside: the pulse's footprint."""
        return sum(self.start <= t < self.stop for t in times)


def travel(first, second, switch, t, eighth=SLOT):
    """Whole px covered at step t at speed `first`, from step `switch` on at `second` (px per eighth); broadcasts."""
    return np.rint((first * np.minimum(t, switch) + second * np.maximum(t - switch, 0)) / eighth).astype(int)


@dataclass(frozen=True)
class Mover:
    """A square on a torus of TORUS px a side; it moves along one axis and changes its speed once."""

    direction: str
    speeds: tuple[int, int]  # px per eighth before and after `switch`
    switch: int  # steps
    origin: tuple[int, int]  # px, place at step 0
    eighth: int = SLOT  # steps of an eighth of its clip

    def place(self, t: int) -> tuple[int, int]:
        """(x, y) in px on the torus."""
        axis, sign = DIRECTIONS[self.direction]
        place = list(self.origin)
        place[axis] = (place[axis] + sign * int(travel(*self.speeds, self.switch, t, self.eighth))) % TORUS
        return place[0], place[1]


@dataclass(frozen=True)
class Scene:
    """All that happens in a clip, whatever frames are sampled of it."""

    regime: str
    flashes: tuple[Pulse, ...]  # in order of time
    discs: tuple[tuple[Pulse, int, int], ...]  # distractors with their place, px
    mover: Mover
    cues: tuple[Pulse, Pulse]  # the cause, then the light that changes nothing
    background: int  # grey level

    @property
    def steps(self) -> int:
        return REGIMES[self.regime].steps

    @property
    def change(self) -> int:
        """Step from which the corners are white: the first after the cause's slot."""
        return (self.cues[0].slot + 1) * REGIMES[self.regime].slot


def _pulse(rng: np.random.Generator, regime: Regime, what: str, slot: int) -> Pulse:
    shortest, longest = regime.durations
    duration = int(rng.integers(shortest, longest + 1))
    start = slot * regime.slot + int(rng.integers(0, regime.slot - duration + 1))
    return Pulse(what, start, start + duration, regime.slot)


def draw_scene(rng: np.random.Generator, regime: Regime) -> Scene:
    """One scene of the published generator."""
    count = int(rng.integers(1, len(INNER_SLOTS) + 1))
    slots = sorted(rng.choice(INNER_SLOTS, count, replace=False))
    colors = rng.permutation(COLORS)[:count]
    flashes = tuple(_pulse(rng, regime, str(c), int(s)) for c, s in zip(colors, slots, strict=True))
    discs = tuple(
        (
            _pulse(rng, regime, str(rng.choice(COLORS)), int(rng.choice(INNER_SLOTS))),
            int(rng.integers(0, TORUS - 20)),
            int(rng.integers(0, TORUS - 20)),
        )
        for _ in range(int(rng.integers(0, 4)))
    )
    speeds = [int(rng.choice(regime.low)), int(rng.choice(regime.high))]
    if rng.random() < 0.5:
        speeds.reverse()
    mover = Mover(
        direction=str(rng.choice(list(DIRECTIONS))),
        speeds=(speeds[0], speeds[1]),
        switch=int(rng.choice(regime.switches)),
        origin=(int(rng.integers(TORUS)), int(rng.integers(TORUS))),
        eighth=regime.slot,
    )
    lights = rng.permutation(LIGHTS)[:2]
    cue_slots = rng.choice(INNER_SLOTS, 2, replace=False)
    cause, idle = (_pulse(rng, regime, str(w), int(s)) for w, s in zip(lights, cue_slots, strict=True))
    return Scene(regime.name, flashes, discs, mover, (cause, idle), int(rng.integers(20, 61)))
