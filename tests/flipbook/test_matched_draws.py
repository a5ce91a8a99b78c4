"""The ceiling against matched draws: scenes are drawn, and those that look alike are put together.

No posterior is involved: half of the draws teach an observer which answer is the most frequent among scenes that show
the same, the other half tests it. With enough draws it is right as often as the mean ceiling says.
"""

from collections import Counter, defaultdict

import numpy as np
import pytest

from intpv.flipbook.ceiling import ceiling
from intpv.flipbook.question import KINDS, when_changed
from intpv.flipbook.scene import COLORS, DIRECTIONS, LIGHTS, SLOT, TORUS
from intpv.video.sampling import midpoint


class Shown:
    """What a scene shows at the sampled steps; names are replaced by the order of their appearance.

    The generator treats colours, lights and directions alike, so renaming them loses nothing and puts more scenes
    together. `test_pixels_show_what_is_grouped_by` compares it with what is read from pictures.
    """

    def __init__(self, scene, times):
        before = np.searchsorted(times, np.arange(257)).tolist()  # sampled steps before each step
        self.flashes = {f.what: f.start // SLOT for f in scene.flashes if before[f.stop] > before[f.start]}
        cues = [(c.start // SLOT, c.what) for c in scene.cues if before[c.stop] > before[c.start]]
        self.lights = {light: slot for slot, light in sorted(cues)}
        self.unchanged = before[scene.change]  # sampled steps with dark corners
        axis, sign = DIRECTIONS[scene.mover.direction]
        first, second = scene.mover.speeds
        steps = np.asarray(times)
        way = np.minimum(steps, scene.mover.switch) * first + np.maximum(steps - scene.mover.switch, 0) * second
        way = np.rint(way / SLOT).astype(int)
        self.way = sign * (way - way[0]) % TORUS
        self.axis = axis

    def key(self, question):
        """(what is shown, what is asked, the answer), renamed."""
        kind, answer = question.kind, question.answer
        if kind in ("direction", "speed"):
            back = -self.way % TORUS
            mirrored = tuple(back) < tuple(self.way)
            if kind == "speed":
                return min(self.way.tobytes(), back.tobytes()), (), answer
            if not self.way.any():
                return b"", (), answer
            forward = DIRECTIONS[answer][1] > 0
            return (
                (back if mirrored else self.way).tobytes(),
                (),
                (DIRECTIONS[answer][0] == self.axis, forward != mirrored),
            )
        if kind == "cause" or question.about == ("corners",):
            names = [*self.lights, *(light for light in LIGHTS if light not in self.lights)]
            answer = names.index(answer) if kind == "cause" else answer
            return (*self.lights.values(), "|", self.unchanged), (), answer
        names = [*self.flashes, *(color for color in COLORS if color not in self.flashes)]
        asked = [min(names.index(name), len(self.flashes)) for name in question.about]  # unseen ones are alike
        if kind == "order" and asked[0] > asked[1]:
            asked, answer = asked[::-1], {"before": "after", "after": "before"}[answer]
        return tuple(self.flashes.values()), tuple(asked), names.index(answer) if kind in ("first", "last") else answer


class Draws:
    """Answers of drawn scenes by what is shown at the sampled steps and what is asked."""

    def __init__(self, times):
        self.times = times
        self.tallies = defaultdict(lambda: (Counter(), Counter()))  # of either half
        self.examples = {}

    def add(self, drawn) -> None:
        for index, (scene, questions) in enumerate(drawn):
            shown = Shown(scene, self.times)
            for question in (*questions, when_changed(scene)):
                label = "when corners" if question.about == ("corners",) else question.kind
                look, asked, answer = shown.key(question)
                self.tallies[label, look, asked][index % 2][answer] += 1
                self.examples.setdefault((label, look, asked), (scene, question))

    def compare(self) -> dict[str, tuple[float, float, int]]:
        """Per kind: mean ceiling, hit rate of what the other half's majority answers, number of draws."""
        sums = defaultdict(lambda: np.zeros(3))
        for key, halves in self.tallies.items():
            number, hits = sum(half.total() for half in halves), 0
            for taught, fresh in (halves, halves[::-1]):
                hits += fresh[taught.most_common(1)[0][0]] if taught else 0
            sums[key[0]] += number * ceiling(*self.examples[key], self.times), hits, number
        return {label: (top / number, hits / number, number) for label, (top, hits, number) in sums.items()}


def test_pixels_show_what_is_grouped_by(regime, times, draw_many, glimpses):
    for scene, _ in draw_many(regime, 4, stream=20):
        shown, seen = Shown(scene, times), glimpses(scene, times)
        colors = {glimpse.color: t // SLOT for t, glimpse in zip(times, seen, strict=True) if glimpse.color}
        lights = {light: t // SLOT for t, glimpse in zip(times, seen, strict=True) for light in glimpse.lights}
        places = np.array([glimpse.place for glimpse in seen])
        assert shown.flashes == colors
        assert list(shown.lights.items()) == list(lights.items())
        assert shown.unchanged == sum(not glimpse.white_corners for glimpse in seen)
        assert np.array_equal((places - places[0])[:, shown.axis] % TORUS, shown.way)
        assert not (places - places[0])[:, 1 - shown.axis].any()


def test_scenes_that_look_alike_have_one_ceiling(draw_many):
    """Otherwise grouping would compare means of different things."""
    times, tops = midpoint(256, 8), defaultdict(list)
    for scene, questions in draw_many("fast", 150, stream=21):
        shown = Shown(scene, times)
        for question in questions:
            tops[(question.kind, *shown.key(question)[:2])].append(ceiling(scene, question, times))
    assert any(len(alike) > 9 for alike in tops.values())
    assert all(np.ptp(alike) < 1e-9 for alike in tops.values())


@pytest.mark.slow
def test_majority_of_few_draws_stays_below_the_ceiling_and_near_it(draw_many):
    """A few thousand draws teach the frequent looks only; the ways to move and the pairs of flashes are too many."""
    draws = Draws(midpoint(256, 8))
    draws.add(draw_many("fast", 5000, stream=22))
    for label, (expected, hit, number) in draws.compare().items():
        error = np.sqrt(expected * (1 - expected) / number)
        untaught = 0.1 if label in ("direction", "speed", "order") else 0.03
        assert expected - 3 * error - untaught <= hit <= expected + 3 * error + 1e-9, label


@pytest.mark.slow
@pytest.mark.parametrize(("regime", "thousands"), [("slow", 10), ("fast", 120)])
def test_enumeration_and_matched_draws_agree_to_half_a_point(regime, thousands, draw_many):
    """Slow events are never missed; for fast ones three standard errors of 120000 draws are 0.43 points at most."""
    densities = [Draws(midpoint(256, frames)) for frames in (8, 16, 32, 64)]
    for batch in range(thousands):
        drawn = draw_many(regime, 1000, stream=1000 + batch)
        for draws in densities:
            draws.add(drawn)
    for draws in densities:
        results = draws.compare()
        assert set(results) == {*KINDS, "when corners"}
        for label, (expected, hit, _) in results.items():
            assert abs(expected - hit) < 0.005, (label, len(draws.times))
