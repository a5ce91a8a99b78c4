"""Adapter: all that watch and ask must know of one architecture of transformers; a new model is one subclass, one file.

    class Mine(Adapter):
        architecture = "MineForConditionalGeneration"       # config.json's; another one is refused
        repository = "me/mine-7b"                           # for the message of who has no weights yet

        def __init__(self, checkpoint, group_length, trained_visual_length):
            tower = nn.ModuleDict({"vision": checkpoint.model.vision_tower})
            super().__init__(checkpoint, tower, group_length, trained_visual_length, grid=(24, 24))

        def look(self, groups):                             # encode: (m, N, C, H, W) -> (m, N, *P, E), what is cached
            return torch.stack([self.tower["vision"](group).last_hidden_state for group in groups])

That is a whole adapter if its frames stand between two texts. What else a model may need, each with a default:

    project(features)         (m, N, *P, E) -> (m, N, *P, W): from what is cached to what the decoder gets. As it is
    pieces(tokenizer, before, after, seconds, grid)
                              embed: the prefix as a list of Words, Span (a slot of frames) and Vector, from
                              which layout and embeddings both follow. Default: text before, frames, text after
    inputs(tokens, layout)    what of W is the embedding, and what the decoder is given beside it (Qwen3-VL's deepstack)
    frames_per_slot           t, frames that the tower makes one slot of; then groups are (m, N, t, C, H, W)
    grid                      the shape *P of a slot's tokens; (rows, columns) for M-RoPE. A property where it varies
    behind                    a special token; text is cut into tokens as if it stood behind it
    mixes_time                True if a slot's tokens depend on the other slots of its group

The rest is found: decoder, head, embeddings and the one rotary module are transformers' own (model.py). N is
`group_length` in slots, the trained visual length is in tokens. The template is a Prompt in conf/model/<name>.yaml,
which names this class' `load`, and the pixels are a class of intpv/video. `python -m experiments.check model=<name>`
says in seconds what is wrong with it; the last judge is the model's own forward of the whole prompt, which must give
the logits that watch and ask give (tests/model/test_families.py).
"""

import json
from collections.abc import Callable, Sequence
from math import prod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from intpv.encoder.own import Own
from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model.loading.folder import read
from intpv.model.loading.lora import mergeable
from intpv.model.model import Model, Prompt
from intpv.preprocess.pixels import Pixels


class Adapter(VideoEncoder):
    """Tower, projector and the order of things in the prefix. Weights are the checkpoint's own, shared with its LLM."""

    architecture: ClassVar[str]
    repository: ClassVar[str]
    mixes_time = False

    def __init__(
        self,
        checkpoint: PreTrainedModel,
        tower: nn.Module,
        group_length: int,
        trained_visual_length: int | None,
        grid: tuple[int, ...],
    ):
        nn.Module.__init__(self)  # not the parent's, which builds a projector
        self.tower = tower  # all weights that `look` depends on: the cache's key
        self._group_length, self._trained, self._grid = group_length, trained_visual_length, grid
        settings = {key: value for key, value in checkpoint.config.to_dict().items() if key != "text_config"}
        self._settings = json.dumps(settings, sort_keys=True, default=str)

    @classmethod
    @mergeable
    def load(
        cls,
        encoder: VideoEncoder,
        path: str,
        prompt: Prompt,
        preprocess: Pixels,
        trained_visual_length: int | None,
        dtype: str = "bfloat16",
        device: str | Sequence[str] = "auto",
        name: str = "",
        **settings,
    ) -> Model:
        """The folder's (or repository's) model; `settings` are the adapter's own. BadInput as in folder.py."""
        if not isinstance(encoder, Own):
            raise BadInput(
                f"{cls.architecture} brings its own tower: encoder must be own, got {type(encoder).__name__}"
            )
        slots, left = divmod(encoder.group_length, cls.frames_per_slot)
        if left or not slots:
            raise BadInput(
                f"encoder.num_frames must be a multiple of {cls.frames_per_slot}, got {encoder.group_length}"
            )
        llm, tokenizer = read(path, cls.architecture, cls.repository, dtype, device)
        make: Callable[..., Adapter] = cls  # a subclass, whose __init__ makes the tower itself
        adapter = make(llm, slots, trained_visual_length, **settings)
        return Model(name or cls.architecture, llm, adapter.eval(), tokenizer, prompt, preprocess)

    @property
    def group_length(self) -> int:
        return self._group_length

    @property
    def grid(self) -> tuple[int, ...]:
        return self._grid

    @property
    def tokens_per_frame(self) -> int:
        """P of a slot."""
        return prod(self.grid)

    @property
    def trained_visual_length(self) -> int:
        """As given; None is N x P."""
        return super().trained_visual_length if self._trained is None else self._trained

    @property
    def description(self) -> dict:
        return {"encoder": type(self).__name__, "slot": self.frames_per_slot, "config": self._settings}

    @property
    def attention(self) -> str:
        return next(m.config._attn_implementation for m in self.tower.modules() if isinstance(m, PreTrainedModel))

    def features(self, groups: Float[Tensor, "m N *frame"], side: int | None = None) -> Float[Tensor, "m N *P E"]:
        """Normalised pixels through `look`; no adapter `resizes`, so `side` is None."""
        return self.look(groups.to(next(self.tower.parameters()).dtype))

    def project(self, features: Float[Tensor, "m N *P E"]) -> Float[Tensor, "m N *P W"]:
        return features.to(next(self.tower.parameters()).dtype)
