"""Lightning's loggers as mirrors: each cell's own folder, read back from the files."""

import csv
import struct
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate
from PIL import Image

from intpv.errors import BadInput
from intpv.logger.lightning import LightningMirror, flat
from intpv.logger.mirror import Curve, Figure

CONF = Path(__file__).parents[2] / "conf" / "logger"
CONFIG = {"frames": 32, "rope_strategy": {"factor": 4.0, "trained": [8, 256]}, "model": {"path": None}}
CHOICES = {"rope_strategy": "yarn", "experiment": None}
METRICS = {"accuracy": 0.75, "accuracy/order": 0.5, "kv/bytes": 1024, "skill": None}
CURVES = [Curve("slow", "t", {"none": {8: 0.5, 64: 0.25}, "yarn": {64: 1.0}})]


def mirror(option, folder):
    return instantiate(yaml.safe_load((CONF / f"{option}.yaml").read_text()) | {"dir": str(folder)})


def run_cell(mirror, cell, metrics=METRICS, failed=False):
    mirror.start("sweep", cell, CONFIG, CHOICES)
    mirror.video([], None)
    mirror.finish(metrics, failed)


def rows(file):
    with file.open(encoding="utf-8") as lines:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]


def events(folder):
    """TensorBoard's one event file: (length, checksum, event, checksum) after each other -> events."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2", reason="reading events back needs tensorboardX")
    (file,) = folder.glob("events.out.tfevents.*")
    content, place = file.read_bytes(), 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        yield event_pb2.Event.FromString(content[place + 12 : place + 12 + length])
        place += 16 + length


def scalars(folder):
    """(name, step) -> value."""
    found = [(value.tag, event.step, value) for event in events(folder) for value in event.summary.value]
    return {(tag, step): value.simple_value for tag, step, value in found if value.WhichOneof("value")}


def test_csv_has_metrics_config_and_state_of_each_cell(tmp_path):
    csv_mirror = mirror("csv", tmp_path)
    run_cell(csv_mirror, "good")
    run_cell(csv_mirror, "bad", {}, failed=True)
    known = {name: value for name, value in METRICS.items() if value is not None}
    assert rows(tmp_path / "sweep" / "good" / "metrics.csv") == [known | {"step": 0, "failed": 0}]
    assert rows(tmp_path / "sweep" / "bad" / "metrics.csv") == [{"step": 0, "failed": 1}]
    config = yaml.safe_load((tmp_path / "sweep" / "good" / "hparams.yaml").read_text())
    assert config == {"rope_strategy": "yarn", **flat(CONFIG)}


def test_csv_has_the_curves_over_frames(tmp_path):
    mirror("csv", tmp_path).summary("sweep", [{"cell": "a"}], CURVES)
    points = rows(tmp_path / "sweep" / "summary" / "metrics.csv")
    assert points == [{"step": 8, "slow/none": 0.5}, {"step": 64, "slow/none": 0.25, "slow/yarn": 1.0}]


@pytest.mark.parametrize("option", ["csv", "tensorboard"])
def test_a_second_start_overwrites_its_own_files_and_no_others(tmp_path, option):
    if option == "tensorboard":
        pytest.importorskip("tensorboardX", reason="the logger needs it")
    cell = tmp_path / "sweep" / "cell"
    for metrics, failed in (({"old": 1.0}, True), (METRICS, False)):
        run_cell(mirror(option, tmp_path), "cell", metrics, failed)
        (cell / "samples.jsonl").touch()  # somebody writes results and mirror into one folder
    names = {name for name, _ in scalars(cell)} if option == "tensorboard" else set(*rows(cell / "metrics.csv"))
    assert "accuracy" in names
    assert "old" not in names
    assert (cell / "samples.jsonl").exists()


def test_tensorboard_has_metrics_config_and_state(tmp_path):
    pytest.importorskip("tensorboardX", reason="the logger needs it")
    tensorboard = mirror("tensorboard", tmp_path)
    run_cell(tensorboard, "good")
    run_cell(tensorboard, "bad", {}, failed=True)
    known = {(name, 0): pytest.approx(value) for name, value in METRICS.items() if value is not None}
    assert scalars(tmp_path / "sweep" / "good") == known | {("failed", 0): 0}
    assert scalars(tmp_path / "sweep" / "bad") == {("failed", 0): 1}
    plugin_data = pytest.importorskip("tensorboardX.proto.plugin_hparams_pb2").HParamsPluginData
    contents = [
        plugin_data.FromString(value.metadata.plugin_data.content)
        for event in events(tmp_path / "sweep" / "good")
        for value in event.summary.value
        if value.tag == "_hparams_/session_start_info"
    ]
    (shown,) = [dict(content.session_start_info.hparams) for content in contents]
    assert shown["rope_strategy"].string_value == "yarn"
    assert shown["rope_strategy.factor"].number_value == 4
    assert shown.keys() >= {"frames", "rope_strategy.trained"}


def test_tensorboard_has_the_curves_over_frames(tmp_path):
    pytest.importorskip("tensorboardX", reason="the logger needs it")
    mirror("tensorboard", tmp_path).summary("sweep", [{"cell": "a"}], CURVES)
    points = {("slow/none", 8): 0.5, ("slow/none", 64): 0.25, ("slow/yarn", 64): 1.0}
    assert scalars(tmp_path / "sweep" / "summary") == points


def test_a_missing_package_is_named_before_anything_runs(tmp_path, caplog):
    def missing(**place):
        raise ModuleNotFoundError("Neither `tensorboard` nor `tensorboardX`\nis available")

    lightning_mirror = LightningMirror(missing, str(tmp_path), [], install="tensorboardX")
    with pytest.raises(BadInput, match=r"^the chosen logger needs .*: pip install tensorboardX$"):
        lightning_mirror.start("sweep", "cell", CONFIG, CHOICES)
    lightning_mirror.summary("sweep", [], CURVES)  # too late to stop anything
    (warning,) = caplog.messages
    assert warning.endswith("pip install tensorboardX")


def test_a_logger_that_cannot_write_does_not_stop_the_cell(tmp_path, caplog):
    (tmp_path / "file").touch()
    from lightning.pytorch.loggers import CSVLogger

    lightning_mirror = LightningMirror(partial(CSVLogger), str(tmp_path / "file"), ["metrics.csv"])
    run_cell(lightning_mirror, "cell")
    lightning_mirror.summary("sweep", [], CURVES)
    assert caplog.messages
    assert all(message.startswith("LightningMirror: ") for message in caplog.messages)


def test_tensorboard_has_the_figures_as_images_and_tables(tmp_path):
    pytest.importorskip("tensorboardX", reason="the logger needs it")
    (tmp_path / "made").mkdir()
    path = tmp_path / "made" / "memory.png"
    Image.fromarray(np.full((20, 30, 3), 200, np.uint8)).save(path)
    tensorboard = mirror("tensorboard", tmp_path)
    tensorboard.start("sweep", "good", CONFIG, CHOICES)
    tensorboard.figures([Figure("memory", path, [{"part": "codes", "bytes": 7}])])
    tensorboard.finish(METRICS, failed=False)
    values = {value.tag: value for event in events(tmp_path / "sweep" / "good") for value in event.summary.value}
    with Image.open(BytesIO(values["figures/memory"].image.encoded_image_string)) as picture:
        assert picture.size == (30, 20)
        assert np.asarray(picture.convert("RGB")).min() == 200
    (table,) = [value for tag, value in values.items() if tag.startswith("tables/memory")]
    assert "| codes | 7 |" in table.tensor.string_val[0].decode()
    assert values["accuracy"].simple_value == pytest.approx(METRICS["accuracy"])


def test_csv_takes_no_figures(tmp_path):
    csv_mirror = mirror("csv", tmp_path)
    csv_mirror.start("sweep", "good", CONFIG, CHOICES)
    csv_mirror.figures([Figure("memory", tmp_path / "gone.png", [])])
    csv_mirror.finish(METRICS, failed=False)
    assert (tmp_path / "sweep" / "good" / "metrics.csv").exists()


def test_tensorboard_itself_finds_config_metrics_curves_and_figures(tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="pip install tensorboard"
    )
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    def shown(name):
        found = accumulator.EventAccumulator(str(tmp_path / "sweep" / name))
        return found.Reload()

    Image.fromarray(np.full((20, 30, 3), 200, np.uint8)).save(tmp_path / "memory.png")
    tensorboard = mirror("tensorboard", tmp_path)
    tensorboard.start("sweep", "good", CONFIG, CHOICES)
    tensorboard.figures([Figure("memory", tmp_path / "memory.png", [{"part": "codes", "bytes": 7}])])
    tensorboard.finish(METRICS, failed=False)
    tensorboard.summary("sweep", [{"cell": "good"}], CURVES)

    cell = shown("good")
    assert [event.value for event in cell.Scalars("accuracy")] == [pytest.approx(METRICS["accuracy"])]
    (figure,) = cell.Images("figures/memory")
    assert (figure.width, figure.height) == (30, 20)
    (table,) = (tag for tag in cell.Tags()["tensors"] if tag.startswith("tables/memory"))
    assert "| codes | 7 |" in cell.Tensors(table)[0].tensor_proto.string_val[0].decode()
    metadata = cell.SummaryMetadata("_hparams_/session_start_info")
    config = HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info.hparams
    assert config["rope_strategy"].string_value == "yarn"
    assert config["frames"].number_value == CONFIG["frames"]
    curve = [(event.step, event.value) for event in shown("summary").Scalars("slow/none")]
    assert curve == [(8, 0.5), (64, 0.25)]
