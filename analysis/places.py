"""Places: cells of a sweep by all that was swept but one setting, so that what the setting does can be told alone."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from .effects import setting_of
from .runs import LABELLED, Cell

Place = tuple[tuple[str, str], ...]  # what else was swept, and to what
Found = Mapping[Place, Mapping[str, list[Cell]]]  # place -> value of the setting -> its runs


def by_place(cells: Sequence[Cell], key: str) -> Found:
    """Seeds make no places: runs that differ in them alone stand together."""
    found: dict[Place, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        found[_place(cell, key)][setting_of(cell, key)].append(cell)
    return found


def common(places: Collection[Place]) -> set[tuple[str, str]]:
    """What all of them have, and needs no saying."""
    return set.intersection(*(set(place) for place in places))


def told(place: Place, same: set[tuple[str, str]]) -> list[str]:
    """What tells a place from others; a variant names its own keys."""
    own = [(name, value) for name, value in place if value and (name, value) not in same]
    return [value if name == "variant" else f"{name}={value}" for name, value in own]


def _place(cell: Cell, key: str) -> Place:
    parts = {"frames": str(cell.frames)}
    for group in LABELLED:
        option, *fields = getattr(cell, group).split()
        kept = [one for one in fields if f"{group}.{one.partition('=')[0]}" != key]
        parts[group] = " ".join([option] * (group != key) + kept)
    parts["variant"] = " ".join(one for one in cell.variant.split() if one.partition("=")[0] != key)
    return tuple((name, value) for name, value in parts.items() if name != key or (value and name in LABELLED))
