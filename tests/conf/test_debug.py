"""Debug options change what they say and nothing else, whatever else is chosen."""

import pytest

from experiments.run.command import unchecked

CHANGED = {
    "data.limit": 1,
    "trainer.accelerator": "cpu",
    "trainer.threads": 1,
    "sweep.name": "debug",
    "logger._target_": "intpv.logger.mirror.NullMirror",
}


def flat(config: dict, name: str = "") -> dict:
    found = {}
    for key, value in config.items():
        found |= flat(value, f"{name}{key}.") if isinstance(value, dict) else {f"{name}{key}": value}
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "others", [[], ["kv_quant=int2", "rope_strategy=yarn", "frames=32"], ["kv_quant=paper_channel"]]
)
@pytest.mark.parametrize(("option", "more"), [("default", {}), ("eager", {"kv_quant.decode": "eager"})])
def test_they_change_what_they_say(option, more, others):
    plain, debug = (flat(unchecked([*others, *chosen])[0]) for chosen in ([], [f"debug={option}"]))
    plain = {key: value for key, value in plain.items() if not key.startswith("logger.")}
    assert debug == {**plain, **CHANGED, **more}


def test_the_command_line_wins_over_them():
    config, _ = unchecked(["debug=eager", "data.limit=2", "kv_quant.decode=compiled"])
    assert (config["data"]["limit"], config["kv_quant"]["decode"]) == (2, "compiled")
