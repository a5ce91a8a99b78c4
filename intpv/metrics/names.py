"""Names: every metric that a cell's metrics.json can hold, with its unit, its meaning and when it is present.

README.md beside this file is made from it: python -m tests.metric_glossary
"""

import re
from dataclasses import dataclass
from functools import cache

from intpv.metrics.judged import JUDGE_ROWS
from intpv.metrics.placeholders import PLACEHOLDERS


@dataclass(frozen=True)
class Metric:
    """A metric, or all those that its name is a pattern of: <...> is a placeholder, [...] may be left out."""

    name: str
    unit: str
    meaning: str  # one sentence
    present: str  # in which finished cells

    def fits(self, name: str) -> bool:
        """Whether this entry tells of a name in metrics.json."""
        return _pattern(self.name).fullmatch(name) is not None


ALWAYS = "always"
CLOSED_FORM = "a video was answered, encoder=languagebind or one like it"
ANSWERED = "a video was answered"
LONG_ANSWER = "an answer has a second token"
TWO_VIDEOS = "2 videos or more"
BOUNDS = "the benchmark knows both bounds (flipbook)"
PAIRED = "questions have the label `pair` (vinoground)"
GAP = "as ceiling, which is 0.01 or more above blind"
WHEN = "questions of the kind `when`"
VALID_WHEN = "one of these answers names a part"
PEAKS = "CUDA or measure.memory.on_cpu=true (measure=full)"
CALIBRATED = "calibrated KV (kv_quant=paper_tensor, paper_channel)"
PACKED = "measure=full (or measure.reference=both)"
PACKED_ROWS = f"{PACKED}; visual_rows/ with measure.visual_rows above 0"
LENGTH = "measure=grouped (or measure.reference=both)"
SIGNATURES = "measure=signatures"
FIRES = f"{SIGNATURES}, {TWO_VIDEOS}"
MIXES_TIME = f"{FIRES}, a tower that mixes frames"
COMPARED = "attention KL or signatures are measured"
UNLIKE = "2 videos or more that differ, attention KL measured"
UNTIL_RESCORED = "not after experiments.score"

KL = "attention_kl/[visual_rows/]<scope>"
GROUPED = "attention_kl/grouped"

