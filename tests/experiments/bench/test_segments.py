"""What segments cost: every strategy that changes attention is timed beside plain attention, on a short sequence."""

import torch

from experiments.bench.segments import segment_costs


def test_every_strategy_that_changes_attention_is_timed():
    found = segment_costs(96, 2, 1, torch.device("cpu"), torch.float32)
    assert found["tokens"] == 96
    assert set(found["strategies"]) == {"self_extend", "rerope", "dual_chunk", "log_n", "parallel_windows"}
    for row in found["strategies"].values():
        assert row["plain_by_this"]["median"] == row["plain_s"]["median"] / row["seconds"]["median"]
