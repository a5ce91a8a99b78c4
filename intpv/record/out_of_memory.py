"""Out of memory: tell it from other failures, and how much was asked for."""

import re

# by name, so that a run folder is read without importing torch; on a CPU torch raises a plain RuntimeError
TYPES = ("OutOfMemoryError", "MemoryError")
SAYS = re.compile(r"can't allocate memory|out of memory", re.IGNORECASE)
ASKED = re.compile(r"allocate ([\d.]+) ?(bytes|B|KiB|MiB|GiB|TiB)\b")
UNITS = {"bytes": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine had too little memory."""
    return type(error).__name__ in TYPES or (isinstance(error, RuntimeError) and bool(SAYS.search(str(error))))


def asked_bytes(error: BaseException) -> int | None:
    """Bytes of the allocation that failed, as exact as the message tells them; None where it does not."""
    found = ASKED.search(str(error))
    return round(float(found[1].rstrip(".")) * UNITS[found[2]]) if found else None
