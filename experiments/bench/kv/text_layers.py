"""The keys, values and query rows of a real language model that reads text: SmolLM2 and Python's documentation."""

from collections.abc import Iterator

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.streaming import Asked
from intpv.attention_kl.subject import Subject
from intpv.flipbook.adapter import stretches
from intpv.hf.cache import handed, layers_of
from intpv.kv_quant.kv_quant import NoQuant

from ..text import TextReader
from .prefix import Specimen


def text_read(
    llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tokens: int, rows: int, count: int
) -> Iterator[Specimen]:
    """`count` stretches of text, of each the first `tokens` as the prefix and the `rows` tokens behind it as queries,
    which see each other as text does."""
    decoder, reader = llm.get_decoder(), TextReader(llm)
    for ids in stretches(tokenizer, held_out=None, length=tokens + rows)[:count]:
        rotation, cache = reader.rotation("none", 1.0, tokens), DynamicCache()
        decoder(input_ids=ids[None, :tokens], position_ids=torch.arange(tokens)[None], **handed(decoder, cache))
        layers, layout = layers_of(cache), rotation.layout
        asked: dict[int, Asked] = {}
        dense = NoQuant().pack(layers, layout, rotation.unrotation)
        subject = Subject(decoder, dense, KeyGroups.of(layout, sinks=0), tokens)
        subject.read([ids[tokens:]], asked.__setitem__)
        yield Specimen(layers, layout, rotation.unrotation, tuple(asked.values()))
