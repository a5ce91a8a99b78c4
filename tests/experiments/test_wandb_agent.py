"""conf/wandb/sweep.yaml: the command that W&B's agent makes of it runs a cell, as the run that the agent waits for."""

from itertools import product
from pathlib import Path

import yaml

from ..logger.wandb_server import ENTITY, PROJECT

SWEEP = Path(__file__).parents[2] / "conf" / "wandb" / "sweep.yaml"


def command_of(sweep: dict, values: dict) -> list[str]:
    """As wandb_agent's Agent._command_run puts it together, by the same functions."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    given = create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    macros = given | {"env": ["/usr/bin/env"], "interpreter": ["python"], "program": [sweep["program"]]}
    words: list[str] = []
    for word in create_sweep_command(list(sweep["command"])):
        words += macros[word[2:-1]] if word.startswith("${") and word.endswith("}") else [word]
    return words


def test_the_agents_command_runs_a_cell_as_the_run_that_the_agent_named(server, bench, evaluate, monkeypatch):
    sweep = yaml.safe_load(SWEEP.read_text())
    keys = list(sweep["parameters"])
    cells = [dict(zip(keys, one, strict=True)) for one in product(*(v["values"] for v in sweep["parameters"].values()))]
    assert len(cells) == 6
    for name, value in {"SWEEP_ID": "s1", "RUN_ID": "r1", "ENTITY": ENTITY, "PROJECT": PROJECT}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    words = command_of(sweep, cells[0])
    assert words[:4] == ["/usr/bin/env", "python", "-m", "experiments.evaluate"]
    assert not [word for word in words if "$" in word]
    assert evaluate(*words[4:])[0] == 0
    (cell,), (run,) = bench.cells("s1").values(), server.runs.values()
    assert cell.name.startswith("strided-none-f16-")
    assert (run.id, run.state, run.fields["sweep"]) == ("r1", "finished", "s1")
    assert (run.config["frames"], run.config["choices"]["rope_strategy"]) == (16, "none")
    assert sweep["metric"]["name"] in run.metrics()
