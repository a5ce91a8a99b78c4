"""What a model with flipbook's lessons answers about flipbook's clips."""

from intpv.data.flipbook import Flipbook
from intpv.metrics.skill import skill
from intpv.video.reader import VideoReader
from intpv.video_llm.video_llm import VideoLLM


def skills(llm: VideoLLM, clips: Flipbook, frames: int) -> dict[str, float]:
    lines = []
    for item in clips.items():
        video = VideoReader().read(item.path, frames)
        answers = llm.ask(llm.watch(video.frames, video.timestamps), [question.text for question in item.questions])
        for question, answer, bound in zip(item.questions, answers, clips.bounds(item, video.indices), strict=True):
            lines.append({**bound, "kind": question.kind, "error": None, "correct": answer.text == question.answer})
    return skill(lines)
