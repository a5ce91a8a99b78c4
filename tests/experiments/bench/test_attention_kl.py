"""What attention KL costs: the bench's own code on a small layer, bytes in bfloat16 whatever the times are in."""

import torch

from experiments.bench.attention_kl import TEXT, Layer, at_4k, at_8k

from ...tiny import tiny_llama


def test_a_small_layer_goes_all_the_way():
    decoder = tiny_llama(vocab_size=200, hidden_size=64, num_hidden_layers=1, max_position_embeddings=512).model
    layer = Layer(decoder, 256 + TEXT)
    with torch.inference_mode():
        long, short = at_8k(layer, 2), at_4k(layer)
    assert long["tokens"] == short["tokens"] == 288
    assert 0 < long["share_of_prefill"]["min"] <= long["share_of_prefill"]["max"]
    assert long["bytes_beyond_caches"] == short["bytes_beyond_caches"] > 0
    # a map is rows x keys in bfloat16 for each head, and its softmax is float32 on the way
    assert short["bytes_of_maps"] >= 2 * 288 * 288 * 2
    assert decoder.dtype == torch.float32
