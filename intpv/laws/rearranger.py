"""Laws of a rearranger: every frame is shown, and its tokens come back to the order of time."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

import torch

from intpv.check.finding import Check, Wrong, all_finite, equal
from intpv.check.shown_model import Subject
from intpv.errors import BadInput
from intpv.rearranger.rearranger import Rearranger

GROUPS, LENGTHS, VIDEOS = range(1, 10), range(1, 10), ("", "a clip")  # m, N, video ids


def checks(rearranger: Rearranger, subject: Callable[[], Subject]) -> list[Check]:
    """In the order of need; the last one needs a model."""
    return [
        Check("every frame is shown", partial(shows_all, rearranger), needed=True),
        Check("merge undoes split", partial(merges, rearranger)),
        Check("rows are groups", partial(groups_rows, rearranger)),
        Check("same video, same order", partial(repeats, rearranger)),
        *([Check("order of pictures", partial(sees, rearranger))] if rearranger.sees_pictures else []),
        Check("other counts refused", partial(refuses, rearranger)),
        Check("watched by the model", lambda: on_model(rearranger, subject())),
    ]


def _orders(rearranger: Rearranger):
    """(m N, table) of every size and video."""
    for m, n, video in product(GROUPS, LENGTHS, VIDEOS):
        yield m * n, rearranger.order(m * n, n, video)


def shows_all(rearranger: Rearranger) -> str:
    """A table of whole numbers with every frame in it, and no other."""
    for frames, order in _orders(rearranger):
        if order.dtype != torch.int64 or order.dim() != 2:
            raise Wrong(f"the order of {frames} frames is {order.dtype} {tuple(order.shape)}, must be int64 (m, N)")
        shown = order.unique().tolist()
        if shown != list(range(frames)):
            odd = sorted(set(shown) ^ set(range(frames)))
            raise Wrong(f"of {frames} frames {odd[:5]} are left out or are none of them")
    return f"in {len(GROUPS) * len(LENGTHS)} sizes up to {GROUPS[-1]} groups of {LENGTHS[-1]}"


def merges(rearranger: Rearranger) -> str:
    """Back in the order of time, or left as encoded where `restore` is false."""
    for frames, order in _orders(rearranger):
        times = torch.arange(frames).double().view(-1, 1, 1)
        merged = rearranger.merge(rearranger.split(times, order), order)
        expected = times if rearranger.restore else times[order.flatten()]
        if merged.shape != expected.shape or not torch.equal(merged, expected):
            raise Wrong(f"{frames} frames come back as {merged.flatten().tolist()[:8]}...")
    return "in the order of time" if rearranger.restore else "left in the order of encoding (restore is false)"


def groups_rows(rearranger: Rearranger) -> str:
    """A group holds the frames that its row of the table names."""
    for frames, order in _orders(rearranger):
        numbers = torch.arange(frames) * 10
        if not torch.equal(rearranger.split(numbers, order), order * 10):
            raise Wrong(f"the groups of {frames} frames are not the rows of the table")
    return "each holds the frames that its row names"


def repeats(rearranger: Rearranger) -> str:
    """A cache and a resumed run rely on it."""
    for (frames, one), (_, other) in zip(_orders(rearranger), _orders(rearranger), strict=True):
        if not torch.equal(one, other):
            raise Wrong(f"two orders of the same video of {frames} frames differ")
    return "asked twice"


def sees(rearranger: Rearranger) -> str:
    """Whatever the pictures are, every frame is shown once, in groups as many as there are, and the same way twice."""
    generator = torch.Generator().manual_seed(0)
    for m, n in product(GROUPS, LENGTHS):
        still = torch.zeros(m * n, 3, 8, 8, dtype=torch.uint8)
        cuts = torch.randint(0, 2, (m * n, 1, 1, 1), generator=generator, dtype=torch.uint8) * 255
        noise = torch.randint(0, 256, still.shape, generator=generator, dtype=torch.uint8)
        for pictures in (still, still + cuts, noise):
            order, again = (rearranger.order_of(pictures, n, "a clip") for _ in range(2))
            if order.shape != (m, n) or order.flatten().sort().values.tolist() != list(range(m * n)):
                raise Wrong(f"the order of {m * n} pictures is no table of each once, got {order.tolist()[:3]}...")
            if not torch.equal(order, again):
                raise Wrong(f"two orders of the same {m * n} pictures differ")
    return "of still, cut and noisy videos"


def refuses(rearranger: Rearranger) -> str:
    """BadInput for what makes no whole groups."""
    for frames in (12, 7, 9, 0, -8, 31):
        try:
            rearranger.order(frames, 8)
        except BadInput:
            continue
        raise Wrong(f"{frames} frames in groups of 8 must be refused, are taken")
    return "7, 9, 12 and 31 frames, 0 and -8 in groups of 8"


def on_model(rearranger: Rearranger, subject: Subject) -> str:
    """Two groups' worth of frames give as many tokens as they have, numbers all of them."""
    llm, frames = replace(subject.llm, rearranger=rearranger), 2 * subject.group_frames
    tokens = llm.tokens(llm.look(subject.pixels(frames)), frames=frames)
    equal("slots", len(tokens), frames // subject.model.encoder.frames_per_slot, "shown")
    all_finite("numbers of its tokens", tokens)
    return f"{frames} frames, tokens {tuple(tokens.shape)}"
