"""Provenance of a published result: its command, the commit and whether the tree was clean, versions, device, cores."""

import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

from intpv.record.atomic import write_json
from intpv.record.damaged import Damaged, read_yaml
from intpv.record.environment import environment, repository, stated

from .outcome import VERB

PACKAGE = Path(__file__).parents[1]


def provenance() -> dict:
    """To be taken before anything is measured: a tree that is not clean is said while there is time to stop."""
    found = {
        "command": command(),
        **stated(environment(seed=0)),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }
    if not found["clean"]:
        print("the tree is not clean: the result will say so, and cannot be published", file=sys.stderr)
    return found


def write_result(path: str | os.PathLike, result: Mapping) -> dict:
    """Write it with its provenance, which is called clean only if the code is still what it was; -> as written."""
    began, now = result["provenance"], repository.__wrapped__(PACKAGE)
    clean = bool(began["clean"] and now["clean"] and now["commit"] == began["commit"])
    if began["clean"] and not clean:
        print("the code was changed while this was measured: the result is not called clean", file=sys.stderr)
    whole = {**result, "provenance": {**began, "clean": clean}}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_json(Path(path), whole)
    return whole


def command() -> str:
    """What was typed, as far as Python knows it."""
    spec, arguments = sys.modules["__main__"].__spec__, sys.argv[1:]
    if spec is None or spec.name.endswith(".__main__"):  # the console script, which names itself `intpv <verb>`
        return f"{Path(sys.argv[0]).name} {shlex.join(arguments)}".strip()
    return f"python -m {spec.name} {shlex.join(arguments)}".strip()


def of_cell(known: Mapping, folder: Path, sweep: str) -> dict:
    """What a mirror's config says of a cell beside its options: `stated`, and the command that runs this cell alone,
    None where Hydra has left no overrides."""
    try:
        given = read_yaml(folder / ".hydra" / "overrides.yaml", _is_list, "a list of overrides")
    except Damaged:
        given = None
    name = [] if any(one.startswith("sweep.name=") for one in given or ()) else [f"sweep.name={sweep}"]
    return {**stated(known), "command": None if given is None else f"{VERB} {shlex.join([*given, *name])}"}


def _is_list(found: object) -> TypeGuard[list[str]]:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


def line(found: Mapping) -> str:
    """The same for reading, in Markdown."""
    return "\n".join(
        [
            f"- command: `{found['command']}`",
            f"- commit: {found['commit']}, {'clean' if found['clean'] else 'not clean'}",
            f"- device: {found['device']}, {found['device_name']}",
            f"- versions: python {found['python']}, {', '.join(f'{n} {v}' for n, v in found['packages'].items())}",
        ]
    )
