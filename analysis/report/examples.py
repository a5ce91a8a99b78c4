"""Example videos: the frames that were shown, with questions on which cells disagree and what each of them answered."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from hydra.errors import InstantiationException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from PIL import Image

from intpv.errors import BadInput, VideoError
from intpv.metrics.sample import groups, is_correct
from intpv.record.composed import read_composed
from intpv.record.samples import Sample

from ..runs import Cell
from ..style import run_terms

FRAMES, QUESTIONS = 16, 3  # shown of a video
QUALITY = 70  # of JPEG
WIDEST = 900  # pixels


def examples(cells: Sequence[Cell], base: Cell | None, count: int) -> tuple[list[dict[str, Any]], str]:
    """Videos of the cells in full precision with the most frames and the baseline, and why there are none."""
    full = [cell for cell in cells if cell.kv_quant == "none"]
    if not count or not full:
        return [], "no videos were asked for (--videos)" if full else "no cell in full precision is finished"
    most = max(cell.frames for cell in full)
    shown = [cell for cell in full if cell is base or cell.frames == most]
    run = next(cell for cell in shown if cell.frames == most).runs[0]
    answers = [{line["id"]: line for line in other.samples()} for one in shown if (other := _like(one, run))]
    chosen = _most_disputed(run.samples(), answers)[:count]
    try:
        strips = _strips(run, chosen)
    except (BadInput, VideoError, OmegaConfBaseException, InstantiationException, OSError) as error:
        return [], f"the videos cannot be read here: {str(error).splitlines()[0]}"
    names = [run_terms(one.strategy, one.rearranger, one.frames, one.kv_quant) for one in shown if _like(one, run)]
    return [
        {"video": video, "strip": strip, "questions": _questions(run.samples(), video, answers), "names": names}
        for video, strip in zip(chosen, strips, strict=True)
    ], ""


def _like(cell: Cell, run: Cell) -> Cell | None:
    """The run of the cell that answered the same split."""
    return next((one for one in cell.runs if one.split == run.split), None)


def _most_disputed(samples: Sequence[Sample], answers: Sequence[Mapping[str, Sample]]) -> list[str]:
    """Videos that were answered, those first whose questions the cells answer most differently."""
    by_video = groups([line for line in samples if line["error"] is None], lambda line: line["video"])
    disputed = {video: sum(_dispute(line["id"], answers) for line in lines) for video, lines in by_video.items()}
    return sorted(disputed, key=lambda video: (-disputed[video], video))


def _dispute(id: str, answers: Sequence[Mapping[str, Sample]]) -> float:
    """0 where all cells agree, 1 where they are evenly split."""
    right = [is_correct(own[id]) for own in answers if id in own]
    return 1 - abs(2 * sum(right) / len(right) - 1) if right else 0


def _strips(run: Cell, videos: Sequence[str]) -> list[str]:
    """JPEG as data URLs, of the frames that the run was shown."""
    from hydra.utils import instantiate  # these load torch, which a report without videos does not need

    from intpv.video.strip import strip

    composed = read_composed(run.folder)
    config: Any = OmegaConf.to_container(OmegaConf.create(composed.config if composed else {}), resolve=True)
    if not {"data", "video"} <= config.keys():
        raise BadInput(f"{run.name} does not say which files it read")
    items = {item.id: item for item in instantiate(config["data"]).items()}
    reader = instantiate(config["video"])
    pictures = []
    for video in videos:
        if video not in items:
            raise BadInput(f"{run.data} has no video {video} here")
        found = reader.read(items[video].path, run.frames, items[video].clip)
        picture = Image.fromarray(strip(found.frames, found.indices, found.timestamps, FRAMES))
        picture.thumbnail((WIDEST, WIDEST))
        file = BytesIO()
        picture.save(file, "JPEG", quality=QUALITY)
        pictures.append(f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}")
    return pictures


def _questions(samples: Sequence[Sample], video: str, answers: Sequence[Mapping[str, Sample]]) -> list[dict[str, Any]]:
    lines = [line for line in samples if line["video"] == video]
    lines = sorted(lines, key=lambda line: -_dispute(line["id"], answers))[:QUESTIONS]
    return [
        {
            "text": line["question"],
            "options": ", ".join(line["options"]),
            "answer": line["answer"],
            "said": [(own[line["id"]]["prediction"] or "nothing", is_correct(own[line["id"]])) for own in answers],
        }
        for line in lines
        if all(line["id"] in own for own in answers)
    ]
