"""The maps in the folders' READMEs, made from the files themselves: python -m tests.readme_maps writes them anew.

conf/README.md lists options with the first sentence of each head, the others list modules with the first line of each.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("intpv", "experiments", "analysis")
HEADING = "## Files\n\n"
OPTIONS = "## Options\n\n"
WIDTH = 34  # characters before the gloss


def maps() -> dict[Path, str]:
    """README -> its text with the map as it should be."""
    found = {ROOT / top / "README.md": (HEADING, f"```\n{package(ROOT / top)}```\n") for top in PACKAGES}
    found[ROOT / "conf" / "README.md"] = (OPTIONS, options())
    return {file: _before(file, heading) + heading + text for file, (heading, text) in found.items()}


def _before(file: Path, heading: str) -> str:
    """The part that is written by hand; the map is the last one."""
    return file.read_text(encoding="utf-8").partition(heading)[0]


def package(folder: Path, depth: int = 0) -> str:
    """A line per module, inner packages after them."""
    lines = [_line(f"{folder.name}/", depth, gloss(folder / "__init__.py"))]
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py":
            lines.append(_line(file.name, depth + 1, gloss(file)))
    inner = [package(path.parent, depth + 1) for path in sorted(folder.glob("*/__init__.py"))]
    return "\n".join(lines) + "\n" + "".join(inner)


def options() -> str:
    """A table per group."""
    parts = []
    for folder in sorted({file.parent for file in (ROOT / "conf").glob("*/**/*.yaml")}):
        if folder.name in ("base", "local"):  # what options inherit, and what is a machine's own
            continue
        rows = [f"| `{file.stem}` | {head(file)} |" for file in sorted(folder.glob("*.yaml"))]
        name = folder.relative_to(ROOT / "conf").as_posix()
        parts.append("\n".join([f"### {name}\n", "| option | what it is |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def head(file: Path) -> str:
    """The first sentence of an option's comment."""
    lines = file.read_text(encoding="utf-8").splitlines()
    comment = [line.removeprefix("# ") for line in lines if line.startswith("# ") and not line.startswith("# @")]
    text = " ".join(comment).split(" python -m ")[0]
    return re.split(r"(?<=[^.0-9][.]) (?=[A-Z])", text)[0].replace("|", "\\|")


def gloss(file: Path) -> str:
    """The first sentence of a module, without its own name before and its command after."""
    line = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
    line = line.split(": python -m ")[0]
    name, colon, rest = line.partition(": ")
    line = rest if colon and re.sub(r"\W", "", name).lower() == file.stem.replace("_", "").lower() else line
    return re.split(r"\. (?=[A-Z])", line)[0].rstrip(".")


def _line(name: str, depth: int, text: str) -> str:
    return f"{'  ' * depth + name:{WIDTH}}{text}"


if __name__ == "__main__":
    for file, text in maps().items():
        file.write_text(text, encoding="utf-8")
