"""Image processor: a checkpoint's preprocessor_config.json as one of our ways to make pixels, CLIP's or SigLIP's."""

from pathlib import Path
from typing import Any

from intpv.errors import BadInput
from intpv.model.stated import json_object
from intpv.video.pixels import Pixels
from intpv.video.preprocess import Preprocess
from intpv.video.square import Square

RESAMPLE = {2: "bilinear", 3: "bicubic"}  # PIL's numbers


def pixels_of(folder: Path) -> Pixels:
    """Short side and centre crop where `size` is a shortest_edge, the whole frame squeezed where it is a square.

    Raises BadInput for what neither does: padding, a crop of another size than the short side, another resampling.
    """
    file, stated = _stated(folder)
    for key, usual in (("do_resize", True), ("do_rescale", True), ("do_normalize", True), ("do_pad", False)):
        if (got := stated.get(key, usual)) not in (usual, None):
            raise BadInput(f"{file}: {key} must be {usual}, got {got}: choose model.preprocess yourself")
    if abs(float(stated.get("rescale_factor") or 1 / 255) * 255 - 1) > 1e-6:
        raise BadInput(f"{file}: rescale_factor must be 1/255, got {stated['rescale_factor']}")
    if (number := stated.get("resample", 3)) not in RESAMPLE:
        raise BadInput(f"{file}: resample must be 2 (bilinear) or 3 (bicubic), got {number}")
    colours = {name: tuple(stated[f"image_{name}"]) for name in ("mean", "std") if stated.get(f"image_{name}")}
    size, crop = stated.get("size"), stated.get("crop_size")
    size = {"shortest_edge": size} if isinstance(size, int) else dict(size or {})
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else dict(crop or {})
    if (short := size.get("shortest_edge")) is not None:
        if not stated.get("do_center_crop") or (crop.get("height"), crop.get("width")) != (short, short):
            raise BadInput(f"{file}: crop_size must be the shortest_edge {short} twice, got {crop or None}")
        return Preprocess(resize=RESAMPLE[number], size=short, **colours)
    height, width = size.get("height"), size.get("width")
    if not height or height != width or stated.get("do_center_crop"):
        raise BadInput(f"{file}: size must be a shortest_edge with a crop or a square without one, got {size}")
    return Square(resize=RESAMPLE[number], size=height, **colours)


def _stated(folder: Path) -> tuple[Path, dict[str, Any]]:
    """From the file of its own, or from the processor's, where transformers 5 writes it."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        file = folder / name
        if not file.is_file():
            continue
        stated = json_object(file)
        if isinstance(found := stated.get("image_processor", stated), dict) and "size" in found:
            return file, found
    raise BadInput(f"{folder} has no preprocessor_config.json that states a size: choose model.preprocess yourself")
