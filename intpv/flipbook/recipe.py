"""Recipe: sizes, lengths and rates that shape a mini model; the weights that are shipped state theirs."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .lesson import FRAMES

PROMPT_ROOM = 24  # tokens of W that a text lesson leaves to prompt and question
QUESTIONS_ROOM = 96  # tokens beyond W that a row leaves to the other questions, which share their positions


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the training; lengths in tokens, one step is one batch."""

    window: int = 160  # W, text positions: twice the visual length, as Vicuna's 4096 to 2056
    least_step: float = 1.0  # between positions of a text lesson, drawn from here to 1
    steps: int = 4800
    tower_steps: int = 1300  # first, the encoder alone learns to caption frames
    text_steps: int = 1500  # then the decoder alone learns the questions on text
    short_steps: int = 1200  # the first of these, on lines of no more than
    short: int = 64  # tokens: words are matched and compared sooner where there are few
    replay: int = 5  # afterwards every replay-th step is text
    batch: int = 32  # lessons
    tower_rate: float = 2e-3  # peak learning rate while the tower is alone
    learning_rate: float = 1e-3  # peak of decoder and both; at 2e-3 it learns no matching of words in time
    warmup: int = 200  # steps
    caption_weight: float = 0.3  # of the read-out's loss beside the answers'
    filler: int = 40  # W / 4 words around the video at most
    seed: int = 0


RECIPES = {
    "mini": Recipe(),
    "mini_long": Recipe(window=640, least_step=0.5),  # W = 8 V: 64 frames leave the visual length alone
}


@dataclass(frozen=True)
class AdapterRecipe:
    """Everything that shapes the training of an adapter for a language model that was trained before."""

    steps: int = 1300
    align_steps: int = 600  # first, the projector alone learns captions and the language model's own words
    align_batch: int = 32  # lessons
    batch: int = 8  # lessons, afterwards
    rank: int = 16
    alpha: int = 16  # LoRA adds alpha / rank of what it computes
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj")
    learning_rate: float = 1e-3  # peak
    warmup: int = 30  # steps
    beside_weight: float = 0.3  # of captions and words beside the answers
    text_every: int = 4  # steps from one stretch of plain text to the next
    text_weight: float = 0.4
    text_length: int = 128  # tokens of a stretch
    filler: int = 20  # words around the video at most
    seed: int = 0  # and that of the mini whose tower it takes


@dataclass(frozen=True)
class KVRecipe:
    """Everything that shapes the training of an adapter for a quantised KV cache."""

    kv_quant: str = "int2"  # an option of conf/kv_quant; none is the control: as much training, nothing quantised
    target: str = "answers"  # answers | self: what the model said before the training, beside a cache in full precision
    steps: int = 200
    batch: int = 8  # lessons
    rank: int = 8
    alpha: int = 8
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    learning_rate: float = 5e-4  # peak
    warmup: int = 30  # steps
    seed: int = 0  # and that of the mini that is trained


def plain_recipe(recipe: Recipe | AdapterRecipe | KVRecipe) -> dict[str, Any]:
    """A recipe as JSON and checkpoints have it: lists for tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(recipe).items()}


@dataclass(frozen=True)
class Geometry:
    """Vicuna's proportions in small: P = 10, N = 8, W = 2 N P, 70 % of the channels turn inside it."""

    llm: dict = field(
        default_factory=lambda: {
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": Recipe.window,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100.0},
            "tie_word_embeddings": False,  # as Vicuna's: tied ones of words that are as likely collapse onto each other
        }
    )
    encoder: dict = field(
        default_factory=lambda: {
            "llm_width": 128,
            "select_layer": -1,
            "hidden_size": 96,
            "intermediate_size": 384,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "image_size": 48,
            "patch_size": 16,
            "num_frames": FRAMES,
            "hidden_act": "gelu",
        }
    )

    @classmethod
    def of(cls, window: int) -> "Geometry":
        """The same with other text positions: its base of RoPE too, so that the window alone differs."""
        return replace(cls(), llm={**cls().llm, "max_position_embeddings": window})
