"""Cost: parameters, bytes and FLOPs of a Video-LLM in closed form. Pure arithmetic on whole numbers, no torch.

Weights, activations and an unquantised cache are FP16. A multiplication with its addition is 2 FLOPs, as in
torch.utils.flop_counter; only matrix products count. Batch 1.
"""

from collections.abc import Mapping

from intpv.cost.shape import Shape

FP16 = 2  # bytes per element
BANDWIDTH = 768e9  # bytes/s, NVIDIA RTX A6000: what the paper's two decode times imply, see decode_traffic
SCORE_PASSES = 4  # over a step's attention scores: q.k writes them, softmax reads and writes, times v reads


def block_matrices(shape: Shape) -> int:
    """Elements of the decoder blocks' matrices: what the paper's Table 1 calls weights (12.95 GB in FP16)."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return shape.layers * shape.hidden * (2 * queries + 2 * keys + 3 * shape.intermediate)


def llm_parameters(shape: Shape) -> int:
    """The whole decoder: the blocks' matrices, embedding, head, two norms per block and a last one."""
    return block_matrices(shape) + (2 * shape.vocabulary + 2 * shape.layers + 1) * shape.hidden


def tower_parameters(shape: Shape) -> int:
    """The tower: a CLIP vision model with, per block, time slots (N, E), an attention along time and its norm."""
    width, inside = shape.tower_hidden, shape.tower_intermediate
    attention, norm = 4 * (width + 1) * width, 2 * width
    mlp = 2 * width * inside + inside + width
    block = (attention + norm) + (attention + norm + shape.group * width) + (mlp + norm)
    embeddings = width * (1 + shape.channels * shape.patch_size**2 + shape.tokens_per_frame)
    return embeddings + 2 * norm + shape.tower_layers * block


def projector_parameters(shape: Shape) -> int:
    """Linear E -> D, GELU, linear D -> D."""
    return (shape.tower_hidden + 1 + shape.hidden + 1) * shape.hidden


def kv_bytes(shape: Shape, tokens: int, bits: int) -> int:
    """2 * L * H_kv * d * S elements of `bits` each, as in Table 1: no scales, no zeros, no token exempt."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * tokens * bits // 8


def decode_traffic(shape: Shape, tokens: int, kv: int) -> dict[str, int]:
    """Bytes that one decode step moves against a cache of `tokens` tokens and `kv` bytes, by what they are.

    Two terms are not in Table 1's weights + KV: the head's matrix, and the H * S scores of each block, which an unfused
    attention moves SCORE_PASSES times in FP16. With both, 768 GB/s gives both times known of the paper, 22.9 ms (32
    frames, FP16) and 18.8 ms (64, INT2). Fewer terms need 755 GB/s (no head) or 765 (two passes), which no card of the
    time has; weights + KV, with the head or without, have no bandwidth that gives both.
    It is how LLM-Viewer (arXiv 2402.16363) counts. Vectors (norms, one row of activations) are left out: 0.01 ms.
    """
    return {
        "blocks": FP16 * block_matrices(shape),
        "head": FP16 * shape.vocabulary * shape.hidden,
        "kv": kv,
        "scores": SCORE_PASSES * FP16 * shape.layers * shape.heads * tokens,
    }


def decode_seconds(traffic: Mapping[str, int], bandwidth: float = BANDWIDTH) -> float:
    """A roofline figure, not a measurement: the step's bytes / bandwidth (bytes/s), its arithmetic being hidden."""
    return sum(traffic.values()) / bandwidth


def tower_flops(shape: Shape) -> int:
    """One pass over a group of N frames: patches, then per block attention along time, inside frames, and the MLP."""
    width, tokens = shape.tower_hidden, shape.group * shape.tokens_per_frame
    patches = 2 * shape.group * shape.patches * shape.channels * shape.patch_size**2 * width
    projections = 2 * 4 * tokens * width**2  # q, k, v, out
    scores = 4 * tokens * width  # times the number of keys: N along time, P inside a frame
    mlp = 4 * tokens * width * shape.tower_intermediate
    return patches + shape.tower_run * (2 * projections + scores * (shape.group + shape.tokens_per_frame) + mlp)


def tower_activation_bytes(shape: Shape) -> int:
    """Peak of a group's activations, reached inside the MLP if it is at least twice as wide as the tower.

    (4 * E + 2 * intermediate) elements for each of N * P tokens: the block's input, the stream after each of its two
    attentions, the MLP's normed input, its inside before and after the activation. Attention is fused.
    The frames themselves are not counted.
    """
    elements = 4 * shape.tower_hidden + 2 * shape.tower_intermediate
    return FP16 * shape.group * shape.tokens_per_frame * elements


def projector_flops(shape: Shape, tokens: int) -> int:
    """Both linear layers on `tokens` tokens."""
    return 2 * tokens * (shape.tower_hidden + shape.hidden) * shape.hidden


def prefill_flops(shape: Shape, tokens: int) -> int:
    """The decoder on `tokens` tokens, each attending to itself and those before, and the head on the last one.

    FLOPs that are needed: a kernel that computes the whole square and masks it adds 2 * L * H * d * S * (S - 1).
    """
    pairs = tokens * (tokens + 1) // 2
    attention = 4 * shape.layers * shape.heads * shape.head_dim * pairs
    return 2 * tokens * block_matrices(shape) + attention + 2 * shape.vocabulary * shape.hidden
