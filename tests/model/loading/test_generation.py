"""An answer ends where the model's own generate ends it, and what else a checkpoint asks of generate is said."""

import json

import pytest
import torch
from transformers import GenerationConfig, LlavaForConditionalGeneration
from transformers.generation.logits_process import LogitsProcessorList

from intpv.errors import BadInput
from intpv.model.loading.generation import in_words, not_followed, stop_tokens
from intpv.video_llm.video_llm import VideoLLM

from ..original import Original
from ..original import read as read_original
from ..test_families import build
from ..test_hf_llava import read, write

QUESTION, STEPS = "Which color flashed first?", 8
FRAMES = torch.randint(0, 256, (8, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def restate(folder, name: str, **changes) -> None:
    stated = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(stated | changes))


def generated(folder, model) -> list[int]:
    """By transformers alone: its own loader and its own generate, on the same prompt."""
    judge = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    row = model.tokenizer("USER: " + "<image>" * 128 + f"\n{QUESTION} ASSISTANT:").input_ids
    given = {"input_ids": torch.tensor([row]), "pixel_values": model.preprocess.normalise(FRAMES)}
    out = judge.generate(**given, attention_mask=torch.ones(1, len(row)), max_new_tokens=STEPS)
    return out[0, len(row) :].tolist()


def said(model) -> list[int]:
    llm: VideoLLM = build(model)
    llm = VideoLLM(llm.model, llm.rearranger, llm.rope_strategy, llm.kv_quant, max_new_tokens=STEPS)
    return list(llm.ask(llm.watch(FRAMES, torch.arange(8.0)), [QUESTION])[0].tokens)


@pytest.mark.parametrize("place", ["generation config", "config"])
@torch.inference_mode()
def test_an_answer_ends_at_any_stop_token_as_generate_does(tmp_path, place):
    write(tmp_path)
    model = read(tmp_path)
    whole, eos = generated(tmp_path, model), model.tokenizer.eos_token_id
    assert said(model) == whole  # nothing stops it
    second = whole[3]
    if place == "config":
        (tmp_path / "generation_config.json").unlink()
        restate(tmp_path, "config.json", eos_token_id=[eos, second])
    else:
        restate(tmp_path, "generation_config.json", eos_token_id=[eos, second])
    model = read(tmp_path)
    expected = generated(tmp_path, model)
    assert expected == whole[: whole.index(second) + 1]
    assert [*said(model), second] == expected
    assert stop_tokens(model.llm, model.tokenizer) == {eos, second}


@torch.inference_mode()
def test_the_tokenizer_s_own_end_ends_it_too(tmp_path):
    write(tmp_path)
    model = read(tmp_path)
    whole = said(model)
    model.tokenizer.eos_token = model.tokenizer.convert_ids_to_tokens(whole[2])
    assert said(model) == whole[: whole.index(whole[2])]


@pytest.mark.parametrize("own_file", [True, False])
def test_a_llama_that_is_put_together_here_stops_where_its_folder_says(tmp_path, own_file):
    original = Original()
    if not own_file:  # transformers then takes what config.json says
        original.config |= {"repetition_penalty": 1.2}
    folder = original.write(tmp_path)
    if own_file:
        stated = {"eos_token_id": [2, 7], "repetition_penalty": 1.2}
        (folder / "generation_config.json").write_text(json.dumps(stated))
    model = read_original(folder)
    assert stop_tokens(model.llm, model.tokenizer) == ({2, 7} if own_file else {2})
    assert not_followed(model.llm) == {"repetition_penalty": 1.2}


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        ("{", r"generation_config\.json is no JSON"),
        ('{"eos_token_id": "</s>"}', r"eos_token_id must be one or several whole numbers, got </s>"),
        ('{"eos_token_id": [2, "7"]}', r"eos_token_id must be one or several whole numbers, got 7"),
    ],
)
def test_a_damaged_file_is_refused_where_transformers_goes_on_without(tmp_path, spoil, line):
    write(tmp_path)
    (tmp_path / "generation_config.json").write_text(spoil)
    with pytest.raises(BadInput, match=line):
        read(tmp_path)


ASKED = [
    {"repetition_penalty": 1.05},
    {"no_repeat_ngram_size": 2},
    {"suppress_tokens": [5, 6]},
    {"begin_suppress_tokens": [5]},
    {"forced_bos_token_id": 3},
    {"forced_eos_token_id": 3},
    {"bad_words_ids": [[4]]},
    {"min_new_tokens": 3},
    {"exponential_decay_length_penalty": [2, 1.5]},
    {"guidance_scale": 2.0},
    {"sequence_bias": [[[4], 2.0]]},
]
IDLE = [
    {},
    {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0, "guidance_scale": 1},
    {"temperature": 0.2, "top_p": 0.5, "top_k": 3},  # without do_sample
    {"suppress_tokens": None, "min_length": 0, "num_beams": 1, "length_penalty": 2.0, "max_length": 4096},
]


def processors(llm, settings: dict) -> LogitsProcessorList:
    """What transformers would let change the scores of greedy decoding."""
    prepared, _ = llm._prepare_generation_config(GenerationConfig(**settings))
    llm._prepare_special_tokens(prepared, device="cpu")
    return llm._get_logits_processor(prepared, input_ids_seq_length=4, device="cpu", model_kwargs={})


@pytest.mark.parametrize("settings", ASKED + IDLE)
@pytest.mark.filterwarnings("ignore")
def test_what_is_said_is_what_makes_generate_change_scores(tmp_path, settings):
    llm = write(tmp_path)
    llm.generation_config = GenerationConfig(eos_token_id=2, **settings)
    assert bool(processors(llm, {})) == bool(not_followed(llm)) == (settings in ASKED)
    assert set(not_followed(llm)) <= set(settings)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"do_sample": True, "temperature": 0.2, "top_k": None}, "do_sample=True, temperature=0.2"),
        ({"num_beams": 3, "length_penalty": 2.0}, "length_penalty=2.0, num_beams=3"),
        ({"stop_strings": ["\n"]}, r"stop_strings=['\n']"),
        ({"suppress_tokens": list(range(100))}, "suppress_tokens=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1..."),
        ({"a_key_of_tomorrow": 4}, "a_key_of_tomorrow=4"),
    ],
)
def test_other_ways_of_decoding_are_said_too(tmp_path, settings, line):
    llm = write(tmp_path)
    llm.generation_config = GenerationConfig(eos_token_id=2, **settings)
    assert in_words(not_followed(llm)) == line
