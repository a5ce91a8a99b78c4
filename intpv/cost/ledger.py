"""Ledger: what each part of a Video-LLM holds in memory, in bytes of unique storages; nothing is counted twice."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn


def storage_bytes(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Address -> bytes of every storage behind the tensors: views and tied weights share one."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in storages if storage.nbytes()}


def weights(llm: nn.Module, encoder: nn.Module) -> dict[str, int]:
    """`memory/weights_bytes`, the LLM's, and `memory/tower_bytes`, tower's and projector's; buffers included.

    Where the encoder is a part of the LLM's own module, its storages are the tower's alone.
    """
    tower = storage_bytes([*encoder.parameters(), *encoder.buffers()])
    rest = storage_bytes([*llm.parameters(), *llm.buffers()])
    own = sum(size for address, size in rest.items() if address not in tower)
    return {"memory/weights_bytes": own, "memory/tower_bytes": sum(tower.values())}


def kv(ledger: Mapping[str, int]) -> dict[str, int]:
    """PackedPrefix.ledger as metrics: `kv/bytes` and of it `kv/{codes,scales,zeros,angles,exempt,padding}_bytes`."""
    parts = {f"kv/{name}_bytes": size for name, size in ledger.items() if name != "total"}
    return {"kv/bytes": ledger["total"], **parts}
