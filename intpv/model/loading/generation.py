"""Generation: where a model's answers stop, and what else its checkpoint asks of `generate` that asking does not do."""

from pathlib import Path
from typing import Any

from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from intpv.errors import BadInput
from intpv.model.loading.config_json import json_object

FILE = "generation_config.json"
# what leaves the next token as it is: ids, stops, what every run sets for itself (length), speed, and what is returned
WITHOUT_EFFECT = {
    *("eos_token_id", "bos_token_id", "pad_token_id", "decoder_start_token_id", "max_length", "max_new_tokens"),
    *("use_cache", "cache_implementation", "cache_config", "max_cache_len", "prefill_chunk_size", "low_memory"),
    *("compile_config", "disable_compile", "continuous_batching_config", "return_dict_in_generate"),
    *("output_attentions", "output_hidden_states", "output_scores", "output_logits", "num_return_sequences"),
    *("is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold"),
    *("assistant_early_exit", "assistant_lookbehind", "target_lookbehind", "prompt_lookup_num_tokens"),
    *("max_matching_ngram_size", "use_mtp", "speculation_type", "renormalize_logits", "remove_invalid_values"),
    *("transformers_version", "_from_model_config"),
}
SAMPLING = {"temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"}
BEAMS = {"length_penalty", "early_stopping", "num_beam_groups", "diversity_penalty"}
# values that ask for nothing, beside null, false, 0 and what is empty
NEUTRAL = {"repetition_penalty": 1, "encoder_repetition_penalty": 1, "num_beams": 1, "guidance_scale": 1}
LONGEST = 40  # characters of a value in a message; lists of tokens can have hundreds


def generation_of(folder: Path) -> GenerationConfig:
    """The folder's settings: generation_config.json or, without one, what config.json says, as transformers does.

    BadInput for a file that is damaged, where transformers would go on without it.
    """
    own = (folder / FILE).exists()
    name = FILE if own else "config.json"
    json_object(folder / name)
    origin: dict[str, Any] = {} if own else {"_from_model_config": True}
    try:
        found = GenerationConfig.from_pretrained(folder, config_file_name=name, local_files_only=True, **origin)
    except Exception as error:  # transformers' own checks raise several types
        raise BadInput(f"{folder / name}: {' '.join(str(error).split())[:160]}") from None
    if wrong := [one for one in _ids(found.eos_token_id) if not isinstance(one, int)]:
        raise BadInput(f"{folder / name}: eos_token_id must be one or several whole numbers, got {wrong[0]}")
    return found


def stop_tokens(llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids any of which ends an answer: the tokenizer's, and all that the model's configs state."""
    return frozenset(_ids(tokenizer.eos_token_id)) | stated_stops(llm)


def stated_stops(llm: PreTrainedModel) -> frozenset[int]:
    """Of config, text config and generation config."""
    configs = (llm.config, llm.config.get_text_config(), llm.generation_config)
    return frozenset(one for config in configs for one in _ids(getattr(config, "eos_token_id", None)))


def not_followed(llm: PreTrainedModel) -> dict[str, Any]:
    """What the checkpoint asks for besides: answers are greedy all the same, so that they can be compared."""
    asked = {
        name: value
        for name, value in llm.generation_config.to_dict().items()
        if name not in WITHOUT_EFFECT and value not in (None, False, 0, [], {}) and value != NEUTRAL.get(name)
    }
    idle = (set() if "do_sample" in asked else SAMPLING) | (set() if "num_beams" in asked else BEAMS)
    return {name: value for name, value in asked.items() if name not in idle}


def in_words(settings: dict[str, Any]) -> str:
    """One line, long values cut."""
    texts = ((name, str(value)) for name, value in sorted(settings.items()))
    return ", ".join(f"{name}={text if len(text) <= LONGEST else text[:LONGEST] + '...'}" for name, text in texts)


def _ids(value: Any) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]
