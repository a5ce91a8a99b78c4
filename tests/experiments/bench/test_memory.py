"""The memory bench: every way is counted on a short video, and what is told apart adds up."""

import pytest

from experiments.bench.memory import BOUNDED, LINEAR, length_lines, watch_longer
from intpv.video.reader import VideoReader

from ...video.streams import X264, encode


@pytest.mark.slow
def test_every_way_is_counted_and_timed(tmp_path):
    sizes = {"rounds": 1, "whole": 16, "cap": 64, "kv_quant": "int2", "tower_frames": 8, "prefill_tokens": 64}
    film = encode(tmp_path / "short.mp4", "libx264", X264, num_frames=30)
    found = watch_longer([16, 32], video=str(film), **sizes)
    few, many = found["rows"]
    assert "at_once" in few
    assert "at_once" not in many
    for name in BOUNDED:
        assert many[name]["frames_bytes"] == 2 * few[name]["frames_bytes"] == 32 * 3 * 48 * 48
        assert many[name]["features_bytes"] == 2 * few[name]["features_bytes"]
        assert many[name]["beyond"] == max(many[name]["tower"], many[name]["decoder"])
        assert found["most"][name] == many[name]["beyond"] / few[name]["beyond"]
    for name in LINEAR:
        assert many[name]["kv"] == few[name]["kv"]  # the cap
    assert many["early"]["kv"] > few["early"]["kv"]
    assert few["early"]["beyond"] < few["at_once"]["beyond"]
    assert [row["frames"] for row in found["seconds"]] == [32]
    assert len(length_lines(found)) == 2 + 1 + 4 + 1
    watched = found["video"]
    assert watched["size"] == [*VideoReader().read(film, 1).frames.shape[2:]]
    spent = watched["seconds"]
    for name in LINEAR:
        whole = spent["decode_and_fit"] + spent["tower"] + spent[name]
        assert watched["times_decoding"][name] == pytest.approx(whole / spent["decode"])
