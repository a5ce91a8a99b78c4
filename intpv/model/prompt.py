"""Prompt: the words around video and question, as the checkpoint was trained with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """Text before the video, text after it, and a template with `{question}` that ends where the answer begins."""

    before_video: str
    after_video: str
    ask: str

    def question(self, text: str) -> str:
        """The question as the model reads it."""
        return self.ask.format(question=text)


MINI = Prompt("Watch the video:", "", "USER: {question} ASSISTANT:")
