"""Clips: a benchmark's videos in turn; while one is watched, the next one's frames are already being decoded."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from torch.utils.data import IterableDataset

from intpv.data.item import VideoItem
from intpv.video.error import VideoError
from intpv.viewing import Frames, Viewer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A video ready to be watched; without frames where they are not needed, with an error where there are none."""

    item: VideoItem
    frames: Frames | None = None
    error: str | None = None


class Clips(IterableDataset):
    """`needs` tells of a video whether its frames have to be had at all: nothing is decoded that a cache makes idle."""

    def __init__(self, items: Sequence[VideoItem], viewer: Viewer, needs: Callable[[VideoItem], bool]):
        self.items, self.viewer, self.needs = items, viewer, needs

    def __iter__(self) -> Iterator[Loaded]:
        # one thread is enough: decoding itself runs in the reader's child process
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as ahead:
            pending = ahead.submit(self._load, self.items[0]) if self.items else None
            for following in [*self.items[1:], None]:
                loaded = pending.result()
                pending = ahead.submit(self._load, following) if following else None
                yield loaded

    def _load(self, item: VideoItem) -> Loaded:
        try:
            return Loaded(item, self.viewer.frames(item.path) if self.needs(item) else None)
        except VideoError as error:
            return Loaded(item, error=str(error))
