"""The README's file tree, made from the first line of every file: python -m tests.readme_tree writes it anew."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(?<=## Where things are\n\n```\n).*?(?=```)", re.DOTALL)
WIDTH = 36  # characters before the gloss
FIXED = {
    "conf": "config.yaml's defaults list is the table of contents; each option's head has its command",
    "tests": "mirrors intpv/, experiments/ and analysis/; golden/ holds reference data made with the original code",
}
DATA = {
    "intpv/weights/mini": "the trained mini model",
    "analysis/results": "committed tables, pictures and measurements, each with the command that makes it again",
}


def tree() -> str:
    """One line per module with its gloss, one per group of conf with its options."""
    lines = [_line("conf/", 0, FIXED["conf"])]
    for group in sorted({file.parent for file in (ROOT / "conf").rglob("*.yaml")} - {ROOT / "conf"}):
        options = ", ".join(sorted(file.stem for file in group.glob("*.yaml")))
        lines.append(_line(f"{group.relative_to(ROOT / 'conf')}/", 1, options))
    for top in ("intpv", "experiments", "analysis"):
        lines += _package(ROOT / top, 0)
        lines += [
            _line(f"{path.removeprefix(f'{top}/')}/", 1, text) for path, text in DATA.items() if path.startswith(top)
        ]
    return "\n".join([*lines, _line("tests/", 0, FIXED["tests"])]) + "\n"


def _package(folder: Path, depth: int) -> list[str]:
    lines = [_line(f"{folder.name}/", depth, gloss(folder / "__init__.py"))]
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py":
            lines.append(_line(file.name, depth + 1, gloss(file)))
    for inner in sorted(path.parent for path in folder.glob("*/__init__.py")):
        lines += _package(inner, depth + 1)
    return lines


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
    README.write_text(BLOCK.sub(lambda _: tree(), README.read_text(encoding="utf-8")), encoding="utf-8")
