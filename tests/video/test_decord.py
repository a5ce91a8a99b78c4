"""The documented alternative: equal to PyAV on closed GOPs, one line for every file it cannot read."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.video.reader import VideoError, decode
from intpv.video.sampling import Sampler
from tests.video.streams import encode

decord = pytest.importorskip("decord", reason="decord has no wheel for this platform")


@pytest.mark.parametrize("name", ["x264-closed", "x264-no-b-frames", "vp9"])
@pytest.mark.parametrize("num_frames", [8, 16])
def test_it_agrees_with_pyav_on_closed_groups(judged, name, num_frames):
    path = judged(name).path
    ours, theirs = (decode(path, num_frames, Sampler(), decoder) for decoder in ("pyav", "decord"))
    assert theirs.indices == ours.indices
    assert theirs.num_available == ours.num_available
    # another scaler converts to RGB: the same picture up to rounding
    assert (theirs.frames.int() - ours.frames.int()).abs().max() <= 3
    assert torch.allclose(theirs.timestamps, ours.timestamps, atol=1e-3)
    assert theirs.decoder == "decord"


def test_damage_text_and_what_decord_cannot_do_are_refused_in_one_line(short_clip, tmp_path, judged):
    (tmp_path / "text.mp4").write_text("not a video\n" * 99)
    content = short_clip.read_bytes()
    short_clip.write_bytes(content[: len(content) * 2 // 3])
    reasons = {
        str(tmp_path / "text.mp4"): r"not a readable video \(.+\)",
        str(short_clip): r"the file is cut off: \d+ of 30 frames",
        judged("av1").path: r"decord cannot decode it \(.+\)",
    }
    for path, reason in reasons.items():
        with pytest.raises(VideoError, match=rf"{path}: {reason}$") as caught:
            decode(path, 8, Sampler(), "decord")
        assert len(str(caught.value).splitlines()) == 1


def test_times_are_those_of_pyav_where_decord_has_none(tmp_path):
    path = str(encode(tmp_path / "short.mkv", "libx264", {"bf": "0"}, 3))
    assert decord.VideoReader(path).get_frame_timestamp([0, 1, 2]).min() > 1e9
    ours, theirs = (decode(path, 3, Sampler("fps", fps=25), decoder) for decoder in ("pyav", "decord"))
    assert theirs.indices == ours.indices == (0, 1, 2)
    assert torch.equal(theirs.timestamps, ours.timestamps)


def test_it_cannot_choose_a_stream(short_clip):
    with pytest.raises(BadInput, match=r"cannot choose a stream, got stream 0"):
        decode(str(short_clip), 8, Sampler(), "decord", stream=0)
