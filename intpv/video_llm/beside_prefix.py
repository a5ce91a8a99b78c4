"""BesidePrefix: transformers' cache of what follows a packed prefix, layer by layer, inside `intpv.extend` alone."""

from jaxtyping import Float
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from intpv.errors import BadInput
from intpv.hf.attention import attended
from intpv.video_llm.context import VideoContext


class BesidePrefix(DynamicLayer):
    """A question's own keys and values of one layer: it hands out these alone, and counts the prefix as read."""

    def __init__(self, extended: object, context: VideoContext):
        super().__init__()
        self.extended, self.context = extended, context

    @property
    def own(self) -> int:
        return super().get_seq_length()

    def get_seq_length(self) -> int:
        return self.context.layout.length + self.own

    def update(
        self, key_states: Float[Tensor, "B H_kv R d"], value_states: Float[Tensor, "B H_kv R d"], *args, **kwargs
    ) -> tuple[Tensor, Tensor]:
        """BadInput where the prefix is not attended to: the video would be left out without a sign."""
        if attended() is not self.context.packed:
            raise BadInput("the cache of an extended model knows its video only inside the `with` that it comes from")
        return super().update(key_states, value_states, *args, **kwargs)

    def crop(self, count: int | Tensor) -> None:
        """Forget the last -count tokens, or all but `count`, the prefix among them (transformers before 5.23)."""
        count = int(count)
        kept = count - self.context.layout.length if count > 0 else self.own + count
        if kept < 0:
            raise BadInput(f"a cache beside a packed prefix can give up its own {self.own} tokens, got crop({count})")
        if self.is_initialized:
            assert self.keys is not None
            assert self.values is not None
            self.keys, self.values = self.keys[..., :kept, :], self.values[..., :kept, :]
