"""Every logger is a Mirror; the one that is none does nothing."""

from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate

from intpv.logger.mirror import Curve, Mirror, NullMirror, safe, series

OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "logger").glob("*.yaml"))


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_each_option_of_the_logger_has_the_interface(path):
    mirror = instantiate(yaml.safe_load(path.read_text()))
    assert isinstance(mirror, Mirror)
    assert mirror.strips >= 0


def test_no_mirror_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mirror = NullMirror()
    mirror.start("sweep", "cell", {"frames": 8}, {"kv_quant": "none"})
    mirror.video([], None)
    mirror.figures([])
    mirror.finish({"accuracy": 0.5}, failed=False)
    mirror.summary("sweep", [{"cell": "cell"}], [])
    assert mirror.strips == 0
    assert not list(tmp_path.iterdir())


def test_the_series_hold_every_point_of_every_line_once():
    lines = {"none": {64: 0.1, 8: 0.2}, "yarn factor=2.5": {8: 0.3}}
    points = series([Curve("slow", "t", lines), Curve("fast", "t", {})])
    assert list(points) == [8, 64]
    found = {(name, frames): value for frames, values in points.items() for name, value in values.items()}
    assert found == {(f"slow/{safe(label)}", f): value for label, line in lines.items() for f, value in line.items()}
