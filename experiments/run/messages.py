"""Messages: what is wrong with a command line or a machine, in one line that suggests the nearest name."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from intpv.errors import BadInput
from intpv.escape import printable

from .options import known_keys, nearest

INTERRUPTED = 130  # what a shell reports for Ctrl-C
ALREADY = re.compile(
    r"(?:Multiple values for |Could not append to config\. An item is already at ')([\w./]+\w)"
    r"|(\S+) appears more than once in the final"
)
# options of hydra/launcher and hydra/sweeper that come with a package -> what pip installs
PLUGINS = {
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
    "ray_aws": "hydra-ray-launcher",
    "rq": "hydra-rq-launcher",
    "optuna": "hydra-optuna-sweeper",
    "ax": "hydra-ax-sweeper",
    "nevergrad": "hydra-nevergrad-sweeper",
}


@contextmanager
def explained(verb: str) -> Iterator[None]:
    """End with one line and exit code 2 for what a user can mend; HYDRA_FULL_ERROR=1 in the shell is obeyed."""
    in_full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets Hydra raise, where otherwise it prints several lines and exits
    try:
        if sys.flags.optimize > 1:
            raise BadInput("PYTHONOPTIMIZE=2 takes away the docstrings that transformers reads: unset it, or use 1")
        yield
    except (HydraException, OmegaConfBaseException, BadInput, OSError) as error:
        if in_full:
            raise
        refuse(verb, error)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = "1" if in_full else "0"


def refuse(verb: str, error: BaseException) -> NoReturn:
    """The one line, and the exit code of what was never begun."""
    print(f"{verb}: {printable(reason(error))}", file=sys.stderr)
    sys.exit(2)


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
    if there := ALREADY.match(first):
        return f"{there[1] or there[2]} is there already: write it without +"
    if deleted := re.match(r"Could not delete (?:from config\. (?:The value of )?)?'([^'=]+)", first):
        if deleted[1] in known_keys():
            return f"~{deleted[1]} deletes nothing: it is null, not there, or not of that value"
        return f"there is no key {deleted[1]}{nearest(deleted[1], known_keys())}"
    if gone := re.match(r"Interpolation key '(.+)' not found", first):
        return f"{gone[1]} is missing: it must not be deleted"
    if bad := re.match(r"BadInput raised while resolving interpolation: (.+)", first):
        return bad[1]
    if several := re.match(r"Ambiguous value for argument '(.+)'", first):
        return f"{several[1]} gives several values: add -m for a sweep over them"
    if key := re.match(r"Could not override '?(?:config\. )?([\w.]+)", first):
        if key[1] in (known := known_keys()):
            return f"{key[1]} is a key of another option of {key[1].split('.')[0]} than the one chosen"
        return f"there is no key {key[1]}{nearest(key[1], known)}"
    return first if isinstance(error, HydraException) else f"{type(error).__name__}: {first}"


def _no_such_option(config: str, options) -> str:
    group, _, option = config.rpartition("/")
    known = sorted(options or ())
    if group in ("hydra/launcher", "hydra/sweeper") and option in PLUGINS:
        return f"{group}={option} is a plug-in that is not installed: pip install {PLUGINS[option]}"
    if not option:
        return f"{group}= names no option (there are {', '.join(known)})"
    return f"{group}={option} is no option{nearest(option, known)} (there are {', '.join(known)})"
