"""Rows: what grows with the frames grows, what is left out is never negative, and parts add up."""

import pytest

from experiments.cost import kv_options
from intpv.cost.shape import read
from intpv.cost.table import BITS, sheets, tables

FRAMES = [8, 16, 32, 64, 128]


GQA = {"layers": 28, "heads": 28, "kv_heads": 4, "hidden": 3584}


@pytest.fixture(scope="module", params=[{}, GQA], ids=["mha", "gqa"])
def report(request):
    return tables(read("video_llava_7b", request.param), FRAMES, kv_options())


def leaves(row: dict, name: str = "") -> dict:
    found = {}
    for key, value in row.items():
        found |= leaves(value, f"{name}{key}/") if isinstance(value, dict) else {f"{name}{key}": value}
    return found


@pytest.mark.parametrize("rows", ["as_in_the_paper", "as_it_is"])
def test_everything_but_the_weights_grows_with_the_frames(report, rows):
    columns = [leaves(row) for row in report[rows]]
    for key in columns[0].keys() - {"weights"}:
        values = [row[key] for row in columns]
        assert values == sorted(set(values)), key


def test_fewer_bits_are_fewer_bytes_and_less_time(report):
    for row in (*report["as_in_the_paper"], *report["as_it_is"]):
        for figure in ("kv", "decode_s"):
            values = [row[figure][name] for name in BITS]
            assert values == sorted(set(values), reverse=True)


def test_the_papers_int2_is_an_eighth_and_ours_is_more(report):
    for paper, ours in zip(report["as_in_the_paper"], report["as_it_is"], strict=True):
        assert 8 * paper["kv"]["INT2"] == paper["kv"]["FP16"]
        assert 8 * ours["kv"]["INT2"] > ours["kv"]["FP16"]
        assert min(ours["kv_overhead"].values()) > 0


def test_parts_add_up(report):
    weights = report["weights"]
    for paper, ours in zip(report["as_in_the_paper"], report["as_it_is"], strict=True):
        assert paper["weights"] == weights["blocks"]
        for name in BITS:
            assert paper["total"][name] == weights["blocks"] + paper["kv"][name]
            assert ours["held"][name] == sum(weights.values()) + ours["kv"][name]
        assert ours["tokens"] - paper["tokens"] == paper["frames"]  # a CLS token each


def test_every_sheet_has_a_row_for_each_number_of_frames(report):
    for rows in sheets(report).values():
        assert [row["frames\n"] for row in rows] == [str(count) for count in FRAMES]
