"""The list of packages in pyproject.toml is the tree's."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BESIDE = ("analysis", "conf", "experiments")  # in the clone beside intpv, in the wheel inside it


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    inside = {".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / "intpv").rglob("__init__.py")}
    beside = {
        f"intpv.{'.'.join(i.parent.relative_to(ROOT).parts)}" for n in BESIDE for i in (ROOT / n).rglob("__init__.py")
    }
    assert set(listed) == inside | beside
    assert all(any(folder.glob("*.py")) == (folder / "__init__.py").exists() for folder in (ROOT / "intpv").iterdir())