Row = tuple[str, str, str]  # name, unit, meaning
SUBJECTS: dict[str, dict[str, tuple[Row, ...]]] = {  # heading -> when present -> rows
    "The cell": {
        ALWAYS: (
            ("frames", "frames", "Frames shown of each video, F."),
            ("groups", "groups", "Groups into which they are split for the tower, m."),
            ("rearrangement_is_noop", "0 or 1", "1 where the tower sees frames one by one: any order gives the same."),
        ),
    },
    "Scores": {
        ALWAYS: (
            ("[<regime>/]questions", "questions", "Questions asked."),
            ("[<regime>/]videos", "videos", "Videos they are about."),
            ("[<regime>/]coverage", "0 to 1", "Questions answered over questions asked."),
            ("[<regime>/]accuracy", "0 to 1", "Correct answers over questions asked; what failed counts as wrong."),
            ("[<regime>/]accuracy/<kind>", "0 to 1", "Accuracy of one kind of question."),
            ("[<regime>/]majority_floor", "0 to 1", "Accuracy of always giving the commonest right answer of a kind."),
            ("[<regime>/]majority_floor/<kind>", "0 to 1", "The same of one kind of question: answer or place."),
        ),
        "2 kinds of question or more": (
            ("[<regime>/]accuracy_macro", "0 to 1", "Mean of accuracy/<kind> over the kinds (M-Avg of MLVU)."),
            ("[<regime>/]majority_floor_macro", "0 to 1", "Mean of majority_floor/<kind> over the kinds."),
        ),
        PAIRED: (
            ("[<regime>/]pair_score/<kind>", "0 to 1", "Share of pairs of which all questions of the kind are right."),
            ("[<regime>/]pair_score_floor/<kind>", "0 to 1", "The same of blind guesses, or of one answer to all."),
        ),
        f"{PAIRED}, 2 kinds or more": (
            ("[<regime>/]group_score", "0 to 1", "Share of pairs of which every question is right."),
            ("[<regime>/]group_score_floor", "0 to 1", "The same of blind guesses, or of one answer to all."),
        ),
        TWO_VIDEOS: (
            ("[<regime>/]accuracy_ci95_low", "0 to 1", "Lower end of the 95 % interval of accuracy, over videos."),
            ("[<regime>/]accuracy_ci95_high", "0 to 1", "Upper end of the 95 % interval of accuracy, over videos."),
        ),
        "an answered question has options": (
            (
                "[<regime>/]accuracy_restricted",
                "0 to 1",
                "The same, the likeliest option taken as answer.",
            ),
        ),
        "a question was answered": (
            ("[<regime>/]accuracy_answered", "0 to 1", "Correct answers over questions answered: favours failing."),
            ("[<regime>/]invalid_rate", "0 to 1", "Answers outside the question's options over questions answered."),
        ),
        BOUNDS: (
            ("[<regime>/]ceiling", "0 to 1", "Mean expected score of a perfect observer of the frames shown."),
            ("[<regime>/]blind", "0 to 1", "Mean expected score of the best guesser, who sees no frame."),
        ),
        GAP: (
            ("[<regime>/]skill", "1 at ceiling, 0 at blind", "(accuracy - blind) / (ceiling - blind), not clipped."),
            ("[<regime>/]skill/<kind>", "as skill", "Skill of one kind of question."),
        ),
        f"{GAP} in every resample, {TWO_VIDEOS}": (
            ("[<regime>/]skill_ci95_low", "as skill", "Lower end of the 95 % interval of skill, over videos."),
            ("[<regime>/]skill_ci95_high", "as skill", "Upper end of the 95 % interval of skill, over videos."),
        ),
        WHEN: (
            ("[<regime>/]when/questions", "questions", "Questions that ask for the part of the video an event is in."),
            ("[<regime>/]when/valid", "0 to 1", "Answers that name a part over these questions."),
        ),
        VALID_WHEN: (
            ("[<regime>/]when/exact", "0 to 1", "Answers that name the right part over those that name any."),
            ("[<regime>/]when/within_one", "0 to 1", "Answers at most one part off over those that name any."),
            ("[<regime>/]when/signed_error", "parts", "Mean of the part named minus the right one: above 0 is late."),
        ),
    },
    "What a judge says of the answers": JUDGE_ROWS,
    "Seconds of a video, mean over the videos": {
        ANSWERED: (
            (
                "cache/fetched",
                "0 to 1",
                "Share of videos of which frames and features were cached.",
            ),
            ("time/decode_s", "s", "Decoding the frames and fitting them to the tower's size."),
            ("time/encode_s", "s", "The tower, from frames to features."),
            ("time/rearrange_s", "s", "Splitting frames into groups, in encode, and merging tokens, in prefill."),
            ("time/prefill_s", "s", "The LLM over the prefix, from features to keys and values."),
            ("time/pack_s", "s", "Quantising and packing the prefix."),
            ("time/watch_s", "s", "Encode, prefill and pack together."),
            ("time/ask_s", "s", "All questions of a video: answers and scores of options."),
            ("time/first_token_s", "s", "From the questions to the first tokens of the answers; in ask."),
        ),
        LONG_ANSWER: (
            ("time/per_token_s", "s", "One more token of all answers that are decoded side by side; in ask."),
        ),
        f"{ANSWERED}; per_token: {LONG_ANSWER}": (
            ("time/<span>_s/<spread>", "s", "Spread of these seconds over the videos, whose mean the plain name is."),
        ),
    },
    "KV prefix of a video, mean over the videos": {
        ANSWERED: (
            ("kv/bytes", "bytes", "Memory that a video's packed prefix holds: the sum of the next six."),
            ("kv/codes_bytes", "bytes", "Quantised numbers."),
            ("kv/scales_bytes", "bytes", "Scales of the quantised numbers."),
            ("kv/zeros_bytes", "bytes", "Zero points of the quantised numbers."),
            ("kv/angles_bytes", "bytes", "Table that rotates keys stored before RoPE."),
            ("kv/exempt_bytes", "bytes", "Tokens kept in full precision."),
            ("kv/padding_bytes", "bytes", "Memory around the tensors that none of them uses."),
            ("kv/full_precision_bytes", "bytes", "The whole prefix unquantised, in the model's own number type."),
            ("kv/kept_tokens", "tokens", "What each layer keeps of the prefix: all of it without kv_evict."),
            ("kv/bits_per_element", "bits", "kv/bytes per number of the keys and values that are kept."),
            ("kv/quantised_fraction", "0 to 1", "Share of these numbers that is stored as codes."),
            (
                "kv/fused",
                "0 to 1",
                "1 where a kernel (compiled, Triton) reads codes, 0 where they are unpacked.",
            ),
        ),
        CALIBRATED: (
            ("kv/clipped_fraction", "0 to 1", "Share of numbers outside the calibrated grid."),
            ("kv/range_ratio", "ratio", "Range of the numbers over the calibrated one, mean over layers and sides."),
        ),
    },
    "Arithmetic of a video, mean over the videos": {
        CLOSED_FORM: (
            ("cost/tower_flops", "FLOPs", "Matrix products of tower and projector, in closed form."),
            ("cost/prefill_flops", "FLOPs", "The LLM's over the prefix, as far as each token attends."),
        ),
    },
    "RoPE": {
        ANSWERED: (
            ("rope/factor", "ratio", "Factor s by which rope_strategy stretches positions; 1 is none."),
            ("rope/own_factor", "ratio", "Factor that the checkpoint states for its own RoPE, 1 where it states none."),
            ("rope/trained_length", "positions", "Window that factor=auto divides by (rope_strategy.window)."),
        ),
    },
    "Memory, of the video that takes most": {
        ANSWERED: (
            ("memory/weights_bytes", "bytes", "Parameters and buffers of the LLM."),
            ("memory/tower_bytes", "bytes", "Parameters and buffers of tower and projector."),
        ),
        PEAKS: (
            ("memory/held_bytes", "bytes", "Both, and what a watched video leaves on the device."),
            ("memory/watch_peak_bytes", "bytes", "Most that is held while a video is watched, weights included."),
            ("memory/ask_peak_bytes", "bytes", "Most that is held while its questions are answered, weights included."),
            ("memory/peak_bytes", "bytes", "The larger of the two peaks."),
            ("memory/watch_activations_bytes", "bytes", "memory/watch_peak_bytes minus memory/held_bytes."),
            ("memory/ask_activations_bytes", "bytes", "memory/ask_peak_bytes minus memory/held_bytes."),
        ),
    },
    "Attention to the packed prefix, against the unquantised one": {
        PACKED_ROWS: (
            (f"{KL}/all/<statistic>", "nats", "KL(reference || modified) of attention over all keys."),
            (f"{KL}/video/<statistic>", "nats", "The same over the keys of frames, as if there were no others."),
            (f"{KL}/entropy_ratio", "ratio", "Entropy of attention, modified over reference."),
            (f"{KL}/top1_agreement", "0 to 1", "Share of query rows in which both look at the same key most."),
            (f"{KL}/lost_mass", "0 to 1", "The reference's attention to keys that the modified prefix lacks."),
            (f"{KL}/attention_output_error", "ratio", "||change|| / ||reference|| of attention's output, values too."),
            (f"{KL}/mass/<keys>/<model>", "0 to 1", "Share of attention that goes to these keys."),
        ),
        PACKED: (
            ("attention_kl/<scope>/floor/<statistic>", "nats", "KL of the reference to itself: as much is rounding."),
        ),
    },
    "Attention of the run, against the same videos at F = N": {
        LENGTH: (
            (f"{GROUPED}/total/<statistic>", "nats", "KL over sink, text, question and bins of time: sum of the next."),
            (f"{GROUPED}/modality/<statistic>", "nats", "Its part between frames and everything else."),
            (f"{GROUPED}/within_video/<statistic>", "nats", "Its part between bins of time."),
            (f"{GROUPED}/within_text/<statistic>", "nats", "Its part between sink, text and question."),
            (f"{GROUPED}/lost_mass", "0 to 1", "The reference's attention to such sets of which the run has no key."),
        ),
    },
    "Answers, against the same two references": {
        PACKED: (("attention_kl/answer_kl/<statistic>", "nats", "KL of an answer's first token, modified."),),
        LENGTH: ((f"{GROUPED}/answer_kl/<statistic>", "nats", "KL of an answer's first token, to F = N."),),
        f"{PACKED}; {UNTIL_RESCORED}": (
            ("flips/right_to_wrong", "0 to 1", "Share of questions that only the unquantised prefix answers right."),
            ("flips/wrong_to_right", "0 to 1", "Share of questions that only the packed prefix answers right."),
            ("flips/changed_wrong", "0 to 1", "Share of questions that both answer wrong, and not alike."),
        ),
        f"{LENGTH}; {UNTIL_RESCORED}": (
            ("flips/trained_length/<flip>", "0 to 1", "The same shares, F = N in the unquantised prefix' place."),
        ),
    },
    "How far these may be from those of all videos: 95 % intervals, over the videos compared": {
        COMPARED: (("attention_kl/videos", "count", "Videos compared (measure.videos)."),),
        UNLIKE: (
            (f"{KL}/all/mean_ci95_<end>", "nats", "Of the mean KL over all keys."),
            (f"{GROUPED}/total/mean_ci95_<end>", "nats", "Of the mean KL to F = N."),
            ("attention_kl/[grouped/]answer_kl/mean_ci95_<end>", "nats", "Of the mean KL of answers."),
        ),
        f"{UNLIKE}; {UNTIL_RESCORED}": (
            ("flips/[trained_length/]<flip>_ci95_<end>", "0 to 1", "Of the share of answers that flip so."),
        ),
    },
    "Failure signatures: 1 where the run shows it, against the same videos at F = N (baseline)": {
        f"{FIRES}; {UNTIL_RESCORED}": (
            ("signature/garbled_output", "0 or 1", "Share of answers outside their options, too high."),
        ),
        FIRES: (
            ("signature/attention_saturation", "0 or 1", "Entropy of attention over the baseline's, too high."),
            ("signature/attention_collapse", "0 or 1", "Entropy of attention over the baseline's, too low."),
            ("signature/positional_drift", "0 or 1", "Centroid in time of attention to frames, 0 to 1, moved."),
            ("signature/time_probe", "0 or 1", "RMS error of frames' times (0 to 1) read off tokens, too high."),
            ("signature/time_probe/r2", "at most 1", "R^2 of frames' times read off the run's tokens."),
            ("signature/time_probe/r2_baseline", "at most 1", "R^2 of frames' times read off the baseline's tokens."),
        ),
        MIXES_TIME: (
            ("signature/token_misalignment", "0 or 1", "Cosine of tokens at seams minus inside groups, too low."),
            ("signature/slot_order", "0 or 1", "Gamma of the tower's time slots in order of reading, too low."),
        ),
        f"{FIRES}; as the signature": (
            ("signature/<signature>/threshold", "as above", "Bound beyond which the value must lie for a 1."),
        ),
        f"{SIGNATURES}; as the signature, with one video too but for time_probe": (
            ("signature/<signature>/value", "as above", "The figure named above of the run, mean over videos."),
            ("signature/<signature>/baseline", "as above", "The same figure of the baseline."),
        ),
    },
}

