"""Words: the Llama tokenizer of a checkpoint folder, refused when it does not fit the weights and the prompt."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from transformers import LlamaTokenizer, PreTrainedTokenizerBase

from intpv.errors import BadInput
from intpv.model.prompt import Prompt


def llama_words(
    folder: Path, config, prompt: Prompt, special: Mapping[str, int] | None = None
) -> PreTrainedTokenizerBase:
    """The folder's tokenizer; `config` is the LlamaConfig, `special` are further tokens and the ids they must have.

    The prompt's pieces are cut into tokens one by one, with BOS before the first alone: as the original does.
    """
    files = [folder / name for name in ("tokenizer.json", "tokenizer.model") if (folder / name).is_file()]
    if not files:
        raise BadInput(f"{folder / 'tokenizer.model'} is missing, and so is tokenizer.json")
    if files[0].name == "tokenizer.model" and not (find_spec("sentencepiece") and find_spec("google.protobuf")):
        # transformers would read it as something else
        raise BadInput(f"{files[0]} can only be read with two more packages: pip install sentencepiece protobuf")
    try:
        # a Llama tokenizer that does not say so puts BOS first, as the class of the original did
        words = LlamaTokenizer.from_pretrained(folder, local_files_only=True, add_bos_token=True)
    except Exception as error:  # the tokenizers package raises plain Exception for a damaged file
        raise BadInput(f"{files[0]} cannot be read: {str(error).strip().splitlines()[0][:120]}") from None
    _check(words, files[0], config, prompt, special or {})
    return words


def _check(words: PreTrainedTokenizerBase, file: Path, config, prompt: Prompt, special: Mapping[str, int]) -> None:
    vocabulary = words.get_vocab()
    if (largest := max(vocabulary.values())) >= config.vocab_size:
        raise BadInput(f"{file} has token ids up to {largest}, the model's vocab_size is {config.vocab_size}")
    for name in ("bos_token_id", "eos_token_id"):
        if getattr(words, name) != getattr(config, name):
            raise BadInput(f"{file}: {name} is {getattr(words, name)}, config.json states {getattr(config, name)}")
    for token, expected in special.items():
        if vocabulary.get(token) != expected:
            raise BadInput(f"{file}: {token} has id {vocabulary.get(token)}, config.json states {expected}")
    first, rest = words(prompt.before_video).input_ids, words(prompt.ask, add_special_tokens=False).input_ids
    if first[:1] != [words.bos_token_id] or words.bos_token_id in [*first[1:], *rest]:
        raise BadInput(f"{file} must put {words.bos_token} before a text once, got ids {first[:3]} and {rest[:3]}")
    for text, ids in ((prompt.before_video, first[1:]), (prompt.ask, rest)):
        # what it has no token for is unknown or, without a sign of it, left out
        if (back := words.decode(ids)).strip(" ") != text.strip(" "):
            raise BadInput(f"{file} has no tokens for all of the prompt: {text!r} comes back as {back!r}")
