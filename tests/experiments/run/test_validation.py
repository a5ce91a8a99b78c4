"""What the config alone decides ends with one line and exit code 2, before a model is loaded or anything is written."""

import os
import subprocess
import sys

import pytest

from experiments.run.messages import PLUGINS
from experiments.run.options import options_of
from experiments.run.validation import check
from intpv.errors import BadInput
from intpv.options import CONF

from ..cli import ROOT
from ..wrong_settings import composed


@pytest.mark.slow
def test_every_setting_refuses_what_it_cannot_mean_in_one_line_that_names_it():
    """In a process without the tests' type checker: users have none, and it would speak first."""
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.experiments.wrong_settings"]
    done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=300)
    *wrong, count = done.stdout.splitlines()
    assert (wrong, done.stderr) == ([], "")
    assert int(count) > 3000  # settings of all options times wrong values


@pytest.mark.parametrize("group", [*(name for name in composed("")[0] if (CONF / name).is_dir()), "frames", "seed"])
def test_what_is_deleted_is_missed_by_name(group):
    config, choices = composed("")
    del config[group]
    with pytest.raises(BadInput, match=rf"{group}"):
        check(config, choices)


@pytest.mark.slow
def test_every_option_as_shipped_is_valid():
    for group in composed("")[0]:
        for option in options_of(group) if (CONF / group).is_dir() else ():
            needed = " model.path=FOLDER" * (option == "hf_llava") + " model=random" * (group == "encoder")
            check(*composed(f"{group}={option}{needed}"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("frames=31", "frames must be a multiple of 8, the tower's group length, got 31: use 24 or 32"),
        ("encoder.num_frames=4 frames=12 model=random", ""),
        ("encoder.num_frames=4 frames=12", "weights/mini/0 was trained with encoder.num_frames=8, got num_frames=4"),
        ("encoder=per_frame", "weights/mini/0 was trained with encoder=LanguageBind, got encoder=PerFrame"),
        ("frames=16 video.repeat=3", "frames must be a multiple of video.repeat=3, got 16"),
        ("sweep.retry=always", "sweep.retry must be null, failed, oom or all, got always"),
        ("sweep.timeout_s=soon", "sweep.timeout_s must be a number of seconds above 0, or null, got soon"),
        ("~sweep.silent_s", "sweep.silent_s is missing: it must not be deleted"),
        ("sweep.name=../here", "sweep.name must name a folder below runs/, got ../here"),
        ("trainer.devices=auto", "trainer.devices must be a whole number of at least 1, got auto"),
        ("trainer.threads=999", "trainer.threads must be auto or 1 to "),
        ("+trainer.zebra=1", "trainer takes no key zebra"),
        ("+rope_strategy.zebra=1", "rope_strategy=none takes no key zebra"),
        ("+model.zebra=1", "there is no key model.zebra"),
        ("+zebra=1", "there is no key zebra"),
        ("kv_quant=int2 kv_quant.value_group=5", "kv_quant.value_group must divide the head dim 32, got 5"),
        (
            "data.root='~nobody.here/clips'",
            "data.root=~nobody.here/clips: that home folder is not known here; export HOME",
        ),
        ("cache.dir='~nobody.here/cache'", "cache.dir=~nobody.here/cache: that home folder is not known here"),
        ("model.path='~nobody.here/mini'", "model.path=~nobody.here/mini: that home folder is not known here"),
        ("model=hf_llava", "model=hf_llava reads a checkpoint of yours: model.path=FOLDER"),
        ("model.path=nowhere", "model.path=nowhere is no intpv checkpoint: config.json is missing"),
    ],
)
def test_what_combines_is_checked_against_the_rest_and_the_small_files(arguments, line):
    config, choices = composed(arguments)
    if not line:
        check(config, choices)
        return
    with pytest.raises(BadInput) as refused:
        check(config, choices)
    assert line in str(refused.value)


def test_a_towers_own_config_states_its_group_length(tmp_path):
    (tmp_path / "config.json").write_text('{"vision_config": {"num_frames": 16}}')
    config, choices = composed(f"model=video_llava_7b model.path={tmp_path}")
    with pytest.raises(BadInput, match=r"the tower has num_frames=16, the encoder has 8: encoder\.num_frames=16"):
        check(config, choices)


