"""Write: each video's answers and measures are on disk before the next one is watched."""

from lightning import Callback

from intpv.attention_kl.stored import StoredSums
from intpv.clips import Loaded
from intpv.inference import Watched
from intpv.record.mirror import Mirror
from intpv.record.run_folder import RunFolder
from intpv.record.videos import VideoFigures
from intpv.video.strip import strip
from intpv.viewing import Viewer


class Write(Callback):
    """The answers last: a video counts as answered when all else of it is there."""

    def __init__(self, run: RunFolder, progress, logger: Mirror, viewer: Viewer):
        self.run, self.progress, self.logger, self.viewer = run, progress, logger, viewer
        self.figures, self.sums = VideoFigures(run.path), StoredSums(run.path)
        self.shown = 0

    def on_predict_batch_end(self, trainer, module, outputs: Watched, batch: Loaded, batch_idx, dataloader_idx=0):
        if outputs.figures:
            self.figures.append(batch.item.id, outputs.figures)
        if outputs.measured:
            self.sums.put(batch.item.id, outputs.measured)
        self.run.append(outputs.records)
        self.progress.video_done(len(outputs.records), outputs.fetched)
        if self.shown < self.logger.strips:
            self.shown += 1
            frames = None if batch.error else batch.frames or self.viewer.frames(batch.item.path)
            self.logger.video(outputs.records, None if frames is None else strip(frames.pixels).numpy())
