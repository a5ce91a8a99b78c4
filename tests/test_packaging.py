"""Packaging: the list of packages is the tree's, an install in place sees every edit, and light commands stay light."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BESIDE = ("analysis", "conf", "experiments")  # in the clone beside intpv, in the wheel inside it


def python(code: str, cwd: Path, *arguments: str, path: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(path)} if path else {}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    inside = {".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / "intpv").rglob("__init__.py")}
    beside = {init.parent.relative_to(ROOT).parts for name in BESIDE for init in (ROOT / name).rglob("__init__.py")}
    assert set(listed) == inside | {".".join(("intpv", *parts)) for parts in beside}
    assert all(any(folder.glob("*.py")) == (folder / "__init__.py").exists() for folder in (ROOT / "intpv").iterdir())


def test_an_install_in_place_reads_the_clones_own_files(tmp_path):
    where = "import importlib.util as u; found = u.find_spec('intpv'); print(found and found.origin)"
    if python(where, tmp_path).strip() != str(ROOT / "intpv" / "__init__.py"):
        pytest.skip("intpv is not installed in place here")
    found = python("import intpv.conf, intpv.experiments.sweep as s; print(intpv.conf.__file__, s.__file__)", tmp_path)
    assert found.split() == [str(ROOT / "conf" / "__init__.py"), str(ROOT / "experiments" / "sweep" / "__init__.py")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["intpv", "--help"], ["intpv", "evaluate", "--help"], ["intpv", "evaluate", "frame=8"]]
)
def test_help_and_typos_wait_for_no_heavy_import(tmp_path, arguments):
    code = (
        "import sys; sys.argv = sys.argv[1:]\n"
        "from experiments.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'lightning', 'wandb', 'av', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "print('heavy:', *sorted(heavy))\n"
    )
    assert python(code, tmp_path, *arguments, path=ROOT).splitlines()[-1].strip() == "heavy:"
