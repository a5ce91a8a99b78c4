"""Environment: what a result depends on besides its config; no path of the machine is written down."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

SCHEMA = 2  # version of the run folder's layout
MAIN = ("torch", "transformers", "lightning", "av", "numpy")  # packages that a result is most likely to depend on
NO_CODE = ":(exclude,top)analysis/results"  # published results: one that is new makes no other one's code unclean
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")  # the settings of torch's allocator, and their older name
DRIVER = Path("/proc/driver/nvidia/version")
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
        "float32_products": float32_products(),
        "cuda": torch.version.cuda,
        "driver": _driver(),
        "allocator": next((os.environ[name] for name in ALLOCATOR if os.environ.get(name)), None),
        "threads": torch.get_num_threads(),
        "decoder": decoder,
        "decoder_version": decoder_version,
        "seed": seed,
    }


def float32_products() -> str:
    """How a GPU multiplies float32 matrices: ieee, or tf32 (and coarser ones by their names), which others may have
    asked for: a library, or an image's TORCH_ALLOW_TF32_CUBLAS_OVERRIDE. The sums are float32 in any case."""
    import torch

    # from torch 2.9 on; where it was set, the older question is an error
    precision = getattr(torch.backends.cuda.matmul, "fp32_precision", None)
    if precision is None:
        precision = {"highest": "ieee", "high": "tf32"}.get(named := torch.get_float32_matmul_precision(), named)
    return "ieee" if precision == "none" else precision


def stated(known: Mapping) -> dict:
    """What of an environment is said beside a result: commit, whether its tree was clean, versions, device."""
    packages = {name: known["packages"].get(name) for name in MAIN}
    return {key: known[key] for key in ("commit", "clean", "python", "device", "device_name")} | {"packages": packages}


@cache  # of the code as this process has loaded it: what is edited while a sweep runs is not what ran
def repository(folder: Path) -> dict[str, str | bool | list[str] | None]:
    """{commit, clean, diff, untracked} of the git repository that tracks `folder`; all None for an installed package.

    Without `analysis/results`. `diff` is what differs from the commit, "" where nothing does; of untracked files there
    are the names.
    """
    # an installed package may lie inside somebody else's repository, which does not track it
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return dict.fromkeys(("commit", "clean", "diff", "untracked"))
    status, diff = (
        _git(folder, *command, "--", ":/", NO_CODE) for command in (("status", "--porcelain"), ("diff", "HEAD"))
    )
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


def _driver() -> str | None:
    """The NVIDIA driver's version; None where there is none."""
    found = re.search(r"\d+\.\d+(\.\d+)*", DRIVER.read_text()) if DRIVER.exists() else None
    return found and found.group()


def _cpu_name() -> str:
    """With the instructions that torch uses: two machines may both be called "AMD EPYC" and one lack AVX-512."""
    import torch

    info, name = Path("/proc/cpuinfo"), platform.processor() or platform.machine()
    if info.exists():
        names = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        name = next((line.split(":", 1)[1].strip() for line in names), name)
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
