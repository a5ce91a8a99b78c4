"""A GPU pretended to Triton: a launch compiles its kernel for it, and refuses it, as on the device; nothing runs."""

import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import SimpleNamespace

import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver

from intpv.attention import triton as host
from intpv.attention import triton_kernel

SHARED = {80: 166_912, 86: 101_376, 89: 101_376, 90: 232_448}  # bytes a block may opt in to (CUDA's programming guide)
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


class Kernel:
    """One that was compiled, as machine code."""

    def __init__(self, name: str, binary: bytes, shared: int, limit: int):
        self.name, self.binary, self.shared, self.limit = (
            name,
            binary,
            shared,
            limit,
        )  # bytes a program has and may have

    @property
    def stack(self) -> int:
        """Bytes a thread has beside its registers: what was spilled."""
        return int(re.search(r"STACK:(\d+)", self._shown("-res-usage"))[1])

    @property
    def loop(self) -> list[str]:
        """The instructions up to the branch that jumps back farthest, from where it jumps to."""
        found = re.findall(r"^\s+/\*([0-9a-f]{4,5})\*/\s+(.*?);", self._shown("-sass"), re.MULTILINE)
        instructions = [(int(at, 16), text) for at, text in found]
        jumps = [(at, re.search(r"\bBRA\b.*?0x([0-9a-f]+)", text)) for at, text in instructions]
        spans = [(int(to[1], 16), at) for at, to in jumps if to and int(to[1], 16) < at]
        first, last = max(spans, key=lambda span: span[1] - span[0])
        return [text for at, text in instructions if first <= at <= last]

    def _shown(self, what: str) -> str:
        with NamedTemporaryFile(suffix=".cubin") as file:
            file.write(self.binary)
            file.flush()
            done = subprocess.run([TOOLS / "cuobjdump", what, file.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr


@contextmanager
def pretended_gpu(architecture: int, multiprocessors: int = 132):
    """Inside, Triton takes CPU tensors for that GPU's -> the list of kernels that launches have compiled."""
    compiled: list[Kernel] = []

    def load(name, binary, shared, device):
        compiled.append(Kernel(name, binary, shared, SHARED[architecture]))
        return name, name, 0, 0, 1024  # module, function, registers, spills, threads

    utils = SimpleNamespace(
        get_device_properties=lambda device: {"max_shared_mem": SHARED[architecture]},
        load_binary=load,
        unload_module=lambda module: None,
    )
    pretended = SimpleNamespace(
        get_current_target=lambda: GPUTarget("cuda", architecture, 32),
        get_current_device=lambda: 0,
        get_current_stream=lambda device: 0,
        launcher_cls=lambda source, metadata: lambda *arguments: None,
        utils=utils,
    )
    true = driver._active, host._multiprocessors
    host._multiprocessors = lambda device: multiprocessors
    driver.set_active(pretended)
    _forget()
    try:
        yield compiled
    finally:
        _forget()  # while there is a driver to unload them
        driver._active, host._multiprocessors = true


def _forget() -> None:
    for kernel in (triton_kernel.split_attention, triton_kernel.merge_splits):
        kernel.device_caches.clear()
