"""The last frame's duration: what a fixed rate shows, judged by FFmpeg's own fps filter and by the file's header."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph

from intpv.video.container import opened, packet_index
from intpv.video.decode_pyav import in_order
from intpv.video.reader import decode
from intpv.video.sampling import Sampler
from tests.video.streams import number_in, picture

TICKS = 100  # of a second
LONG_LAST = (100, 250, 40, 700)  # ticks that each picture stays


def film(path, codec, durations=LONG_LAST, **options):
    """Numbered pictures, each of which stays as long as its packet says."""
    squares = np.random.default_rng(0).integers(0, 256, (len(durations) + 6, 8, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=TICKS, options={**options, "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, TICKS)
        starts = np.cumsum([0, *durations]).tolist()
        packets = []
        for i, start in enumerate(starts[:-1]):
            frame = av.VideoFrame.from_ndarray(picture(i, squares[i : i + 6]), format="rgb24")
            frame.pts, frame.time_base = start, Fraction(1, TICKS)
            packets += stream.encode(frame)
        for packet in [*packets, *stream.encode(None)]:
            if packet.size:
                packet.duration = durations[starts.index(packet.pts)]
                container.mux(packet)
    return path


def by_ffmpeg(path, fps):
    """The number of the picture on screen at 0, 1/fps, 2/fps, ... s, by libavfilter."""
    with av.open(str(path)) as container:
        video, graph, out = container.streams.video[0], Graph(), []
        nodes = [graph.add_buffer(template=video), graph.add("fps", f"fps={fps}:round=up"), graph.add("buffersink")]
        graph.link_nodes(*nodes).configure()
        for frame in [*container.decode(video), None]:
            graph.vpush(frame)
            try:
                while True:
                    out.append(number_in(graph.vpull().to_ndarray(format="rgb24")))
            except (av.BlockingIOError, av.EOFError):
                pass
    return out


def seen(path, fps, num_frames, decoder="pyav"):
    video = decode(str(path), num_frames, Sampler("fps", fps=fps), decoder)
    return [number_in(frame.permute(1, 2, 0).numpy()) for frame in video.frames]


@pytest.mark.slow
@pytest.mark.parametrize("fps", [1, 2.5, 10])
@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("mov", "mpeg4"), ("webm", "libvpx")]
)
def test_a_fixed_rate_shows_what_ffmpeg_shows(tmp_path, suffix, codec, decoder, fps):
    path = film(tmp_path / f"film.{suffix}", codec)
    expected = by_ffmpeg(path, fps)
    assert seen(path, fps, len(expected), decoder) == expected
    assert seen(path, fps, len(expected) + 2, decoder) == [*expected, expected[-1], expected[-1]]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_decoding_finds_the_end_that_the_packets_tell(tmp_path, suffix):
    path = str(film(tmp_path / f"film.{suffix}", "libx264"))
    with opened(path, 1, None) as (container, video):
        index = packet_index(path, container, video)
        seconds, end = index.seconds(video.time_base), index.end(video.time_base)
    _, decoded_seconds, decoded_end = in_order(path, index, (), 1, None)
    assert (decoded_seconds, decoded_end) == (seconds, end)
    assert end > seconds[-1]


def test_slides_are_shown_as_long_as_each_other(tmp_path):
    slides = film(tmp_path / "slides.mp4", "libx264", (1000, 1000, 1000))
    assert seen(slides, 1, 30) == by_ffmpeg(slides, 1) == [0] * 10 + [1] * 10 + [2] * 10
    assert seen(slides, 1, 3) == [0, 1, 2]


@pytest.mark.parametrize("seconds", [25, 21, 12])
def test_an_edit_list_that_ends_within_a_frame_ends_the_video(tmp_path, seconds):
    path = film(tmp_path / "slides.mp4", "libx264", (1000, 1000, 1000))
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 12  # behind type, version and count stands the duration, here in ms
    assert int.from_bytes(content[place : place + 4], "big") == 30_000
    content[place : place + 4] = (1000 * seconds).to_bytes(4, "big")
    path.write_bytes(content)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert video.duration * video.time_base == seconds  # the header's word
    assert seen(path, 1, seconds) == [second // 10 for second in range(seconds)]
    assert seen(path, 1, seconds + 1)[-2:] == [(seconds - 1) // 10] * 2
