"""The tokenizer of a checkpoint as it lies on the hub, tokenizer.model alone: sentencepiece itself is the judge."""

import json

import pytest
from transformers import LlamaConfig

from intpv.model.loading.config_json import llama_words

from ..llama_words import TEXT
from ..original import PROMPT


def test_a_tokenizer_model_is_cut_as_sentencepiece_does(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece", reason="an optional package, for tokenizer.model files")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([TEXT] * 20),
        model_prefix=str(tmp_path / "tokenizer"),
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        remove_extra_whitespaces=False,  # as Llama's
        normalization_rule_name="identity",
        minloglevel=2,
    )
    stated = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(stated))
    judge = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    config = LlamaConfig(vocab_size=400, bos_token_id=judge.bos_id(), eos_token_id=judge.eos_id())
    words = llama_words(tmp_path, config, PROMPT)
    assert words(PROMPT.before_video).input_ids == [judge.bos_id(), *judge.encode(PROMPT.before_video)]
    for text in (PROMPT.question("What is on the table?"), "red", "Über 7 Prozent"):
        assert words(text, add_special_tokens=False).input_ids == judge.encode(text)
