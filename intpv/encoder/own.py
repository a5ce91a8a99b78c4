"""Own: the tower that lies in the model's checkpoint; the model brings it, only the group length is a choice."""

from jaxtyping import Float
from torch import Tensor, nn

from intpv.bounds import check_whole
from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput


class Own(VideoEncoder):
    """Stands for the tower until the model is loaded. `num_frames` are the frames of a group of the rearranger."""

    mixes_time = False

    def __init__(self, *, num_frames: int):
        nn.Module.__init__(self)
        check_whole("encoder.num_frames", num_frames)
        self.num_frames = num_frames

    @property
    def group_length(self) -> int:
        return self.num_frames

    @property
    def description(self) -> dict:
        return {"encoder": type(self).__name__}

    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P E"]:
        raise BadInput("encoder=own has no weights: take a model that brings its tower, for example llava_onevision_7b")
