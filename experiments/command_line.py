"""The command line: what is wrong with it or with the machine, in one line that suggests the nearest name."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from intpv.errors import BadInput

CONF = Path(__file__).resolve().parents[1] / "conf"
INTERRUPTED = 130  # what a shell reports for Ctrl-C


@contextmanager
def explained(verb: str) -> Iterator[None]:
    """End with one line and exit code 2 for what a user can mend; HYDRA_FULL_ERROR=1 in the shell is obeyed."""
    in_full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets Hydra raise, where otherwise it prints several lines and exits
    try:
        yield
    except (HydraException, OmegaConfBaseException, BadInput, OSError) as error:
        if in_full:
            raise
        print(f"{verb}: {reason(error)}", file=sys.stderr)
        sys.exit(2)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = "1" if in_full else "0"


def without_null(arguments: list[str]) -> list[str]:
    """`logger=null` becomes `logger=none`: Hydra takes no null for a group, yet it is what its users try first."""
    has_none = {file.parent.name for file in CONF.glob("*/none.yaml")}
    return [f"{one[:-5]}=none" if one.removesuffix("=null") in has_none else one for one in arguments]


def reason(error: BaseException) -> str:
    """An exception in one line for a user. What instantiate() wraps is unwrapped down to a BadInput."""
    if isinstance(error.__cause__, BadInput):
        return str(error.__cause__)
    if isinstance(error, BadInput):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(error.missing_cfg_file, error.options)
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read: write key=value, and quote what the shell or Hydra would split"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if bad := re.match(r"BadInput raised while resolving interpolation: (.+)", first):
        return bad[1]
    if several := re.match(r"Ambiguous value for argument '(.+)'", first):
        return f"{several[1]} gives several values: add -m for a sweep over them"
    if key := re.match(r"Could not (?:override|append to|delete from) '?(?:config\. )?([\w.]+)", first):
        if key[1] in (known := known_keys()):
            return f"{key[1]} is a key of another option of {key[1].split('.')[0]} than the one chosen"
        return f"there is no key {key[1]}{_nearest(key[1], known)}"
    return first if isinstance(error, HydraException) else f"{type(error).__name__}: {first}"


def known_keys() -> list[str]:
    """Groups and dotted keys of every option, read from the files: a key may belong to an option not chosen."""
    keys = []
    for file in [CONF / "config.yaml", *CONF.glob("*/*.yaml")]:
        group = "" if file.parent == CONF else f"{file.parent.name}."
        keys += [group[:-1], *(f"{group}{key}" for key in yaml.safe_load(file.read_text(encoding="utf-8")) or ())]
    return sorted(set(keys) - {""})


def _no_such_option(config: str, options) -> str:
    group, _, option = config.rpartition("/")
    known = sorted(options or ())
    return f"{group}={option} is no option{_nearest(option, known)} (there are {', '.join(known)})"


def _nearest(name: str, known: list[str]) -> str:
    found = get_close_matches(name, known, n=1)
    return f": did you mean {found[0]}?" if found else ""
