"""Environment: what a result depends on besides its config; no path of the machine is written down."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

SCHEMA = 1  # version of the run folder's layout
PACKAGES = ("torch", "transformers", "lightning", "hydra-core", "av", "intpv")


def environment(
    seed: int, device: str | None = None, decoder: str | None = None, decoder_version: str | None = None
) -> dict:
    """Commit and cleanness of the package's repository, versions, device, threads, decoder and seed.

    `device` as torch writes it (cpu, cuda:0), None for the GPU if there is one; `decoder` None where no file is read.
    """
    import torch  # here, so that reading a run folder does not load it

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "schema": SCHEMA,
        **repository(Path(__file__).parents[1]),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device.startswith("cuda") else _cpu_name(),
        "threads": torch.get_num_threads(),
        "decoder": decoder,
        "decoder_version": decoder_version,
        "seed": seed,
    }


def repository(folder: Path) -> dict[str, str | bool | None]:
    """{commit, clean} of the git repository that tracks `folder`; both None for an installed package."""
    # an installed package may lie inside somebody else's repository, which does not track it
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return {"commit": None, "clean": None}
    status = _git(folder, "status", "--porcelain")
    return {"commit": _git(folder, "rev-parse", "HEAD"), "clean": None if status is None else not status}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, no repository, or not tracked
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # intpv run from a clone that was never installed
        return None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
