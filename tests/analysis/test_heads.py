"""Heads: the page's figures are those of the tables that cells have written, per layer, head and training."""

import csv
import re

import numpy as np
import pytest

from analysis.heads import Heads, heads_of, write_heads
from analysis.runs import read_sweep
from intpv.errors import BadInput

SHAPE = (3, 4)


def measured(cell, kl, error, videos=5):
    """Write the tables of a cell as a run with measure=full does."""
    mass = np.tile([0.3, 0.05, 0.15, 0.1, 0.4], (*kl.shape, 1))  # first tokens, text, question, two frames
    tables = {"local/kl/all": kl, "local/output_error": error, "local/mass/reference": mass}
    np.savez(cell / "attention_kl.npz", **tables)
    file = cell / "metrics.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("{", f'{{"attention_kl/videos": {videos}.0, ', 1), encoding="utf-8")


@pytest.fixture
def sweep(tmp_path, write_cell, answers):
    """Two trainings of int2, one of int4 and a cell that measured nothing."""
    rng = np.random.default_rng(0)
    for kv, seeds in (("int2", (0, 0, 0)), ("int2", (0, 0, 1)), ("int4", (0, 0, 0))):
        write_cell(tmp_path, "yarn", 64, kv, lines=answers(), seeds=seeds)
        cell = next(one for one in tmp_path.iterdir() if not (one / "attention_kl.npz").exists())
        measured(cell, rng.exponential(0.02, SHAPE), rng.uniform(0, 0.5, SHAPE))
    write_cell(tmp_path, "yarn", 8, lines=answers())
    return tmp_path


def test_layers_are_means_over_heads_and_trainings(sweep):
    page, table = write_heads(sweep)
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## .*, (.*)$", text, re.M) == ["int4", "int2"]
    files = [cell.folder / "attention_kl.npz" for cell in read_sweep(sweep) if cell.kv_quant == "int2"]
    kl, error = (np.array([np.load(file)[f"local/{name}"] for file in files]) for name in ("kl/all", "output_error"))
    section = text.split("int2\n")[1]
    for layer in range(3):
        both, one, other = 1000 * kl[:, layer].mean(), *(1000 * kl[:, layer].mean(axis=1))
        put, first, second = 100 * error[:, layer].mean(), *(100 * error[:, layer].mean(axis=1))
        worst = kl.mean(axis=0)[layer].argmax()
        line = (
            f"| {layer} | {both:.1f} {{{one:.1f}, {other:.1f}}} | {put:.1f} {{{first:.1f}, {second:.1f}}} | {worst}: "
        )
        assert line in section
    with table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kv"] == "int2"]
    assert len(rows) == kl[0].size
    for row in rows:
        place = int(row["layer"]), int(row["head"])
        assert float(row["kl_nats"]) == pytest.approx(kl.mean(axis=0)[place])
        assert float(row["output_error"]) == pytest.approx(error.mean(axis=0)[place])


def test_an_exact_cache_has_no_table_and_exact_keys_no_worst_heads(tmp_path, write_cell, answers):
    for kv, error in (("int8", 0.0), ("int2", 0.25)):
        write_cell(tmp_path, "yarn", 64, kv, lines=answers())
        measured(tmp_path / f"strided-yarn-f64-{kv}", np.zeros(SHAPE), np.full(SHAPE, error))
    exact, values = write_heads(tmp_path)[0].read_text(encoding="utf-8").split("\n## ")[1:]
    masses = "Of the attention in full precision the first tokens have 30.0 % and the video 50.0 %."
    assert exact.endswith(f"int8\n\n5 watches. Over all heads 0.0 mnat and 0.0 %. {masses}\n")
    assert f"5 watches. Over all heads 0.0 mnat and 25.0 %. {masses}\n\n| layer |" in values
    assert values.count("| 0.0 | 25.0 |") == 3


def test_half_and_tenth_by_counting():
    kl = np.zeros((5, 4))
    kl[2, 1], kl[0, 0], kl[4, 3] = 3.0, 2.0, 1.0
    found = Heads(kl, kl, 0.3, 0.5, 1)
    assert found.half == 1  # 3 of 6
    assert found.tenth == pytest.approx(5 / 6)  # two of twenty
    even = Heads(np.ones((2, 4)), kl, 0.3, 0.5, 1)
    assert even.half == 4
    assert even.tenth == pytest.approx(1 / 8)


def test_nothing_measured_and_unlike_heads_are_refused(sweep, tmp_path_factory, write_cell, answers):
    other = tmp_path_factory.mktemp("other")
    write_cell(other, "yarn", 8, lines=answers())
    with pytest.raises(
        BadInput, match=r"no finished cell of .* has measured attention KL per head: measure=full does$"
    ):
        write_heads(other)
    cells = [cell for cell in read_sweep(sweep) if cell.kv_quant == "int2"]
    measured(cells[1].folder, np.ones((2, 4)), np.ones((2, 4)))
    with pytest.raises(BadInput, match=r"runs of one cell have the same layers and heads, got \[\(2, 4\), \(3, 4\)\]$"):
        heads_of(cells)
