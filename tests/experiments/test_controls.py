"""Controls: a blind cell answers every question without its videos, and what cannot be measured of it is refused."""

from .cli import read


def test_a_blind_cell_looks_at_no_video(bench, evaluate):
    assert evaluate("sweep.name=blind", "video=blind", "frames=16", "kv_quant=int8")[0] == 0
    (cell,) = bench.cells("blind").values()
    metrics = read(cell, "metrics.json")
    assert (metrics["frames"], metrics["groups"], metrics["coverage"]) == (0, 0, 1)
    assert metrics["ceiling"] == metrics["blind"]
    assert metrics["time/decode_s"] == metrics["time/encode_s"] == 0
    assert metrics["rope/factor"] == 1


def test_attention_to_frames_is_not_measured_without_any(evaluate):
    code, said = evaluate("sweep.name=blind_measured", "video=blind", "measure=full")
    assert code != 0
    assert "video.blind=true shows none: measure=none does without" in said
