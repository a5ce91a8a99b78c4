"""Placeholders: what stands in a metric's name for one of several words, each with its meaning."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Placeholder:
    """What stands in a pattern for one of several words."""

    meaning: str
    values: tuple[str, ...] = ()  # empty: whatever the benchmark calls them


SIGNATURE_NAMES = (
    *("garbled_output", "attention_saturation", "attention_collapse", "positional_drift"),
    *("time_probe", "token_misalignment", "slot_order"),
)
SPANS = ("decode", "encode", "rearrange", "prefill", "pack", "watch", "ask", "first_token", "per_token")
FLIPS = ("right_to_wrong", "wrong_to_right", "changed_wrong")

PLACEHOLDERS = {
    "regime": Placeholder(
        "the same, presence too, of the questions alone that have this label `regime` (flipbook: slow, fast)"
    ),
    "kind": Placeholder("questions of this kind alone (flipbook: first, count, when and others)"),
    "span": Placeholder("a part of watching and asking, each explained in a row of its own", SPANS),
    "spread": Placeholder("of the videos; p05 and p95 are percentiles", ("median", "p05", "p95")),
    "statistic": Placeholder(
        "of all layers' heads, each the mean of its query rows; of answer_kl of all questions",
        ("mean", "median", "p95", "max"),
    ),
    "end": Placeholder("of the interval", ("low", "high")),
    "scope": Placeholder(
        "only this layer's prefix replaced under the reference's queries; or each model with its own hidden states",
        ("local", "end_to_end"),
    ),
    "keys": Placeholder(
        "the first tokens of the prefix (measure.sinks), its other text, the question's own tokens, the frames",
        ("sink", "text", "question", "video"),
    ),
    "model": Placeholder("the prefix in full precision; the prefix as it was packed", ("reference", "modified")),
    "flip": Placeholder("how an answer changes, each explained in a row of its own", FLIPS),
    "signature": Placeholder("a failure signature, each explained in a row of its own", SIGNATURE_NAMES),
}
