"""Closed forms against the paper's own numbers, and against modules of those sizes that torch counts."""

import itertools
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaForCausalLM

from intpv.cost import closed_form
from intpv.cost.shape import SHAPES, Shape
from intpv.encoder.languagebind import LanguageBind
from intpv.kv_quant.kv_quant import NoQuant

from ..tiny import tiny_llama

VIDEO_LLAVA = SHAPES["video_llava_7b"]
SMALL = Shape(
    layers=3,
    heads=6,
    kv_heads=2,
    head_dim=16,
    hidden=48,
    intermediate=72,
    vocabulary=50,
    tower_layers=3,
    tower_run=2,
    tower_hidden=24,
    tower_intermediate=96,
    image_size=16,
    patch_size=4,
    group=4,
)
# frames -> GB as printed in the paper: KV in FP16, in INT2, total in FP16
TABLE_1 = {8: (1.1, 0.13, 14.0), 32: (4.3, 0.5, 17.2), 64: (8.6, 1.1, 21.5), 128: (17.2, 2.1, 30.1)}
TEMPORAL = 404_187_136 - 303_179_776  # values of the original's video tower beyond those of its image tower
both = pytest.mark.parametrize("shape", [VIDEO_LLAVA, SMALL], ids=["7b", "small"])


def llama(shape: Shape, **options) -> LlamaForCausalLM:
    return tiny_llama(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocabulary,
        tie_word_embeddings=False,
        **options,
    )


def tower_sizes(shape: Shape) -> dict:
    return {
        "hidden_size": shape.tower_hidden,
        "intermediate_size": shape.tower_intermediate,
        "num_hidden_layers": shape.tower_layers,
        "num_attention_heads": shape.tower_hidden // 8,
        "image_size": shape.image_size,
        "patch_size": shape.patch_size,
    }


def languagebind(shape: Shape) -> LanguageBind:
    sizes = {"num_frames": shape.group, "hidden_act": "gelu", "llm_width": shape.hidden}
    encoder = LanguageBind(**tower_sizes(shape), **sizes, select_layer=shape.tower_run)
    return encoder.eval().requires_grad_(False)


def pixels(shape: Shape, groups: int = 1) -> torch.Tensor:
    return torch.zeros(groups, shape.group, shape.channels, shape.image_size, shape.image_size)


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("frames", TABLE_1)
def test_table_1_is_met_within_a_tenth_of_a_gb(frames):
    tokens, blocks = frames * VIDEO_LLAVA.patches, closed_form.FP16 * closed_form.block_matrices(VIDEO_LLAVA)
    full, packed = (closed_form.kv_bytes(VIDEO_LLAVA, tokens, bits) for bits in (16, 2))
    assert [size / 1e9 for size in (full, packed, blocks + full)] == pytest.approx(TABLE_1[frames], abs=0.1)
    assert blocks / 1e9 == pytest.approx(12.9, abs=0.1)
    assert full == 8 * packed
    assert full == 524_288 * tokens


def test_the_cache_left_alone_is_sixteen_bits_an_element():
    sizes = {"layers": SMALL.layers, "kv_heads": SMALL.kv_heads, "head_dim": SMALL.head_dim}
    assert NoQuant().closed_form_bytes(**sizes, length=77, element_size=2) == closed_form.kv_bytes(SMALL, 77, 16)


def decode_ms(frames: int, bits: int, left_out: tuple[str, ...] = (), scores: float = 1.0) -> float:
    tokens = frames * VIDEO_LLAVA.patches
    traffic = closed_form.decode_traffic(VIDEO_LLAVA, tokens, closed_form.kv_bytes(VIDEO_LLAVA, tokens, bits))
    kept = {name: size for name, size in traffic.items() if name not in left_out}
    return round(1e3 * closed_form.decode_seconds({**kept, "scores": scores * kept.get("scores", 0)}), 1)


def test_the_papers_decode_times_follow_from_the_a6000s_bandwidth():
    assert (decode_ms(32, 16), decode_ms(64, 2)) == (22.9, 18.8)


