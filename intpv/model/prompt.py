"""Prompt: the words around video and question, as the checkpoint was trained with."""

from dataclasses import asdict, dataclass

from intpv.errors import BadInput


@dataclass(frozen=True)
class Prompt:
    """Text before the video, text after it, and a template with `{question}` that ends where the answer begins.

    BadInput for a template that would ask every question alike, and for what a shell makes of a newline.
    """

    before_video: str
    after_video: str
    ask: str

    def __post_init__(self) -> None:
        for name, text in asdict(self).items():
            if r"\n" in text:
                meant = f"$'model.prompt.{name}=" + r'"...\n..."' + "'"
                raise BadInput(f"prompt.{name} must hold a newline, got a backslash and n in {text}: in bash {meant}")
        try:
            held = self.question("a") != self.question("b")
        except (LookupError, ValueError, AttributeError):
            held = False
        if not held:
            raise BadInput(
                f"prompt.ask must hold {{question}} and no other braces, got {' '.join(self.ask.split()) or 'nothing'}"
            )

    def question(self, text: str) -> str:
        """The question as the model reads it."""
        return self.ask.format(question=text)


MINI = Prompt("Watch the video:", "", "USER: {question} ASSISTANT:")
