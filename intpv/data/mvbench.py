"""MVBench (OpenGVLab/MVBench): json/<task>.json, and videos in the folders of video/ that their authors give.

Of five tasks a part of the video is shown, from start to end. episodic_reasoning is published as folders of frames, 3 a
second; here it is read as <folder>.mp4: ffmpeg -framerate 3 -i FOLDER/%05d.jpg FOLDER.mp4
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

from intpv.video.sampling import Clip, is_clip

from .annotation import Row, json_rows
from .kinds import chosen_tasks
from .published import Ask, MultipleChoice


class TaskVideos(NamedTuple):
    """Where a task's videos lie below data.videos, and whether a part of them is shown."""

    folder: str
    is_cut: bool = False


TASKS = {
    "action_sequence": TaskVideos("star/Charades_v1_480", is_cut=True),
    "action_prediction": TaskVideos("star/Charades_v1_480", is_cut=True),
    "action_antonym": TaskVideos("ssv2_video"),
    "fine_grained_action": TaskVideos("Moments_in_Time_Raw/videos"),
    "unexpected_action": TaskVideos("FunQA_test/test"),
    "object_existence": TaskVideos("clevrer/video_validation"),
    "object_interaction": TaskVideos("star/Charades_v1_480", is_cut=True),
    "object_shuffle": TaskVideos("perception/videos"),
    "moving_direction": TaskVideos("clevrer/video_validation"),
    "action_localization": TaskVideos("sta/sta_video", is_cut=True),
    "scene_transition": TaskVideos("scene_qa/video"),
    "action_count": TaskVideos("perception/videos"),
    "moving_count": TaskVideos("clevrer/video_validation"),
    "moving_attribute": TaskVideos("clevrer/video_validation"),
    "state_change": TaskVideos("perception/videos"),
    "fine_grained_pose": TaskVideos("nturgbd"),
    "character_order": TaskVideos("perception/videos"),
    "egocentric_navigation": TaskVideos("vlnqa"),
    "episodic_reasoning": TaskVideos("tvqa/frames_fps3_hq", is_cut=True),
    "counterfactual_inference": TaskVideos("clevrer/video_validation"),
}
FRAMES = "episodic_reasoning"  # published as folders of frames
PER_TASK = 200  # questions


@dataclass(frozen=True)
class MvBench(MultipleChoice):
    """Kinds are the tasks; only the files of those asked for are read. The published score is the mean over tasks."""

    name = "mvbench"
    title = "MVBench"
    counts: ClassVar[Mapping[str, int]] = {"test": PER_TASK * len(TASKS)}
    endings = ("",)  # names come with theirs

    videos: str = "video"

    @property
    def file(self) -> Path:
        return self.folder / "json"

    @property
    def expected(self) -> int:
        return PER_TASK * len(chosen_tasks(TASKS, self.kinds))

    def asked(self) -> Iterator[Ask]:
        for kind in chosen_tasks(TASKS, self.kinds):
            task = TASKS[kind]
            for index, row in enumerate(json_rows(self.file / f"{kind}.json")):
                video = f"{row.text('video')}.mp4" if kind == FRAMES else row.text("video")
                answer = str(row.value("answer")).strip()
                question = self.choice(f"{kind}/{index}", kind, row.text("question"), row.texts("candidates"), answer)
                yield Ask(str(PurePosixPath(task.folder, video)), question, _clip(row) if task.is_cut else None)


def _clip(row: Row) -> Clip:
    clip = (row.value("start"), row.value("end"))
    if not is_clip(clip):
        raise row.fault("start and end", "seconds of which the second come after the first", list(clip))
    return clip
