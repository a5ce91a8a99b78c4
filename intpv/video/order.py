"""Order: in which order the sampled frames are shown, to ask what a model knows of time.

The model is told the times of an ordered video and shown its frames in another order: positions and timestamps stay as
they are, pictures change places.
"""

from collections.abc import Callable
from hashlib import blake2b


def ordered(num_frames: int, seed: int, video_id: str) -> list[int]:
    return list(range(num_frames))


def backwards(num_frames: int, seed: int, video_id: str) -> list[int]:
    return list(range(num_frames))[::-1]


def shuffled(num_frames: int, seed: int, video_id: str) -> list[int]:
    """Another permutation for each seed and video, the same on every machine and in every cell with as many frames."""

    # sorted by hash, not drawn: no generator's version or state can change it
    def draw(frame: int) -> bytes:
        return blake2b(f"order/{seed}/{frame}/{video_id}".encode()).digest()

    return sorted(range(num_frames), key=draw)


ORDERS: dict[str, Callable[[int, int, str], list[int]]] = {
    "ordered": ordered,
    "shuffled": shuffled,
    "reversed": backwards,
}
