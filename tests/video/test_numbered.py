"""Every frame that is read carries the number it should; what decord gets wrong is written down here."""

import av
import pytest

from tests.video.numbered import CLIPS, answered

# clip -> what decord 0.6 makes of it; it is exact on all others
DECORD_WRONG = {  # other frames than those asked for, and no error
    "H.264, open GOP",
    "H.264, open GOP, mkv",
    "H.264, a keyframe every 4",
    "H.264, intra refresh",
    "H.265, open GOP",
    "H.265, x265's default",
    "MPEG-4",
    "MPEG-4, avi",
    "transport stream",
    "two video streams",
}
DECORD_REFUSES = {"AV1", "rotated 90, 48 wide", "edit list", "edit list, open GOP", "edit list, H.265"}


@pytest.fixture(scope="module")
def files(tmp_path_factory, judged):
    """name -> its file, made once."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("numbered")
            made[name] = CLIPS[name].make(folder, lambda stream: judged(stream).path)
        return made[name]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [8, 64])
@pytest.mark.parametrize("name", CLIPS)
def test_pyav_returns_the_frames_that_were_asked_for(files, name, num_frames):
    for due, seen in answered(CLIPS[name], files(name), "pyav", num_frames):
        assert seen == due


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
def test_decord_is_right_wrong_or_refuses_as_written_down(files, name):
    pytest.importorskip("decord", reason="decord has no wheel for this platform")
    answer = answered(CLIPS[name], files(name), "decord", 64)
    if name in DECORD_REFUSES:
        assert isinstance(answer, str)
    else:
        assert any(seen != due for due, seen in answer) == (name in DECORD_WRONG)


@pytest.mark.parametrize("name", ["no frame count, fragments", "no frame count, mkv"])
def test_the_header_of_these_clips_counts_no_frames(files, name):
    with av.open(str(files(name))) as container:
        assert container.streams.video[0].frames == 0


@pytest.mark.parametrize("name", ["starts at 3 s, mp4", "starts at 3 s, mkv"])
def test_these_clips_do_not_start_at_0(files, name):
    with av.open(str(files(name))) as container:
        video = container.streams.video[0]
        assert video.start_time * video.time_base == 3


@pytest.mark.parametrize("name", ["edit list", "edit list, open GOP", "edit list, H.265"])
def test_these_clips_hold_frames_that_are_not_shown(files, name):
    with av.open(str(files(name)), options={"ignore_editlist": "1"}) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 700 > CLIPS[name].count
