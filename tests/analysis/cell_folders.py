"""A cell that has measured everything: its metrics and tables drawn, as far as figures read them."""

import json

import numpy as np

LAYERS, HEADS, KINDS = 3, 5, 3
BYTES = {"codes": 40, "scales": 8, "zeros": 8, "angles": 0, "exempt": 16, "padding": 0}


def measured(folder, frames=8, seed=0):
    """Add metrics and attention_kl.npz to a finished cell's folder -> the tables."""
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics |= {f"kv/{part}_bytes": size for part, size in BYTES.items()}
    metrics |= {"kv/bytes": sum(BYTES.values()), "kv/full_precision_bytes": 400, "kv/bits_per_element": 2.9}
    held = 1000 + 500 + metrics["kv/bytes"]
    memory = {"weights": 1000, "tower": 500, "held": held, "watch_peak": held + 900, "ask_peak": held + 100}
    memory |= {"peak": held + 900, "watch_activations": 900, "ask_activations": 100}
    metrics |= {f"memory/{name}_bytes": size for name, size in memory.items()}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    rng = np.random.default_rng(seed)
    tables = {}
    for scope in ("local", "end_to_end"):
        tables |= {f"{scope}/kl/{keys}": rng.gamma(1.0, 0.01, (LAYERS, HEADS)) for keys in ("all", "video")}
        for side in ("reference", "modified"):
            tables[f"{scope}/mass/{side}"] = rng.dirichlet(np.ones(KINDS + frames), (LAYERS, HEADS))
    np.savez(folder / "attention_kl.npz", **tables)
    return tables
