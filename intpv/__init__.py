"""intpv: longer video for Video-LLMs without training (arXiv 2409.12963 and beyond)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intpv.budget.budget import Budget, Kept
    from intpv.data.benchmark import Benchmark, Question, VideoItem
    from intpv.encoder.video_encoder import VideoEncoder
    from intpv.errors import BadInput
    from intpv.kv_evict.kv_evict import KVEvict
    from intpv.kv_quant.kv_quant import KVQuant, NoQuant
    from intpv.model.model import Model
    from intpv.options import option
    from intpv.rearranger.rearranger import Rearranger
    from intpv.rope_strategy.strategy import RopeStrategy
    from intpv.scorer.scorer import Score, Scorer
    from intpv.video_llm.extend import extend
    from intpv.video_llm.video_llm import VideoLLM

__version__ = "0.2.0"
__all__ = [
    "BadInput",
    "Benchmark",
    "Budget",
    "KVEvict",
    "KVQuant",
    "Kept",
    "Model",
    "NoQuant",
    "Question",
    "Rearranger",
    "RopeStrategy",
    "Score",
    "Scorer",
    "VideoEncoder",
    "VideoItem",
    "VideoLLM",
    "extend",
    "option",
]
_HOMES = {
    "BadInput": "errors",
    "Benchmark": "data.benchmark",
    "Budget": "budget.budget",
    "KVEvict": "kv_evict.kv_evict",
    "KVQuant": "kv_quant.kv_quant",
    "Kept": "budget.budget",
    "Model": "model.model",
    "NoQuant": "kv_quant.kv_quant",
    "Question": "data.benchmark",
    "Rearranger": "rearranger.rearranger",
    "RopeStrategy": "rope_strategy.strategy",
    "Score": "scorer.scorer",
    "Scorer": "scorer.scorer",
    "VideoEncoder": "encoder.video_encoder",
    "VideoItem": "data.benchmark",
    "VideoLLM": "video_llm.video_llm",
    "extend": "video_llm.extend",
    "option": "options",
}


def __getattr__(name: str):
    """Fetched when it is asked for: importing intpv must not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module intpv has no attribute {name}")
    return getattr(import_module(f"intpv.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