@pytest.mark.parametrize(
    ("left_out", "scores"), [(("head",), 1), (("scores",), 0), (("head", "scores"), 0), ((), 1 / 2)]
)
def test_with_fewer_terms_they_do_not(left_out, scores):
    assert (decode_ms(32, 16, left_out, scores), decode_ms(64, 2, left_out, scores)) != (22.9, 18.8)


@both
def test_the_decoder_has_the_parameters_of_transformers_llama(shape):
    with torch.device("meta"):
        model = llama(shape)
    matrices = [p.numel() for name, p in model.model.layers.named_parameters() if "norm" not in name]
    assert closed_form.llm_parameters(shape) == parameters(model)
    assert closed_form.block_matrices(shape) == sum(matrices)


@both
def test_the_tower_has_the_parameters_of_our_languagebind(shape):
    with torch.device("meta"):
        encoder = languagebind(shape)
    assert closed_form.tower_parameters(shape) == parameters(encoder.tower)
    assert closed_form.projector_parameters(shape) == parameters(encoder.projector)


def test_the_tower_is_a_clip_vision_model_and_the_originals_temporal_part():
    with torch.device("meta"):
        clip = CLIPVisionModel(CLIPVisionConfig(**tower_sizes(VIDEO_LLAVA)))
    assert closed_form.tower_parameters(VIDEO_LLAVA) == clip.num_parameters() + TEMPORAL


@both
def test_encoding_a_group_takes_the_flops_that_torch_counts(shape):
    with torch.device("meta"):
        encoder, frames = languagebind(shape), pixels(shape)
    with FlopCounterMode(display=False) as counted:
        encoder(frames)
    projected = closed_form.projector_flops(shape, shape.group * shape.tokens_per_frame)
    assert closed_form.tower_flops(shape) + projected == counted.get_total_flops()


def test_prefill_takes_the_flops_of_one_token_after_the_other():
    model, tokens, cache = llama(SMALL, attn_implementation="eager"), 9, None
    with FlopCounterMode(display=False) as counted:
        for _ in range(tokens):  # step t sees t keys, and computes nothing that a mask then hides
            step = model.model(input_ids=torch.zeros(1, 1, dtype=torch.long), past_key_values=cache, use_cache=True)
            cache = step.past_key_values
        model.lm_head(step.last_hidden_state)
    assert closed_form.prefill_flops(SMALL, tokens) == counted.get_total_flops()


def test_prefill_at_once_adds_the_half_that_is_masked():
    model, tokens = llama(SMALL, attn_implementation="eager"), 9
    with FlopCounterMode(display=False) as counted:
        model(input_ids=torch.zeros(1, tokens, dtype=torch.long), logits_to_keep=1, use_cache=False)
    hidden = 2 * SMALL.layers * SMALL.heads * SMALL.head_dim * tokens * (tokens - 1)
    assert closed_form.prefill_flops(SMALL, tokens) + hidden == counted.get_total_flops()


class LiveBytes(TorchDispatchMode):
    """Bytes of the storages that operators made and that are still alive; `peak` is the most there ever were."""

    def __init__(self):
        super().__init__()
        self.sizes, self.peak = {}, 0
        self.names = itertools.count()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)}
        out = function(*args, **(kwargs or {}))
        for tensor in (leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)):
            storage = tensor.untyped_storage()
            if storage.nbytes() and storage.data_ptr() not in given:  # a view lives in storage counted before
                name = next(self.names)
                self.sizes[name] = storage.nbytes()
                weakref.finalize(storage, self.sizes.pop, name)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return out


@pytest.mark.parametrize("groups", [1, 3])
def test_the_towers_activations_peak_where_they_are_said_to(groups):
    encoder, frames = languagebind(SMALL), pixels(SMALL, groups)
    with torch.no_grad(), LiveBytes() as live:
        encoder.tower(frames, encoder.depth)
    measured = live.peak * closed_form.FP16 // frames.element_size()
    assert measured == groups * closed_form.tower_activation_bytes(SMALL)
