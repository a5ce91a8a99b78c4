"""The grids of a policy whose ranges come from a calibration file, once it is sure that they are of the same kind."""

import torch

from intpv.bounds import check_place
from intpv.errors import BadInput
from intpv.kv_quant.calibration import read
from intpv.kv_quant.origin import Origin
from intpv.kv_quant.side import Side
from intpv.kv_quant.static_grid import StaticGrid, static_grids

DYNAMIC = "dynamic"


def check(source: str | None, multiplier: float | int, sides: tuple[Side, Side]) -> None:
    """BadInput for fields of `KVQuant` that do not go with calibrated ranges, and for a file that holds none."""
    if source is None:
        raise BadInput(
            "kv_quant.calibration must be dynamic, embedded or a file, got null: "
            "`python -m experiments.calibrate_kv out=FILE` with the overrides of this run makes it"
        )
    if not (type(multiplier) in (float, int) and 0 < multiplier < float("inf")):
        raise BadInput(f"kv_quant.range_multiplier must be a number over 0, got {multiplier}")
    if source == DYNAMIC:
        if multiplier != 1:
            raise BadInput(f"kv_quant.range_multiplier is of calibrated ranges, got {multiplier} with dynamic ones")
        return
    if isinstance(source, str):  # else `read` says it better
        check_place("kv_quant.calibration", source)
    read(source)
    for side in sides:
        if not side.is_quantised:
            continue
        if side.granularity not in ("tensor", "channel"):
            raise BadInput(
                f"kv_quant.{side.name}_granularity must be tensor or channel with kv_quant.calibration={source}, "
                f"got {side.granularity}"
            )
        for name, allowed in (("group", None), ("hadamard", False)):
            if (got := getattr(side, name)) != allowed:
                wanted = "null" if allowed is None else "false"
                raise BadInput(
                    f"kv_quant.{side.name}_{name} must be {wanted} with kv_quant.calibration={source}, got {got}"
                )


def grids(
    source: str,
    multiplier: float | int,
    sides: tuple[Side, Side],
    shape: tuple[int, int, int],
    origin: Origin | None,
    device: torch.device,
) -> list[dict[str, StaticGrid]]:
    """By layer and side, on `device`, of a prefix of `shape` L, H_kv, d and of `origin`.

    BadInput where the file is of another.
    """
    name = f"kv_quant.calibration={source}"
    if origin is None:
        raise BadInput(f"{name} needs to know the model and the rotation of a prefix, got a prefix without them")
    calibration, _ = read(source, origin.weights)
    keys = sides[0]
    origin.check(calibration.origin, name, rotated=keys.is_quantised and not keys.is_pre_rope)
    if calibration.shape != shape:
        raise BadInput(f"{name} has (layers, heads, head dim) {calibration.shape}, got a prefix of {shape}")
    result: list[dict[str, StaticGrid]] = [{} for _ in range(shape[0])]
    for side in sides:
        if side.is_quantised:
            kind, scale = "values", 1.0
            if side.name == "key":
                kind = "keys_before_rope" if side.pre_rope else "keys"
                scale = origin.attention_scale / calibration.origin.attention_scale  # YaRN's temperature is in the keys
            statistics = calibration.statistics[kind]
            found = static_grids(statistics, side.granularity, side.bits, float(multiplier), float(side.clip), scale)
            for layer, one in zip(result, found, strict=True):
                layer[side.name] = one.to(device)
    return result
