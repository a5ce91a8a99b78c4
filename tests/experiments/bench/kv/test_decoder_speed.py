"""The whole decoder, by the code that a GPU runs, at a size for a CPU."""

import torch

from experiments.bench.kv.allowance import Allowances
from experiments.bench.kv.decoder_speed import decoder_speed, random_decoder
from experiments.bench.kv.intpv_methods import Ours
from experiments.bench.kv.layer_speed import Shape
from experiments.bench.kv.methods import FULL, ours

from ....tiny import tiny_llama

CPU = torch.device("cpu")
TINY = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}


def test_the_decoder_is_measured_by_the_same_code_on_a_cpu():
    decoder = random_decoder(TINY, torch.float32, CPU)
    allowances = Allowances()
    with torch.inference_mode():
        found = decoder_speed(decoder, 2, 129, {**FULL, "int4": ours()["int4"]}, ("eager",), 1, allowances)
    assert set(found["methods"]) == {"dynamic", "preallocated", "int4 eager"}, allowances.skipped
    for row in found["methods"].values():
        assert set(row["times"]) == {"attention", "step"}
        assert row["limit_ms"]["step"] > row["limit_ms"]["attention"]


def test_decode_steps_of_all_caches_agree_through_a_decoder():
    decoder = tiny_llama(**TINY).model
    specimen = Shape(2, 32, 2).specimen(2, 32)
    ids, position = torch.tensor([[7]]), torch.tensor([[64]])
    outs = []
    with torch.inference_mode():
        for method in (*FULL.values(), Ours("int8", (("bits", 16),))):
            held = method.hold(specimen, 2)
            with held.around(decoder):
                for step in range(2):
                    out = decoder(input_ids=ids, position_ids=position + step, past_key_values=held.past)
            outs.append(out.last_hidden_state)
    for out in outs[1:]:
        torch.testing.assert_close(out, outs[0], rtol=1e-4, atol=1e-4)
