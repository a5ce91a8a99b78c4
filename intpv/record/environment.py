"""Environment: what a result depends on besides its config; no path of the machine is written down."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

SCHEMA = 2  # version of the run folder's layout
LONGEST_DIFF = 200_000  # characters; a longer one is cut, and says so


def environment(
    seed: int, device: str | None = None, decoder: str | None = None, decoder_version: str | None = None
) -> dict:
    """State of the package's repository, versions of everything installed, device, threads, decoder and seed.

    `device` as torch writes it (cpu, cuda:0), None for the GPU if there is one; `decoder` None where no file is read.
    """
    import torch  # here, so that reading a run folder does not load it

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "schema": SCHEMA,
        **repository(Path(__file__).parents[1]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": installed(),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device.startswith("cuda") else _cpu_name(),
        "threads": torch.get_num_threads(),
        "decoder": decoder,
        "decoder_version": decoder_version,
        "seed": seed,
    }


@cache  # of the code as this process has loaded it: what is edited while a sweep runs is not what ran
def repository(folder: Path) -> dict[str, str | bool | list[str] | None]:
    """{commit, clean, diff, untracked} of the git repository that tracks `folder`; all None for an installed package.

    `diff` is what differs from the commit, "" where nothing does; of untracked files there are the names.
    """
    # an installed package may lie inside somebody else's repository, which does not track it
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return dict.fromkeys(("commit", "clean", "diff", "untracked"))
    status, diff = _git(folder, "status", "--porcelain"), _git(folder, "diff", "HEAD")
    if diff is not None and len(diff) > LONGEST_DIFF:
        diff = f"{diff[:LONGEST_DIFF]}\n[cut: {len(diff)} characters]"
    return {
        "commit": _git(folder, "rev-parse", "HEAD"),
        "clean": None if status is None else not status,
        "diff": diff,
        "untracked": [line[3:] for line in (status or "").splitlines() if line.startswith("??")],
    }


@cache
def installed() -> dict[str, str]:
    """Distribution -> version, as pip freeze lists them, but without the paths that pip freeze shows."""
    found = {one.metadata["Name"]: one.version for one in metadata.distributions() if one.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):  # no git, no repository, or not tracked
        return None
    return done.stdout.strip("\n")


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
