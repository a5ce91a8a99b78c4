"""The paper's own figures (arXiv 2409.12963), as far as they are known, with what keeps them from being compared.

Table 1 is an estimate by a roofline, in decimal GB, of a KV cache of 256 tokens a frame; it has exactly 1/8 of FP16 at
INT2, so no scales. Table 4 is accuracy in % by a GPT-3.5 judge against the number of frames, one run of Video-LLaVA-7B.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "arXiv 2409.12963"


@dataclass(frozen=True)
class PaperCost:
    """A row of Table 1, GB (1e9 bytes) and ms for a token; None: not known."""

    kv_fp16: float
    kv_int2: float
    total_fp16: float
    decode_fp16: float | None = None
    decode_int2: float | None = None


TABLE_1: Mapping[int, PaperCost] = {  # frames -> row
    8: PaperCost(1.1, 0.13, 14.0),
    32: PaperCost(4.3, 0.5, 17.2, decode_fp16=22.9),
    64: PaperCost(8.6, 1.1, 21.5, decode_int2=18.8),
    128: PaperCost(17.2, 2.1, 30.1),
}


@dataclass(frozen=True)
class PaperAccuracy:
    """A row of Table 4, in %: the model as it is at 8 frames, then INTP at each number of frames."""

    baseline: float
    interpolated: Mapping[int, float]


TABLE_4: Mapping[str, PaperAccuracy] = {
    "MSVD-QA": PaperAccuracy(70.7, {8: 69.5, 32: 72.0, 64: 67.5}),
    "MSRVTT-QA": PaperAccuracy(59.2, {8: 58.2, 32: 61.4, 64: 55.2}),
    "ActivityNet-QA": PaperAccuracy(45.3, {8: 55.3, 16: 46.9, 32: 48.9, 64: 41.5}),
}

COST_NOTES = (
    "The paper's costs are a roofline estimate of a 7B, not measurements; its INT2 is exactly 1/8 of FP16.",
    "As counted: the same closed form. As stored: with CLS tokens, scales, zero points and exempt tokens. ms: of the "
    "closed form as counted, at 768 GB/s.",
    "Measured: bytes of the packed prefix of the model named, whose full precision is its own number type.",
)
ACCURACY_NOTES = (
    "The paper's rows are one run of Video-LLaVA-7B without any interval, judged by GPT-3.5, whose versions alone move "
    "MSVD-QA by 10 points on the same predictions (FreeVA, Table 6): they are not comparable with rows of another "
    "model, test set or scorer.",
    "At 8 frames INTP is the identity and yet about a point off the base model, which is the noise of its rows; 55.3 "
    "of ActivityNet-QA is likely a misprint.",
    "Rows of the sweeps: accuracy in % [95 % interval, bootstrap over videos]; the last column is paired on the same "
    "questions. An interval that holds 0 shows neither a gain nor a loss.",
)