def test_plug_ins_are_named_as_pip_knows_them():
    assert all(package.endswith(("-launcher", "-sweeper")) for package in PLUGINS.values())


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """The verb in this process: its line, and nothing written."""
    from experiments import evaluate

    def run(*arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
        with pytest.raises(SystemExit) as ended:
            evaluate.main()
        said = capsys.readouterr()
        assert (ended.value.code, said.out, list(tmp_path.iterdir())) == (2, "", [])
        assert len(said.err.splitlines()) == 1
        return said.err.removeprefix("evaluate: ").rstrip()

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("~logger", "there must be a logger, got null: logger=none does without"),
        ("~cache", "there must be a cache, got null: cache=off does without"),
        ("~scorer", "there must be a scorer, got null: it is one of contains, exact"),
        ("~sweep", "there must be a sweep, got null: it is one of default"),
        ("~seed", "seed is missing: it must not be deleted"),
        ("~sweep.strict", "sweep.strict is missing: it must not be deleted"),
        ("~trainer.threads", "trainer.threads is missing: it must not be deleted"),
        ("~data.limit", "~data.limit deletes nothing: it is null, not there, or not of that value"),
        ("~zebra", "there is no key zebra"),
        ("trainer=null", "there must be a trainer, got null: it is one of auto"),
        ("+experiment=", "experiment= names no option (there are "),
        ("+experiment=smoke", "experiment is there already: write it without +"),
        ("+data.seed=3", "data.seed is there already: write it without +"),
        (
            "hydra/launcher=joblib",
            "hydra/launcher=joblib is a plug-in that is not installed: pip install hydra-",
        ),
        ("hydra/sweeper=optuna", "hydra/sweeper=optuna is a plug-in that is not installed: pip install hydra-optuna-"),
        ("sweep.dry_run=true", "sweep.dry_run=true prints the plan of a sweep: add -m"),
        ("rope_strategy.factor=nan", "rope_strategy.factor must be a finite number, got nan"),
        ("-m frames=8,31", "frames must be a multiple of 8, the tower's group length, got 31: use 24 or 32"),
        ("-m frames=8,31 hydra/launcher=basic", "frames must be a multiple of 8, the tower's group length, got 31"),
        ("-m frames=8 hydra.launcher.workers=0", "hydra.launcher.workers must be auto or at least 1, got 0"),
        ("-m rope_strategy.factor=1,0.5", "rope_strategy.factor must be at least 1 or auto, got 0.5"),
    ],
)
def test_the_verb_ends_before_it_begins(refused, arguments, line):
    assert refused(*arguments.split()).startswith(line)


def in_a_process(folder, verb: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Fails if a heavy package is imported: a script of that name, first on the path, says so."""
    for name in ("torch", "transformers", "lightning"):
        (folder / f"{name}.py").write_text("raise SystemExit('too early: ' + __name__)")
    known = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", **environment}
    command = [sys.executable, "-m", f"experiments.{verb}", *arguments]
    return subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "arguments", "line"),
    [
        ("evaluate", ["frames=31"], "evaluate: frames must be a multiple of 8"),
        ("ask", ["clip.mp4", "Did red flash?", "-o", "frames=31"], "ask: frames must be a multiple of 8"),
        ("check", ["frames=31"], "check: frames must be a multiple of 8"),
        ("calibrate_kv", ["frames=31", "out=a/FILE"], "calibrate_kv: frames must be a multiple of 8"),
        ("search_rope", ["frames=31", "out=a/rope_strategy/b.yaml"], "search_rope: frames must be a multiple of 8"),
        ("cost", ["frames=31"], "cost: frames must be a multiple of 8"),
        ("score", ["nowhere", "scorer=contains"], "score: nowhere holds no cells"),
    ],
)
def test_no_verb_imports_a_model_to_refuse(tmp_path, verb, arguments, line):
    done = in_a_process(tmp_path, verb, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
    assert {file.suffix for file in tmp_path.iterdir()} <= {".py", ""}
    assert not (tmp_path / "a").exists()


def test_without_docstrings_one_line_says_what_to_do(tmp_path):
    done = in_a_process(tmp_path, "evaluate", PYTHONOPTIMIZE="2")
    assert done.returncode == 2
    assert done.stderr.startswith("evaluate: PYTHONOPTIMIZE=2 takes away the docstrings that transformers reads")
