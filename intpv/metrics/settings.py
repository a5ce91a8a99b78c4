"""Settings of what is measured, apart from the measuring itself: they are checked without loading transformers."""

from dataclasses import dataclass

from intpv.bounds import check_flag, check_whole
from intpv.errors import BadInput

REFERENCES = ("same_rope_full_kv", "trained_length", "both")


@dataclass(frozen=True, kw_only=True)
class MemorySettings:
    """Of how many videos, and whether also without a GPU: counting costs a CPU twice the video's time."""

    videos: int = 1  # the first of the benchmark; the cell's figure is the largest
    on_cpu: bool = False

    def __post_init__(self) -> None:
        check_whole("measure.memory.videos", self.videos)
        check_flag("measure.memory.on_cpu", self.on_cpu)


@dataclass(frozen=True, kw_only=True)
class MeasuringSettings:
    """Which measures, and their settings; a key of conf/measure each."""

    attention_kl: bool | str = False
    reference: str = "same_rope_full_kv"
    videos: int | None = None  # how many are measured; None: all
    signatures: bool | str = False
    sinks: int = 4  # tokens at the start of the prefix whose mass is reported apart
    visual_rows: int = 0
    seed: int = 0  # of the sample of visual rows
    memory: MemorySettings | None = None
    figures: bool = True  # of every measured cell; `python -m analysis.figures` draws them later too

    def __post_init__(self) -> None:
        for name in ("attention_kl", "signatures"):
            if type(value := getattr(self, name)) is not bool:
                raise BadInput(f"measure.{name} must be true or false, got {value}: measure=full sets attention_kl")
        check_flag("measure.figures", self.figures)
        if self.reference not in REFERENCES:
            raise BadInput(f"measure.reference must be one of {', '.join(REFERENCES)}, got {self.reference}")
        check_whole("measure.videos", self.videos, or_null=True)
        for name in ("sinks", "visual_rows", "seed"):
            check_whole(f"measure.{name}", getattr(self, name), 0)
