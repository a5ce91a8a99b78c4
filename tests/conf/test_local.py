"""A machine's own keys: they win over options, the command line over them, and without any nothing is changed."""

import shutil
import sys

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.evaluate import main
from experiments.run.names import register_resolvers
from experiments.run.options import groups_and_keys, known_keys
from intpv.options import CONF

OWN = "# @package _global_\ncache:\n  dir: /mine\ndata:\n  limit: 3\n"


def composed(*overrides: str, conf=CONF) -> tuple[dict, str]:
    """A plain config and its cell's folder."""
    register_resolvers()
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
        folder = config.hydra.run.dir
        return {key: value for key, value in OmegaConf.to_container(config).items() if key != "hydra"}, folder


@pytest.fixture
def conf(tmp_path):
    return shutil.copytree(CONF, tmp_path / "conf")


def test_it_wins_over_options_and_experiments_and_the_command_line_over_it(conf):
    (conf / "local" / "default.yaml").write_text(OWN)
    config, _ = composed("experiment=smoke", conf=conf)  # which says four clips
    assert (config["cache"]["dir"], config["data"]["limit"], config["sweep"]["name"]) == ("/mine", 3, "smoke")
    assert composed("cache.dir=/other", conf=conf)[0]["cache"]["dir"] == "/other"


def test_without_it_nothing_is_changed(conf):
    (conf / "local" / "default.yaml").write_text(OWN)
    assert composed() == composed("~local") == composed("~local", conf=conf) != composed(conf=conf)


def test_a_place_of_its_own_leaves_the_cell_its_name(conf):
    (conf / "local" / "default.yaml").write_text("# @package _global_\ncache:\n  dir: /mine\n")
    assert composed(conf=conf)[1] == composed()[1]


def test_the_example_is_obeyed():
    config, _ = composed("local=example", "model=video_llava_7b")
    found = (config["model"]["path"], config["cache"]["dir"], config["logger"]["entity"])
    assert found == ("/data/Video-LLaVA-7B", "/scratch/intpv", "my-team")
    assert "local" not in config


def evaluated(monkeypatch, folder, *arguments: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["evaluate", "--config-dir", str(folder), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_it_may_lie_in_a_config_dir(tmp_path, monkeypatch, capsys):
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "default.yaml").write_text(OWN)
    assert evaluated(monkeypatch, tmp_path, "--cfg", "job") == 0
    assert "dir: /mine" in capsys.readouterr().out
    assert evaluated(monkeypatch, tmp_path, "--cfg", "job", "local=null") == 0
    assert "dir: /mine" not in capsys.readouterr().out


def test_without_its_first_line_it_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "default.yaml").write_text(OWN.partition("\n")[2])
    assert evaluated(monkeypatch, tmp_path) == 2
    line = "evaluate: every file of local/ must begin with the line `# @package _global_`\n"
    assert capsys.readouterr().err == line


def test_it_is_no_group_that_must_be_there_and_none_of_its_keys_is_known():
    assert not [name for name in groups_and_keys()[0] if "local" in name]
    assert not [key for key in known_keys() if key.startswith("local")]
