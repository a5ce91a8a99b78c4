"""The mini model's words: everything flipbook asks and answers, a prompt, and filler to vary lengths."""

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from .question import OPTIONS

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
PUNCTUATION = (":", "?", ".", ",")
PROMPT = ("watch", "the", "video", "user", "assistant")
ASKING = """which color flashed first last how many flashes were there did flash way square move get or in eighth
corners change light changed and a is was it of"""
SCENERY = (
    """dim grey dust wall floor quiet still noon stone paper wood rain river cloud leaf chair table road field hill"""
)
FILLER = tuple(SCENERY.split())
PACE = ("creeping", "dashing")  # of a square that exists in words alone


def words() -> list[str]:
    """All words, each once, in a fixed order: a word's place is its token id."""
    options = [option for answers in OPTIONS.values() for option in answers]
    return list(dict.fromkeys([*SPECIAL, *PUNCTUATION, *PROMPT, *ASKING.split(), *options, *FILLER, *PACE]))


def tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer, lower case, <s> in front."""
    table = {word: index for index, word in enumerate(words())}
    core = Tokenizer(models.WordLevel(table, unk_token="<unk>"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", table["<s>"])])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
