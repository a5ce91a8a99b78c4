"""A calibration file holds what was streamed, to the bit, and what is none of ours is refused in one line."""

import pytest
import torch
from safetensors.torch import save_file

from intpv.errors import BadInput
from intpv.kv_quant import calibration
from intpv.kv_quant.basis import PreRope
from intpv.kv_quant.calibration import KINDS, Stream, read
from intpv.kv_quant.kv_quant import KVQuant
from intpv.shipped import EMBEDDED


def test_the_file_holds_ranges_and_moments_of_every_channel(calibrated):
    path, seen, angles = calibrated(layers=3)
    held, digest = read(path)
    assert held.shape == (3, 2, 16)
    assert len(digest) == 64
    turned = PreRope.of(angles, torch.device("cpu"))
    for layer in range(3):
        keys = [prefix[layer][0] for prefix in seen]
        everything = (keys, [turned.into(k) for k in keys], [prefix[layer][1] for prefix in seen])
        for kind, parts in zip(KINDS, everything, strict=True):
            x, one = torch.cat(parts, 1), held.statistics[kind]
            assert one.count == x.shape[1]
            assert torch.equal(one.low[layer], x.amin(1))
            assert torch.equal(one.high[layer], x.amax(1))
            torch.testing.assert_close(one.mean[layer], x.double().mean(1), rtol=0, atol=1e-7)
            torch.testing.assert_close(one.variance[layer], x.double().var(1, correction=0), rtol=1e-6, atol=0)
            assert torch.equal(one.histogram.counts[layer].sum(-1), torch.full((2, 16), x.shape[1]))


def test_the_first_tokens_do_not_count():
    with_sinks, without = Stream(bins=8, sinks=4), Stream(bins=8, sinks=0)
    keys, values = torch.randn(2, 2, 20, 8)
    keys[:, :4], values[:, :4] = 1e4, -1e4
    angles = torch.arange(20)[:, None] * torch.rand(4)
    with_sinks.add([(keys, values)], angles)
    without.add([(keys[:, 4:], values[:, 4:])], angles[4:])
    for kind, one in with_sinks.statistics().items():
        assert one.high.max() < 10
        assert torch.equal(one.low, without.statistics()[kind].low)


def test_memory_does_not_grow_with_prefixes():
    def held(prefixes):
        stream = Stream(bins=8, sinks=0)
        for _ in range(prefixes):
            stream.add([tuple(torch.randn(2, 1, 50, 8))], torch.zeros(50, 4))
        one = stream.statistics()["keys"]
        return sum(x.untyped_storage().nbytes() for x in (one.low, one.mean, one.histogram.counts))

    assert held(1) == held(7)


def test_what_is_no_calibration_is_refused(tmp_path, calibrated):
    calibrated()
    content = (tmp_path / "calibration.safetensors").read_bytes()
    broken = {"empty": b"", "text": b"not a file of ours", "half": content[: len(content) // 2], "short": content[:-1]}
    for name, wrong in broken.items():
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(BadInput, match=f"{name} is no whole file of calibrate_kv") as refused:
            KVQuant(
                bits=2, value_granularity="channel", key_group=None, value_group=None, calibration=str(tmp_path / name)
            )
        assert len(str(refused.value).splitlines()) == 1
    save_file({"weight": torch.zeros(3)}, tmp_path / "foreign")
    with pytest.raises(BadInput, match="foreign is no whole file of calibrate_kv"):
        read(str(tmp_path / "foreign"))
    save_file({"weight": torch.zeros(3)}, tmp_path / "later", {"format": "intpv-calibration-2"})
    with pytest.raises(BadInput, match="must be of format intpv-calibration-1, got intpv-calibration-2"):
        read(str(tmp_path / "later"))
    with pytest.raises(
        BadInput, match=r"missing: No such file or directory; `python -m experiments.calibrate_kv out=\S+`"
    ):
        read(str(tmp_path / "missing"))
    with pytest.raises(BadInput, match=r"Is a directory$"):  # calibrate_kv could not write there either
        read(str(tmp_path))


def test_a_file_that_changed_is_read_anew(calibrated, tmp_path):
    path, *_ = calibrated()
    before = read(path)[1]
    other, *_ = calibrated(layers=1, name="other")
    (tmp_path / "calibration.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes())
    assert read(path)[1] == read(other)[1] != before


def test_the_embedded_one_is_small_and_of_the_embedded_model():
    assert (EMBEDDED / "calibration.safetensors").stat().st_size < 250_000
    held, _ = read("embedded")
    assert held.origin.model == "mini"
    assert held.about["split"].startswith("calibration")
    assert held.shape == (4, 4, 32)


def test_counts_are_kept_in_the_narrowest_type():
    assert calibration._narrowest(32767) == torch.int16
    assert calibration._narrowest(32768) == torch.int32
    assert calibration._narrowest(2**31) == torch.int64
