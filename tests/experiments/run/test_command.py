"""Every verb takes overrides, --config-dir and --cfg job alike; "did you mean" knows a user's own options."""

import sys
from importlib import import_module

import pytest
import yaml

from experiments.cost import DEFAULTS
from intpv.errors import BadInput
from intpv.options import VARIABLE, option
from intpv.rope_strategy.linear import LinearScaling

MINE = "defaults: [base/scaling, _self_]\n_target_: intpv.rope_strategy.linear.LinearScaling\nspice: 3\n"
RUN = {  # verbs that take a run's configuration, with what else each needs
    "evaluate": [],
    "ask": ["clip.mp4", "Did red flash?", "-o"],
    "check": [],
    "calibrate_kv": [],
    "search_rope": [],
    "score": ["runs/x"],
}
OWN = {  # verbs with keys of their own: a key, its value, how it is shown
    "cost": ("layers=28", "layers: 28"),
    "train_mini": ("steps=7", "steps: 7"),
    "bench.attention_kl": ("rounds=9", "rounds: 9"),
    "bench.grouping": ("frames=8,24", "frames:\n- 8\n- 24\n"),
    "bench.kv.bench": ("heads=3", "heads: 3"),
    "bench.loading": ("rounds=9", "rounds: 9"),
    "bench.preprocess": ("rounds=9", "rounds: 9"),
    "bench.sweep": ("rounds=9", "rounds: 9"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's options; what --config-dir sets is forgotten afterwards."""
    monkeypatch.setenv(VARIABLE, "")
    group = tmp_path / "it's mine" / "rope_strategy"
    group.mkdir(parents=True)
    (group / "mine.yaml").write_text(MINE)
    return group.parent


@pytest.fixture
def said(monkeypatch, capsys):
    """Standard output of a verb, or the line that it refuses with."""

    def run(verb: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [verb, *arguments])
        with pytest.raises(SystemExit) as ended:
            import_module(f"experiments.{verb}").main()
        shown = capsys.readouterr()
        assert not (shown.out and shown.err)
        assert ended.value.code == (2 if shown.err else 0)
        return shown.out or shown.err

    return run


def words(verb: str, *overrides: str) -> list[str]:
    """The arguments of one of RUN's verbs."""
    return [*RUN[verb], *overrides] if verb != "ask" else [*RUN[verb], *" -o ".join(overrides).split(" ")]


@pytest.mark.parametrize("verb", [verb for verb in RUN if verb != "score"])
def test_verbs_print_the_configuration_with_an_option_of_ones_own(said, folder, verb):
    shown = said(verb, *words(verb, "rope_strategy=mine", "frames=16"), "--config-dir", str(folder), "--cfg", "job")
    config = yaml.safe_load(shown)
    assert (config["rope_strategy"]["spice"], config["frames"]) == (3, 16)
    assert "hydra" not in config


def test_score_takes_a_scorer_of_ones_own_and_nothing_else(said, folder):
    (folder / "scorer").mkdir()
    (folder / "scorer" / "harsh.yaml").write_text("_target_: intpv.scorer.options.Options\n")
    shown = said("score", "runs/x", "scorer=harsh", "--config-dir", str(folder), "--cfg", "job")
    assert yaml.safe_load(shown)["scorer"] == {"_target_": "intpv.scorer.options.Options"}
    assert said("score", "runs/x", "scorer=harsh") == "score: runs/x holds no cells: give a folder as runs/<sweep>\n"
    assert said("score", "runs/x", "frames=8") == "score: only scorer=... and its fields change a score, got frames=8\n"
    line = said("score", "runs/x")
    assert line.startswith("score: scorer must be named: scorer=..., one of contains, exact, harsh, ")
    assert line.count("\n") == 1


@pytest.mark.parametrize("verb", OWN)
def test_verbs_with_keys_of_their_own_print_them(said, verb):
    override, shown = OWN[verb]
    assert shown in said(verb, override, "--cfg", "job")
    assert "KEY=VALUE" in said(verb, "--help")


@pytest.mark.parametrize("verb", ["evaluate", "ask", "check"])
def test_what_was_meant_may_be_in_the_users_folder(said, folder, verb):
    own = ["--config-dir", str(folder)]
    line = f"{verb}: there is no key rope_strategy.spcie: did you mean rope_strategy.spice?\n"
    assert said(verb, *words(verb, "rope_strategy=mine", "rope_strategy.spcie=1"), *own) == line
    assert "rope_strategy=mnie is no option: did you mean mine?" in said(verb, *words(verb, "rope_strategy=mnie"), *own)


@pytest.mark.parametrize("verb", ["evaluate", "check", "cost"])
def test_a_folder_that_cannot_be_used_is_one_line(said, folder, verb):
    line = (
        f"{verb}: there is no folder {folder}/x: --config-dir or INTPV_CONFIG_DIR must name one laid out like conf/\n"
    )
    assert said(verb, "--config-dir", f"{folder}/x") == line
    (folder / "rope_strategy" / "yarn.yaml").write_text(MINE)
    twice = f"{folder}/rope_strategy/yarn.yaml: intpv has a rope_strategy/yarn.yaml too, which Hydra would take"
    assert said(verb, "--config-dir", str(folder)) == f"{verb}: {twice}: give yours another name\n"


def test_the_variable_is_as_good_as_the_argument(said, folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(folder))
    assert yaml.safe_load(said("evaluate", "rope_strategy=mine", "--cfg", "job"))["rope_strategy"]["spice"] == 3
    (folder / "rope_strategy" / "twice.yaml").write_text(MINE.replace("spice: 3\n", ""))
    made = option("rope_strategy", "twice", factor=4)
    assert isinstance(made, LinearScaling)
    assert made.factor == 4
    with pytest.raises(BadInput, match=r"rope_strategy must be one of .*, mine, .*, got mnie"):
        option("rope_strategy", "mnie")


def test_cost_shows_what_it_was_told(said):
    shown = yaml.safe_load(said("cost", "frames=8", "heads=8", "--cfg", "job"))
    assert (shown["frames"], shown["heads"], shown["layers"]) == ([8], 8, None)
    assert shown.keys() == DEFAULTS.keys()
