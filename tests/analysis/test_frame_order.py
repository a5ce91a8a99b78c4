"""The table and the picture of a sweep over video.order, from run folders of known readers."""

import pytest
import yaml

from analysis.frame_order import main, trios, write_order
from analysis.runs import read_sweep
from intpv.errors import BadInput

EIGHTHS = list("12345678")


@pytest.fixture
def ordered_sweep(tmp_path, write_cell):
    """One strategy at 8 frames in three orders; its reader is always right about the video it was shown."""

    def lines(order):
        made = []
        for video in range(16):
            first, second = str(video % 8 + 1), str(8 - video % 8)
            answers = (("when", EIGHTHS, first, second), ("order", ["before", "after"], "before", "after"))
            asked = [*answers, ("count", ["1", "2"], "2", "2"), ("cause", ["north", "east"], "north", None)]
            for number, (kind, options, answer, backwards) in enumerate(asked):
                said = backwards if order == "reversed" and backwards else answer
                labels = {"regime": "slow", "reversed_answer": backwards}
                labels["reverses"] = backwards not in (None, answer)
                about = {"id": f"v{video}/{number}", "video": f"v{video}", "kind": kind, "labels": labels}
                asking = {"question": "?", "options": options, "answer": answer, "prediction": said}
                score = {"correct": said == answer, "valid": True, "ceiling": 1.0, "blind": 0.1, "error": None}
                made.append({**about, **asking, **score, "choice": said, "loglik": []})
        return made

    for order in ("ordered", "shuffled", "reversed"):
        cell = write_cell(tmp_path / "order", frames=8, lines=lines(order), overrides=[f"video.order={order}"])
        config = cell / ".hydra" / "config.yaml"
        config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), "video": {"order": order}}))
    return tmp_path / "order"


def test_the_table_shows_what_the_reader_knows(ordered_sweep):
    (trio,) = trios(read_sweep(ordered_sweep))
    assert trio.title == "yarn, strided, 8 frames, kv none"
    written = write_order(ordered_sweep)
    assert [path.name for path in written] == ["order.md", "when.png", "when.pdf"]
    text = written[0].read_text()
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert rows["all"] == "| all | 48 | 100.0 | 100.0 | 100.0 | +0.0 [–] | +0.0 [–] | 0.0 |"
    assert rows["cause"] == "| cause | 16 | 100.0 | 100.0 | – | +0.0 [–] | – | – |"
    assert rows["reversed"] == "| reversed | 16 | 100.0 | 100.0 | 100.0 | +0.00 eighths |"
    assert written[1].read_bytes().startswith(b"\x89PNG")
    assert written[2].read_bytes().startswith(b"%PDF")


def test_fewer_than_three_orders_are_no_comparison(sweep, monkeypatch, capsys):
    with pytest.raises(BadInput, match=r"no three finished cells differ in video\.order alone"):
        write_order(sweep)
    monkeypatch.setattr("sys.argv", ["order", str(sweep)])
    assert main() == 2
    assert "ordered,shuffled,reversed" in capsys.readouterr().err
