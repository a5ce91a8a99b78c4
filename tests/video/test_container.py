"""What the packets and the header alone tell."""

import pytest

from intpv.video import container as module
from intpv.video.container import opened, packet_index
from intpv.video.reader import VideoError, decode
from intpv.video.sampling import Sampler
from tests.video.streams import remux


@pytest.mark.parametrize("name", ["x264-closed", "x264-open", "x265-open"])
def test_where_a_packet_is_lost_there_is_no_seeking(judged, tmp_path, name):
    source = judged(name).path
    for lost, can_seek in ((None, True), (333, False)):
        with opened(str(remux(source, tmp_path / "lost.mkv", lost=lost)), 1, None) as (container, video):
            assert packet_index("lost.mkv", container, video).can_seek is can_seek


def test_a_picture_larger_than_any_codec_allows_is_refused(short_clip, monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(VideoError, match=r"short\.mp4: its picture of 64x48 is over 3071 pixels$"):
        decode(str(short_clip), 8, Sampler())
