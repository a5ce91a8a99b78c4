"""make brings its environment about, and mends it, whatever is exported and wherever the clone lies. Nothing is loaded.

The judge is pip itself: it installs a project of this test and a stand-in for torch, both from a folder of wheels.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BACKEND = """
import os, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    return write(folder, "intpv", {"intpv.pth": os.getcwd()})

def write(folder, name, files):
    info = f"{name}-1.dist-info"
    files = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\nProvides-Extra: dev\\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: a\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    files[f"{info}/RECORD"] = "".join(f"{one},,\\n" for one in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(os.path.join(folder, f"{name}-1-py3-none-any.whl"), "w") as wheel:
        for place, content in files.items():
            wheel.writestr(place, content)
    return f"{name}-1-py3-none-any.whl"
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "intpv"
version = "1"
"""
HOSTILE = {
    "PIP_USER": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_TARGET": "elsewhere",
    "PIP_PREFIX": "elsewhere",
    "PYTHONHOME": "/nowhere",
    "PYTHONPATH": "/nowhere",
    "OMP_NUM_THREADS": "1",
}
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder with a space in its name, our Makefile, and a project that installs in a second."""
    folder = tmp_path_factory.mktemp("make") / "a clone of mine"
    folder.mkdir()
    wheels_of(folder).mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "constraints.txt").touch()
    (folder / "backend.py").write_text(BACKEND)
    space: dict = {}
    exec(BACKEND, space)
    space["write"](wheels_of(folder), "torch", {"torch.py": ""})
    assert zipfile.is_zipfile(wheels_of(folder) / "torch-1-py3-none-any.whl")
    return folder


def wheels_of(clone: Path) -> Path:
    """Beside it: pip splits its list of such folders at spaces."""
    return clone.parent / "wheels"


def outside() -> dict[str, str]:
    """The environment without HOME and what it tells pip, Python and make: the make that runs this had a VENV=..."""
    told = ("PIP_", "PYTHON", "MAKE", "MFLAGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(told) and name != "HOME"}


def made(clone: Path, **exported: str) -> str:
    """make of the environment alone, without HOME -> what it said; both packages must be importable afterwards."""
    kept = outside()
    known = {**kept, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels_of(clone)), "PIP_NO_CACHE_DIR": "1", **exported}
    python = Path(sysconfig.get_config_var("BINDIR"), f"python{sys.version_info.major}.{sys.version_info.minor}")
    command = ["make", ".venv/.installed", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=clone, env=known, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    program = (
        "import sys, torch, backend; assert sys.prefix != sys.base_prefix and torch.__file__.startswith(sys.prefix)"
    )
    subprocess.run([clone / ".venv/bin/python", "-I", "-c", program], cwd=wheels_of(clone), env=kept, check=True)
    assert not (clone / "elsewhere").exists()
    return done.stdout


def dangling(venv: Path) -> None:
    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to("/nowhere/python3")


def without_pip(venv: Path) -> None:
    for part in venv.glob("lib/python*/site-packages/pip*"):
        shutil.rmtree(part)


def pip_half_gone(venv: Path) -> None:
    """Its metadata still says that it is there, and ensurepip believes it."""
    shutil.rmtree(next(venv.glob("lib/python*/site-packages/pip")))


def of_another_version(venv: Path) -> None:
    (venv / "bin/python").unlink()
    (venv / "bin/python").write_text("#!/bin/sh\nexit 1\n")
    (venv / "bin/python").chmod(0o755)


def half_installed(venv: Path) -> None:
    (venv / ".installed").unlink()
    next(venv.glob("lib/python*/site-packages/torch.py")).unlink()
    shutil.rmtree(next(venv.glob("lib/python*/site-packages/torch-1.dist-info")))


@pytest.mark.slow
def test_make_works_whatever_is_exported_and_does_nothing_twice(clone):
    assert "[1/3]" in made(clone, **HOSTILE)
    assert "/3]" not in made(clone, **HOSTILE)
    assert "[3/3]" in made(clone) or (clone / ".venv/.installed").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "anew"),
    [
        (half_installed, False),
        (without_pip, False),
        (pip_half_gone, True),
        (dangling, True),
        (of_another_version, True),
    ],
)
def test_make_mends_a_damaged_environment(clone, damage, anew):
    if not (clone / ".venv/.installed").exists():
        made(clone)
    damage(clone / ".venv")
    said = made(clone)
    assert ("[1/3]" in said, "[3/3]" in said) == (anew, True)


def test_a_python_that_will_not_do_is_named(clone, tmp_path):
    shutil.copy(clone / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    command = ["make", ".venv/.installed", "PYTHON=false"]
    done = subprocess.run(command, cwd=tmp_path, env=outside(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no Python 3.11 or 3.12 with venv found: false is none; name one: make PYTHON=..." in done.stdout
    assert not (tmp_path / ".venv").exists()
