"""The memory bench: every way is counted on a short video, and what is told apart adds up."""

import pytest

from experiments.bench.memory import length_lines, watch_longer


@pytest.mark.slow
def test_every_way_is_counted_and_timed():
    sizes = {"rounds": 1, "whole": 16, "cap": 64, "kv_quant": "int2", "tower_frames": 8, "prefill_tokens": 64}
    found = watch_longer([16, 32], **sizes)
    few, many = found["rows"]
    assert "at_once" in few
    assert "at_once" not in many
    for name in ("early", "capped"):
        assert many[name]["frames_bytes"] == 2 * few[name]["frames_bytes"] == 32 * 3 * 48 * 48
        assert many[name]["features_bytes"] == 2 * few[name]["features_bytes"]
        assert many[name]["beyond"] == max(many[name]["tower"], many[name]["decoder"])
        assert found["most"][name] == many[name]["beyond"] / few[name]["beyond"]
    assert many["capped"]["kv"] == few["capped"]["kv"]  # the cap
    assert many["early"]["kv"] > few["early"]["kv"]
    assert few["early"]["beyond"] < few["at_once"]["beyond"]
    assert [row["frames"] for row in found["seconds"]] == [32]
    assert len(length_lines(found)) == 2 + 1 + 2
