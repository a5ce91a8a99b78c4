"""Traces: what of a decoder is another thing afterwards than before, and whether it computes what it did."""

import sys
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from intpv.check.finding import Wrong
from intpv.check.shown_model import QUESTIONS, Subject
from intpv.check.watch_and_ask import plain_logits
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.video_llm.video_llm import VideoLLM


class Interrupted(Exception):
    """What is raised in the middle of a prefill to see what is left behind."""


class Traces:
    """Of a model, taken when a law first needs it; `restored` is the last law, and is about all of them.

    Read are the decoder's modules, their hooks and tables, their classes, and the file of transformers that these come
    from, which is where strategies are patched in elsewhere; beside it one plain forward without any of ours.
    """

    def __init__(self, subject: Callable[[], Subject]):
        self.subject = subject

    def before(self, law: Callable[[], str]) -> Callable[[], str]:
        """The law, behind a look at how things were."""
        return partial(self._look_and, law)

    def _look_and(self, law: Callable[[], str]) -> str:
        _ = self._untouched
        return law()

    @cached_property
    def _untouched(self) -> tuple[dict[str, Any], dict[str, Tensor], Tensor]:
        subject = self.subject()
        tables = {name: one.clone() for name, one in subject.model.decoder.named_buffers()}
        return _parts(subject.model.decoder), tables, plain_logits(subject, QUESTIONS[0])

    def restored(self, strategy: RopeStrategy) -> str:
        """A prefill, and one that is broken off in its last layer, leave the model as it was."""
        parts, tables, logits = self._untouched
        subject = self.subject()
        llm = VideoLLM(subject.model, subject.llm.rearranger, strategy, subject.llm.kv_quant, max_new_tokens=1)
        subject.prefilled(llm)
        with _breaking(subject.model.decoder):
            try:
                subject.prefilled(llm)
            except Interrupted:
                pass
            else:
                raise Wrong("the last layer was not reached")
        name, decoder = type(strategy).__name__, subject.model.decoder
        after = _parts(decoder)
        for part in {**parts, **after}:
            if after.get(part) is not parts.get(part):
                raise Wrong(f"{name} changes {part} and does not restore it")
        for table, now in decoder.named_buffers():
            if not torch.equal(now, tables[table]):
                off = float((now - tables[table]).abs().max())
                raise Wrong(f"{name} changes {table} by {off:.3g} and does not restore it")
        if off := float((plain_logits(subject, QUESTIONS[0]) - logits).abs().max()):
            raise Wrong(f"{name} moves the logits of a plain forward afterwards by {off:.3g}, must by 0")
        return f"{len(after)} parts of model and classes, and a plain forward's logits, also behind an exception"


def _breaking(decoder: nn.Module):
    def stop(*_: object) -> None:
        raise Interrupted

    last: Any = decoder.get_submodule("layers")
    return last[len(last) - 1].register_forward_pre_hook(stop)


def _parts(decoder: nn.Module) -> dict[str, Any]:
    """Name -> the very object."""
    found: dict[str, Any] = {"torch's default dtype": torch.get_default_dtype()}
    for name, module in decoder.named_modules():
        here = f"decoder.{name}".rstrip(".")
        for key, value in vars(module).items():
            inner = value.items() if isinstance(value, dict) else [("", value)]
            found |= {f"{here}.{key}.{inside}".rstrip("."): one for inside, one in inner if not _is_counter(one)}
    for kind in {type(module) for module in decoder.modules()}:
        found |= {f"{kind.__name__}.{key}": value for key, value in vars(kind).items()}
        if kind.__module__.startswith("transformers."):
            source = sys.modules[kind.__module__]
            found |= {f"{source.__name__}.{key}": value for key, value in vars(source).items()}
    return found


def _is_counter(value: object) -> bool:
    """Numbers and flags are made anew whenever they are set; modules are counted on their own."""
    return isinstance(value, int | float | str | nn.Module)
