"""Playlists are no videos: what they show is in other files, and no hash of theirs says what it is."""

import av
import numpy as np
import pytest

from intpv.video.reader import VideoError, decode
from intpv.video.sampling import Sampler
from tests.video.streams import X264, encode

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="1"><BaseURL>clip.mp4</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>\n"
)
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
LISTS = {  # name -> content
    "ffconcat.mp4": "ffconcat version 1.0\nfile clip.mp4\n",
    "concat.mp4": "file clip.mp4\n",
    "hls.m3u8": HLS,
    "hls.mp4": HLS,
    "dash.mp4": DASH,
    "dash.mpd": DASH,
    "sdp.mp4": SDP,
    "terminal.txt": "a film of letters\n" * 99,
    "text.mp4": "a film of letters\n" * 99,
    "numbered%d.png": "a pattern for file names",
}
READ_BY_FFMPEG = ("ffconcat.mp4", "hls.m3u8", "terminal.txt", "numbered%d.png")
CONTAINERS = {  # suffix -> encoder and its pixels
    "mp4": ("libx264", "yuv420p"),
    "mov": ("libx264", "yuv420p"),
    "mkv": ("libx264", "yuv420p"),
    "webm": ("libvpx", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "flv": ("flv", "yuv420p"),
    "wmv": ("wmv2", "yuv420p"),
    "ts": ("libx264", "yuv420p"),
    "mpg": ("mpeg2video", "yuv420p"),
    "mxf": ("mpeg2video", "yuv420p"),
    "nut": ("mpeg4", "yuv420p"),
    "ivf": ("libvpx", "yuv420p"),
    "gif": ("gif", "rgb8"),
}


@pytest.fixture
def folder(tmp_path):
    """A clip, numbered pictures, and lists that name them."""
    encode(tmp_path / "clip.mp4", "libx264", X264, 30)
    for number in range(3):
        with av.open(str(tmp_path / f"numbered{number}.png"), "w", format="image2") as picture:
            stream = picture.add_stream("png", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            picture.mux([*stream.encode(frame), *stream.encode(None)])
    for name, content in LISTS.items():
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_refused_whatever_it_is_called(folder, name, decoder):
    with pytest.raises(VideoError, match=r"(is in none of the containers that a video may have|not a readable video)"):
        decode(str(folder / name), 4, Sampler(), decoder)


@pytest.mark.parametrize("name", READ_BY_FFMPEG)
def test_ffmpeg_itself_would_show_it(folder, name):
    with av.open(str(folder / name)) as container:
        assert next(container.decode(video=0)).width > 0


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_container_that_holds_its_frames_is_read(tmp_path, suffix):
    codec, pixels = CONTAINERS[suffix]
    path = encode(tmp_path / f"clip.{suffix}", codec, {}, 30, pixels=pixels)
    assert decode(str(path), 8, Sampler()).num_available == 30
    renamed = path.rename(tmp_path / "clip.txt")  # the content says what it is, not the name
    assert decode(str(renamed), 8, Sampler()).num_available == 30


def alias(name: bytes) -> bytes:
    """A data reference to another file, as QuickTime writes it (an alias record of version 2)."""
    record = bytes(10) + bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12)
    record += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + (1).to_bytes(2, "big") * 2 + bytes(16)
    path = b"disk:" + name
    record += (2).to_bytes(2, "big") + len(path).to_bytes(2, "big") + path + bytes(len(path) % 2)
    record += b"\xff\xff\0\0"
    return (12 + len(record)).to_bytes(4, "big") + b"alis" + bytes(4) + record


def test_a_movie_whose_frames_lie_in_another_file_is_refused(folder, decoder):
    """moov alone, each of its samples where it lies in clip.mp4; no self-reference, but an alias to that file."""
    content = (folder / "clip.mp4").read_bytes()
    moov = bytearray(content[content.index(b"moov") - 4 :])
    old = moov.index(b"url ") - 4
    new = alias(b"clip.mp4")
    moov[old : old + 12] = new
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = moov.index(box) - 4
        size = int.from_bytes(moov[place : place + 4], "big") + len(new) - 12
        moov[place : place + 4] = size.to_bytes(4, "big")
    path = folder / "reference.mov"
    path.write_bytes(content[: content.index(b"mdat") - 4] + moov)
    with av.open(str(path), options={"enable_drefs": "1"}) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30  # so the reference is a sound one
    with pytest.raises(VideoError, match=r"reference\.mov: the file is cut off: 0 of 30 frames$"):
        decode(str(path), 4, Sampler(), decoder)
