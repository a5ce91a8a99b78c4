"""Consistency: only cells of one test set, model and version are compared; of others both values are named."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from zlib import crc32

from intpv.bounds import shown
from intpv.errors import BadInput
from intpv.record.composed import read_composed
from intpv.record.run_folder import RunFolder

from .runs import Cell

CONCERNS = ("data", "model", "version")
PACKAGES = ("torch", "transformers", "intpv")  # whose versions answers may differ by
NO_DIFFERENCE = {"seed", "device"}  # of a model: a seed is a repetition, and its device stands in the provenance


def refuse_mixed(cells: Sequence[Cell], across: Collection[str] = ()) -> None:
    """BadInput with both cells and both values where finished ones differ in a concern that is not in `across`."""
    runs = [run for cell in cells for run in cell.runs if run.status == "done"]
    for concern in (concern for concern in CONCERNS if concern not in across):
        seen: dict[str, tuple[object, Cell]] = {}
        for run in runs:
            for fact, value in _facts(concern, run):
                known, first = seen.setdefault(fact, (value, run))
                if known != value:
                    raise BadInput(
                        f"{concern}: {fact} is {shown(known)} in {first.folder} and {shown(value)} in {run.folder}: "
                        "what is compared must differ in nothing but what is asked "
                        f"(--across {concern}, of analysis.compare and .report)"
                    )


def _facts(concern: str, run: Cell) -> Iterator[tuple[str, object]]:
    """Names with values; a value that nobody has recorded is no fact."""
    if concern == "data":
        yield from _questions(run)
    elif concern == "model":
        yield "model", run.model
        composed = read_composed(run.folder)
        yield from _leaves("model", composed.config.get("model") if composed else None)
    else:
        known = RunFolder(run.folder).environment() or {}
        packages = known.get("packages", {})
        named = {"commit": known.get("commit")} | {name: packages.get(name) for name in PACKAGES}
        yield from ((name, value) for name, value in named.items() if value)


@cache
def _questions(run: Cell) -> list[tuple[str, object]]:
    """Of one split, for another data.seed draws other videos."""
    samples = run.samples()
    asked = crc32(repr(sorted((one["id"], one["answer"]) for one in samples)).encode())
    split = "" if run.split is None else f" of data.seed={run.split}"
    return [(f"the set of questions{split}", f"{run.data} ({len(samples)} questions, crc32 {asked:08x})")]


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key in (key for key in value if key not in NO_DIFFERENCE):
            yield from _leaves(f"{name}.{key}", value[key])
    else:
        yield name, value  # null too: a base and its LoRA differ in nothing else
