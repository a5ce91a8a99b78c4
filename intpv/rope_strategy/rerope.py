"""ReRoPE: no key is further off than w tokens; leaky, further ones advance by a step (github.com/bojone/rerope)."""

from dataclasses import dataclass, replace

from intpv.bounds import check_flag
from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.partition import Partition, log_n, near_and_far
from intpv.rope_strategy.partitioned import PartitionedStrategy, auto_tokens


@dataclass(frozen=True, kw_only=True)
class ReRoPE(PartitionedStrategy):
    """The distance of a key is min(m - k, w); with a step it is w + step (m - k - w) beyond w. Its base method is
    arXiv 2104.09864; there is no paper.

    s says no more than that the context is longer than in training: w holds whatever its length.

    >>> import torch
    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=4096)
    >>> near, far = ReRoPE().divided(Layout(), geometry, 4.0).segments
    >>> far.query(torch.tensor([600, 9000])).tolist()  # and all of those keys at 0
    [512.0, 512.0]
    """

    near: float | int | str = "auto"  # w, tokens; auto is an eighth of the trained length: the authors' 512 of 4096
    step: float | int = 0.0  # of a token beyond w, 0 up to below 1; above 0 it is leaky ReRoPE, the authors' 1 / k
    log_n: bool | int | str = True  # multiply queries by max(1, ln(m + 1) / ln L), as the authors do

    def __post_init__(self) -> None:
        super().__post_init__()
        auto_tokens("near", self.near, 1)
        if type(self.step) not in (int, float) or not 0 <= self.step < 1:
            raise BadInput(f"rope_strategy.step must be at least 0 and below 1, got {self.step}")
        object.__setattr__(self, "step", float(self.step))  # YAML's 0 is an int
        check_flag("rope_strategy.log_n", self.log_n)

    def divided(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition:
        length = geometry.trained_length
        near = max(length // 8, 1) if isinstance(self.near, str) else int(self.near)
        parts = near_and_far(near, lambda token: token.double() * self.step)
        return replace(parts, scale=log_n(length)) if self.log_n else parts
