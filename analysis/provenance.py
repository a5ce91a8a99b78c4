"""Provenance of a sweep's table: the command, and the commits, devices, prompts and scorers that its cells state."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from intpv.escape import printable
from intpv.record.composed import Composed, read_composed
from intpv.record.damaged import Damaged
from intpv.record.environment import MAIN
from intpv.record.run_folder import RunFolder

from .runs import Cell

UNKNOWN = "not recorded"
ASIDE = ("sweep.dry_run=", "hydra.mode=")  # overrides that change no cell


def provenance_lines(folder: Path, cells: Sequence[Cell]) -> str:
    """Markdown; what differs between cells is listed, each once. Prompt and scorer where cells say them."""
    known = [_environment(run) for cell in cells for run in cell.runs]
    said = {"command": [_command(folder)]}
    for name, text in (("commit", _commit), ("device", _device), ("versions", _versions)):
        said[name] = list(dict.fromkeys(text(one) if one else UNKNOWN for one in known))
    asked = [_composed(run) for cell in cells for run in cell.runs]
    if prompts := dict.fromkeys(filter(None, (_prompt(one) for one in asked if one))):
        said["prompt"] = [*prompts]
    if scored := scored_by(folder):
        said["scored anew by"] = [scored]
    elif scorers := [str(one.choices["scorer"]) for one in asked if one and "scorer" in one.choices]:
        said["scorer"] = [*map(printable, dict.fromkeys(scorers))]
    return "".join(f"- {name}: {'; '.join(texts)}\n" for name, texts in said.items())


def scored_by(folder: Path) -> str:
    """Who has scored the folder's saved predictions anew, as experiments.score leaves it; "" for a sweep as it was run.

    Of a judge its name: scores of two judges are of two scales.
    """
    try:
        found = json.loads((folder / "scored.json").read_bytes())
        judge = f", judge {found['judge']} at {urlsplit(found['url']).netloc}" if "judge" in found else ""
        return printable(f"{found['scorer']}{judge}")
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _environment(cell: Cell) -> Mapping:
    """Nothing where the file is damaged: the table lists that cell as such."""
    try:
        return RunFolder(cell.folder).environment() or {}
    except Damaged:
        return {}


def _composed(cell: Cell) -> Composed | None:
    try:
        return read_composed(cell.folder)
    except Damaged:
        return None


def _prompt(one: Composed) -> str:
    """Of a benchmark: its name where it is a published one, else the template; "" for one that has none."""
    data = one.config.get("data")
    given = data.get("prompt") if isinstance(data, dict) else None
    return printable(f"{one.choices.get('data')} {json.dumps(given, ensure_ascii=False)}") if given else ""


def _command(folder: Path) -> str:
    """The last one, from the file that Hydra leaves in the folder of a multirun."""
    try:
        composed = yaml.safe_load((folder / "multirun.yaml").read_bytes())["hydra"]
        overrides, sources = composed["overrides"], composed["runtime"]["config_sources"]
        own = [f"--config-dir={one['path']}" for one in sources if one["provider"] == "command-line"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):  # no multirun's, or damaged
        return UNKNOWN
    given = [one for one in (*overrides["hydra"], *overrides["task"]) if not one.startswith(ASIDE)]
    return f"`python -m experiments.evaluate -m {shlex.join([*own, *given])}`"


def _commit(one: Mapping) -> str:
    return f"{one['commit']}, {'clean' if one['clean'] else 'not clean'}" if one.get("commit") else UNKNOWN


def _device(one: Mapping) -> str:
    return f"{one['device']}, {one['device_name']}, {one['threads']} thread(s)"


def _versions(one: Mapping) -> str:
    packages = ", ".join(f"{name} {one['packages'].get(name)}" for name in MAIN)
    return f"python {one['python']}, {packages}"
