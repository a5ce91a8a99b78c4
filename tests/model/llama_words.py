"""A small tokenizer of Llama's type, trained here: BPE with byte fallback, a space before the first word."""

import functools
import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaTokenizer

SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{value:02X}>" for value in range(256)]
TEXT = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the human's questions. USER: What is on the table? ASSISTANT: Which color flashed first? "
    "Did red flash before blue? yes no red green blue yellow left right up down once twice three times"
)


@functools.cache
def _trained(fallback: bool) -> tuple[dict[str, int], list[tuple[str, str]]]:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    special = SPECIAL + BYTES * fallback
    trainer = trainers.BpeTrainer(vocab_size=len(special) + 120, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([TEXT, TEXT], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def llama_tokenizer(*added: str, fallback: bool = True, **options) -> LlamaTokenizer:
    """`added` are special tokens after the trained ones; without `fallback` a newline is unknown."""
    vocabulary, merges = _trained(fallback)
    tokenizer = LlamaTokenizer(vocab=vocabulary, merges=merges, **options)
    tokenizer.add_tokens(list(added), special_tokens=True)
    return tokenizer


def write_words(folder: Path, *added: str, **options) -> int:
    """Write the tokenizer's files; the number of its tokens."""
    tokenizer = llama_tokenizer(*added, **options)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)
