"""`import intpv` is quick, and hands out what users subclass and call."""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import intpv


def test_everything_of_the_face_is_there_under_its_own_name():
    for name in intpv.__all__:
        assert getattr(intpv, name).__name__ == name
        assert inspect.getdoc(getattr(intpv, name))
    assert set(intpv.__all__) <= set(dir(intpv))


def test_the_version_is_the_packages():
    content = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert content["project"]["version"] == intpv.__version__


def test_importing_it_imports_nothing_heavy():
    code = "import sys, intpv; print(*{name.partition('.')[0] for name in sys.modules} - before)"
    code = f"import sys; before = {{name.partition('.')[0] for name in sys.modules}}; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "hydra", "numpy", "omegaconf"} & set(done.stdout.split())
