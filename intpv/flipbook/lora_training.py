"""LoRA training: lessons that a language model learns in LoRA (arXiv 2106.09685) alone, beside weights that stay."""

import shutil
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from intpv.encoder.video_encoder import VideoEncoder

from .training_base import LessonTraining


class LoraTraining(LessonTraining):
    """`llm` is changed: LoRA stands in the places of `targets`. A checkpoint holds what is trained and no more."""

    learning_rate: float  # peak

    def __init__(
        self,
        llm: PreTrainedModel,
        encoder: VideoEncoder,
        rank: int,
        alpha: int,
        targets: Sequence[str],
        base: str | None,
    ):
        from peft import LoraConfig, inject_adapter_in_model

        super().__init__(llm.requires_grad_(False), encoder)
        self.strict_loading = False  # what is not trained lies elsewhere
        self.lora = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), base_model_name_or_path=base)
        inject_adapter_in_model(self.lora, llm)

    def configure_optimizers(self):
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.rate(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @abstractmethod
    def rate(self, step: int) -> float:
        """Share of the peak rate."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trained = {name for name, weight in self.named_parameters() if weight.requires_grad}
        checkpoint["state_dict"] = {name: value for name, value in checkpoint["state_dict"].items() if name in trained}

    @contextmanager
    def without_lora(self) -> Iterator[None]:
        """Inside, the language model is what it was before, and nothing of it is trained."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        layers = [module for module in self.llm.modules() if isinstance(module, BaseTunerLayer)]
        wanted = {weight: weight.requires_grad for weight in self.llm.parameters()}
        for layer in layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)
            for weight, trained in wanted.items():  # enabling asks for gradients of other weights too
                weight.requires_grad_(trained)

    def save_lora(self, folder: Path) -> None:
        """In PEFT's format, weights in float16."""
        from peft import get_peft_model_state_dict

        folder.mkdir(parents=True, exist_ok=True)
        self.lora.save_pretrained(str(folder))
        weights = get_peft_model_state_dict(self.llm, save_embedding_layers=False)
        file = folder / "adapter_model.safetensors"
        save_file({f"base_model.model.{key}": value.half().contiguous() for key, value in weights.items()}, file)
        shutil.copymode(folder / "adapter_config.json", file)  # the library makes it private, whatever the umask
