"""The plan of runs, on a made-up open-GOP stream."""

import pytest

from intpv.video.container import Packet, PacketIndex

# display order 0..11; keyframes at 0, 4, 8; frames 3 and 7 are shown before the keyframe they follow in the file
FILE_ORDER = [0, 2, 1, 4, 3, 5, 6, 8, 7, 9, 10, 11]
INDEX = PacketIndex(tuple(Packet(pts, place, pts % 4 == 0) for place, pts in enumerate(FILE_ORDER)), regular=True)


def test_a_frame_shown_before_a_keyframe_is_decoded_from_the_one_before():
    (run,) = INDEX.plan([3])
    assert run.key.pts == 0
    assert run.cost == FILE_ORDER.index(3) + 1


@pytest.mark.parametrize("targets", [[0], [1, 11], [3, 4, 7], list(range(12)), [2, 9]])
def test_runs_reach_every_target_from_a_keyframe_shown_no_later(targets):
    runs = INDEX.plan(targets)
    assert [target for run in runs for target in run.targets] == targets
    for run in runs:
        assert run.key.is_key
        assert all(run.key.pts <= INDEX.times[target] for target in run.targets)
        reached = FILE_ORDER[: FILE_ORDER.index(run.key.pts) + run.cost]
        assert all(INDEX.times[target] in reached for target in run.targets)


def test_everything_costs_one_run_over_the_whole_file():
    (run,) = INDEX.plan(list(range(12)))
    assert run.cost == 12


@pytest.mark.parametrize(
    "packets",
    [
        [Packet(0, 0, True), Packet(None, 1, False)],  # a time is missing
        [Packet(0, 0, True), Packet(0, 1, False)],  # two frames at one time
        [Packet(0, 0, False), Packet(1, 1, True)],  # starts in the middle of a group
        [Packet(1, 0, True), Packet(0, 1, False)],  # starts with a frame that needs an absent one
    ],
)
def test_uncertain_streams_are_not_sought_in(packets):
    assert not PacketIndex(tuple(packets), regular=True).can_seek
    assert INDEX.can_seek
    assert not PacketIndex(INDEX.packets, regular=False).can_seek
