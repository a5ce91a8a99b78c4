"""Launches: how many kernels a computation would launch on a GPU, told by the operations that it is made of."""

from collections.abc import Callable

from torch.utils._python_dispatch import TorchDispatchMode

NO_KERNEL = ("aten::empty", "aten::new_empty", "aten::_unsafe_view")  # views are told by their schema


class Launches(TorchDispatchMode):
    """Counts what is run inside, under `torch.no_grad()`; on meta tensors at real sizes too, which hold nothing."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        is_view = any(out.alias_info is not None and not out.alias_info.is_write for out in func._schema.returns)
        self.count += not is_view and not func.name().startswith(NO_KERNEL)
        return func(*args, **(kwargs or {}))


def launches(work: Callable[[], object]) -> int:
    """Of some work."""
    with Launches() as counted:
        work()
    return counted.count
