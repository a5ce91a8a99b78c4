"""Committed: which sweeps have results under analysis/results/, which files of each, and what these hold."""

import csv
from pathlib import Path
from typing import Any

from .differences import read_differences

RESULTS = Path(__file__).parent / "results"
SCALING, POLICIES = "mini_ablation_unused", "kv_policies_unused"  # splits (data.seed) that nothing was tuned on
BOARD = "strategies"
KEPT = {
    "mini_ablation": ("table.md", "table.csv", "differences.csv", "accuracy.png", "kv.png"),
    SCALING: ("table.md", "pooled.csv", "differences.csv", "accuracy.png"),
    POLICIES: ("table.md", "pooled.csv", "differences.csv"),
    BOARD: ("table.md", "leaderboard.md", "leaderboard.csv"),
}
CONTRAST = ("table.md", "contrast.md", "contrast.csv")
STUDIES = {  # of FINDINGS.md: conf/experiment/<name>.yaml holds question, prediction and commands
    **dict.fromkeys(("plateau", "synergy", "smollm2_plateau"), ("table.md", "attribution.md", "attribution.csv")),
    **dict.fromkeys(("dilution", "rope_sensitivity", "kv_fidelity", "kv_pruning", "windows"), CONTRAST),
    **dict.fromkeys(("smollm2_temperature", "smollm2_dilution", "smollm2_layers"), CONTRAST),
    "parallel": (*CONTRAST, "frames.md", "kinds.md", "mini_long.md"),
    **dict.fromkeys(("ensemble", "smollm2_ensemble"), ("table.md", "ensemble.md", "ensemble.csv")),
    "smollm2_longer": (*CONTRAST, "differences.csv", "frames.md", "kv.md", "budget.md"),
    "smollm2_ablation": (*CONTRAST, "differences.csv", "leaderboard.md", "accuracy.png"),
    **dict.fromkeys(("smollm2_kv", "smollm2_budget", "smollm2_parallel_kv"), (*CONTRAST, "differences.csv")),
    "smollm2_parallel": (*CONTRAST, "differences.csv", "kinds.md", "instants.md"),
    "smollm2_sink": ("table.md", "differences.csv"),
    "smollm2_two_bits": ("table.md", "attribution.md", "attribution.csv", "heads.md", "heads.csv"),
    "alarm": ("table.md", "alarm.md"),
    "speed": ("table.md", "kinds.md", "saturation.md"),
    "long_reasoning": ("table.md", "kinds.md", "order.md"),
    **dict.fromkeys(("temporal_drift", "order_check"), ("table.md", "drift.md")),
    "longer": (*CONTRAST, "pareto.png", "slow.md"),
    "longer_evict": (*CONTRAST, "pareto.png"),
}


def pairs_of(sweep: str) -> list[dict]:
    return read_differences(RESULTS / sweep / "differences.csv")


def pooled_cells(sweep: str) -> dict[tuple[str, int, str], dict]:
    """pooled.csv by strategy, frames and KV policy."""
    with (RESULTS / sweep / "pooled.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    rows: list[dict[str, Any]] = [{name: _number(text) for name, text in line.items()} for line in lines]
    return {(row["rope_strategy"], row["frames"], row["kv_quant"]): row for row in rows}


def _number(text: str) -> int | float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() else value
