"""By kind or label: scores are those of the metrics, below their floors; other questions have a table of their own."""

import pytest

from analysis.kinds import append_kinds, kinds_table
from analysis.runs import read_sweep
from intpv.errors import BadInput
from intpv.metrics.accuracy import accuracy


def _unbounded(lines, **labels):
    return [{**line, "ceiling": None, "blind": None, "labels": {**line["labels"], **labels}} for line in lines]


def _rows(text):
    return [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line]


def test_kinds_stand_below_their_floors(tmp_path, write_cell, answers):
    for frames in (8, 16):
        lines = [{**line, "answer": "yes" if line["id"] < "v0005" else "no"} for line in answers(0.7, seed=frames)]
        write_cell(tmp_path, "none", frames, lines=_unbounded(lines))
    cells = read_sweep(tmp_path)
    header, _, questions, floor, eight, sixteen = _rows(kinds_table(cells))
    assert header[4:] == ["order", "presence"]
    assert questions[4:] == ["40", "40"]
    assert floor[4:] == ["75.0", "75.0"]  # 15 of 20 videos have the answer no
    for row, cell in zip((eight, sixteen), cells, strict=True):
        assert [float(score) / 100 for score in row[4:]] == pytest.approx(
            [cell.metrics["accuracy/order"], cell.metrics["accuracy/presence"]], abs=5e-4
        )


def test_any_label_groups(tmp_path, write_cell, answers):
    lines = [
        line for place in ("home", "street") for line in _unbounded(answers(videos=4, seed=len(place)), place=place)
    ]
    lines = [{**line, "id": f"{line['labels']['place']}/{line['id']}"} for line in lines]
    write_cell(tmp_path, "none", 8, lines=lines)
    header, _, _, _, scores = _rows(kinds_table(read_sweep(tmp_path), "place"))
    assert header[4:] == ["home", "street"]
    own = [accuracy([line for line in lines if line["labels"]["place"] == place])["accuracy"] for place in header[4:]]
    assert [float(score) / 100 for score in scores[4:]] == pytest.approx(own, abs=5e-4)
    with pytest.raises(BadInput, match=r"LABEL must be one of place, regime, as questions have it, got hour"):
        kinds_table(read_sweep(tmp_path), "hour")


def test_one_kind_alone_by_a_label_whose_numbers_stand_in_their_order(tmp_path, write_cell, answers):
    lines = answers(videos=6)
    for place, line in enumerate(lines):
        line["labels"]["distance"] = (2, 10, -1)[place // 4 % 3]
    write_cell(tmp_path, "none", 8, lines=lines)
    header, _, questions, _, scores = _rows(kinds_table(read_sweep(tmp_path), "distance", "order"))
    assert header[4:] == ["-1", "2", "10"]
    assert questions[4:] == ["4", "4", "4"]
    of = [
        [line for line in lines if (line["labels"]["distance"], line["kind"]) == (one, "order")] for one in (-1, 2, 10)
    ]
    assert [float(score) / 100 for score in scores[4:]] == [accuracy(some)["accuracy"] for some in of]
    with pytest.raises(BadInput, match=r"KIND must be one of order, presence, got when"):
        kinds_table(read_sweep(tmp_path), "distance", "when")


def test_cells_of_other_questions_have_a_table_of_their_own(tmp_path, write_cell, answers):
    write_cell(tmp_path, "none", 8, lines=_unbounded(answers(videos=4)))
    write_cell(tmp_path, "none", 16, lines=_unbounded(answers(videos=6)))
    assert kinds_table(read_sweep(tmp_path)).count("| floor |") == 2


def test_a_table_of_a_benchmark_without_bounds_ends_with_it(tmp_path, write_cell, answers, sweep):
    append_kinds(read_sweep(sweep), sweep / "table.md")
    assert not (sweep / "table.md").exists()  # flipbook has skill
    write_cell(tmp_path / "own", "none", 8, lines=_unbounded(answers()))
    append_kinds(read_sweep(tmp_path / "own"), tmp_path / "own" / "table.md")
    assert (tmp_path / "own" / "table.md").read_text(encoding="utf-8").startswith("\n## By kind of question")