GLOSSARY: dict[str, tuple[Metric, ...]] = {
    heading: tuple(Metric(*row, present) for present, rows in blocks.items() for row in rows)
    for heading, blocks in SUBJECTS.items()
}
METRICS = tuple(metric for metrics in GLOSSARY.values() for metric in metrics)


def entries(name: str) -> list[Metric]:
    """The table's entries for a name in metrics.json: one for each that a cell can have."""
    return [metric for metric in METRICS if metric.fits(name)]


@cache
def name_beginnings() -> frozenset[str]:
    """What names begin with, up to the first /: no regime may be called so."""
    return frozenset(re.sub(r"^\[.*?\]", "", metric.name).split("/")[0] for metric in METRICS)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    text = re.escape(name).replace(r"\[", "(?:").replace(r"\]", ")?")
    return re.compile(re.sub(r"<(\w+)>", lambda found: _words(found[1]), text))


def _words(placeholder: str) -> str:
    if values := PLACEHOLDERS[placeholder].values:
        return f"(?:{'|'.join(values)})"
    if placeholder == "kind":  # at the end of a name, whatever is in it
        return ".+"
    # a regime begins a name: with none of the words that others begin with, or when/questions would be that of two
    return rf"(?!(?:{'|'.join(sorted(name_beginnings()))})/)[^/]+"
