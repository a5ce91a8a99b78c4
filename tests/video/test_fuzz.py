"""Whatever a file is: answered exactly or refused in one clear line; the law itself stands in verdict.py."""

import os

import pytest

from intpv.video.decoded import decode_file
from intpv.video.reader import VideoError
from intpv.video.sampling import Sampler
from tests.video import fuzz
from tests.video.family import family


def assert_lawful(counts, broken, record_property):
    record_property("counts", fuzz.as_line(counts))
    assert not broken
    assert counts["unsteady"] <= 1
    assert counts["answered"]
    assert counts["refused"]


def test_the_family(reader, tmp_path, record_property):
    assert_lawful(*fuzz.count(reader, family(tmp_path)), record_property)


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz.FLIPPED)
def test_a_few_seeds(reader, tmp_path, kind):
    counts, broken = fuzz.count_flipped(reader, tmp_path, kind, range(5))
    assert not broken
    assert counts.total() == 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz.FLIPPED)
def test_all_seeds(reader, tmp_path, kind, record_property):
    assert_lawful(*fuzz.count_flipped(reader, tmp_path, kind, range(fuzz.SEEDS)), record_property)


def test_a_file_without_permission(short_clip):
    short_clip.chmod(0)
    user = os.geteuid()
    if user == 0:  # permissions do not bind root
        os.seteuid(65534)
    try:
        with pytest.raises(VideoError, match=r"short\.mp4: no permission to read it$"):
            decode_file(str(short_clip), 8, Sampler(), "pyav", 1, None)
    finally:
        os.seteuid(user)


def test_ffmpeg_does_not_speak_to_the_terminal(reader, short_clip, capfd):
    capfd.readouterr()  # what encoding says
    content = short_clip.read_bytes()
    middle = len(content) // 2
    short_clip.write_bytes(content[:middle] + content[middle:][::-1])
    with pytest.raises(VideoError):
        reader.read(short_clip, 8)
    assert capfd.readouterr() == ("", "")
