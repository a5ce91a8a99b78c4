"""Pretended devices: CPU tensors under the name of another device, which refuse to meet those of a third.

Inside `with pretended():` the devices meta:0, meta:1, ... work as GPUs would: what is moved or made there stays there,
what is computed from it is there, and an operation on two of them fails. The numbers are the CPU's, so that results
compare to the bit. The name is meta because torch runs no code of its own for it before a tensor's own.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from intpv.attention import dense

aten = torch.ops.aten
BETWEEN = (aten._to_copy.default, aten.copy_.default)  # what may have a tensor of another device
CPU = torch.device("cpu")
# what a host waits for the device to tell: numbers, or how large a result is
WAITS = (
    "item",
    "_local_scalar_dense",
    "is_nonzero",
    "equal",
    "nonzero",
    "masked_select",
    "_unique2",
    "repeat_interleave",
)
_counted: ContextVar[Counter | None] = ContextVar("transfers", default=None)


@contextmanager
def transfers() -> Iterator[Counter]:
    """Count, inside `pretended()`, copies `to` a device, each time that a host waits for one (`wait`), and the numbers
    that the host itself makes meanwhile (`host`)."""
    found: Counter = Counter()
    token = _counted.set(found)
    try:
        yield found
    finally:
        _counted.reset(token)


def _count(kind: str, times: int = 1) -> None:
    if (found := _counted.get()) is not None:
        found[kind] += times


class Elsewhere(torch.Tensor):
    """A CPU tensor under the name of another device."""

    is_meta = False  # it holds numbers

    @staticmethod
    def __new__(cls, here: torch.Tensor, device: torch.device):
        # a wrapper's storage has no memory; strides are kept, for views and kernels ask for them
        return torch.Tensor._make_wrapper_subclass(
            cls, here.shape, here.stride(), here.storage_offset(), dtype=here.dtype, device=device
        )

    def __init__(self, here: torch.Tensor, device: torch.device):
        self.here = here

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        with _Devices():
            return func(*args, **(kwargs or {}))

    # these are answered before any dispatch
    def __repr__(self):
        return f"{self.here!r} on {self.device}"

    def tolist(self):
        _count("wait")
        return self.here.tolist()

    def __getitem__(self, where):
        lists = [x for x in (where if isinstance(where, tuple) else (where,)) if isinstance(x, list)]
        tensors = [x for x in tree_leaves(where) if isinstance(x, torch.Tensor) and x.dim()]
        _count("to", len(lists) + sum(x.device == CPU for x in tensors))
        _count("wait", sum(x.dtype == torch.bool for x in tensors))
        with _disable_current_modes():  # which would take it for the host's own work
            return _there(self.here[self._index(where)], self.device)

    def __setitem__(self, where, value):
        self.here[self._index(where)] = _here(value)

    def _index(self, where):
        """Indices may be on the CPU or here, as with a GPU."""
        homes = {x.device for x in tree_leaves(where) if isinstance(x, torch.Tensor)} - {CPU, self.device}
        if homes:
            raise RuntimeError(f"an index on {', '.join(map(str, homes))} into {self.device}")
        return tree_map(_here, where)

    def data_ptr(self):
        return self.here.data_ptr()

    def untyped_storage(self):
        return self.here.untyped_storage()


@contextmanager
def pretended() -> Iterator[None]:
    """Inside, devices of the type meta hold numbers; nothing is recorded for gradients."""
    chosen = dense._kernel
    # the numbers are a CPU's, so is the kernel that attends
    dense._kernel = lambda q, k, v, bias: dense._cpu if q.dtype == k.dtype == v.dtype else None
    try:
        with torch.inference_mode(), _Devices(), _Literals():  # views of tensors made with a record could not be taken
            yield
    finally:
        dense._kernel = chosen


class _Literals(TorchFunctionMode):
    """torch.tensor moves its numbers where no dispatch sees it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is not torch.tensor:
            return func(*args, **kwargs)
        device = kwargs.pop("device", None)
        made = func(*args, **kwargs)
        return made if device is None else made.to(device)


class _Devices(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket is aten.to:  # comes whole where nothing is recorded for a gradient
            with self:
                return func.decompose(*args, **(kwargs or {}))
        return _run(func, args, kwargs or {})


def _run(func, args: tuple, kwargs: dict):
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    # a single number on the CPU may meet anything, as with a GPU
    homes = {tensor.device for tensor in given if tensor.dim() or tensor.device != CPU}
    if func is aten._has_compatible_shallow_copy_type.default:  # whether nn.Module.to may keep the parameter object
        return len(homes) < 2
    if len(homes) > 1 and func not in BETWEEN:
        raise RuntimeError(f"{func} on {', '.join(sorted(map(str, homes)))}")
    asked = kwargs.get("device")
    if func in BETWEEN and given[-1].numel():
        ends = [given[0].device, torch.device(asked)] if asked is not None else [given[-1].device, given[0].device]
        if CPU in ends and ends[0] != ends[1]:
            _count("to" if ends[0] == CPU else "wait")
    elif homes - {CPU} and func.overloadpacket.__name__ in WAITS:
        _count("wait")
    home = torch.device(asked) if asked is not None else args[0].device if func in BETWEEN else next(iter(homes), CPU)
    if asked is not None:
        kwargs = {**kwargs, "device": CPU}
    result = func(*tree_map(_here, args), **tree_map(_here, kwargs))
    if home == CPU:
        _count("host", sum(x.numel() for x in tree_leaves(result) if isinstance(x, torch.Tensor)))
    known = {id(_here(tensor)): tensor for tensor in given}  # what is written in place stays the same object
    return tree_map(lambda x: known.get(id(x), _there(x, home)) if isinstance(x, torch.Tensor) else x, result)


def _here(value):
    return value.here if isinstance(value, Elsewhere) else value


def _there(tensor: torch.Tensor, home: torch.device) -> torch.Tensor:
    return tensor if home == CPU else Elsewhere(tensor, home)
