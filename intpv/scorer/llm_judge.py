"""LLM judge: a language model says whether an open answer means the right one, after Video-ChatGPT's protocol.

For saved predictions alone, by experiments.score: a run must not wait for a network. See judge/ for how it is asked.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from intpv.bounds import check_place, check_text, check_whole, shown
from intpv.errors import BadInput
from intpv.record.samples import Sample
from intpv.scorer.judge.client import ChatClient, Messages
from intpv.scorer.judge.human import HumanLabels
from intpv.scorer.judge.judging import JudgePatience
from intpv.scorer.judge.store import ReplyStore
from intpv.scorer.judge.verdict import JudgeVerdict, parse_verdict
from intpv.scorer.scorer import Asked, Score, Scorer

PLACES = ("question", "answer", "prediction")
PLACE = re.compile(rf"\{{({'|'.join(PLACES)})\}}")
DATED = re.compile(r"\d{4}-?\d{2}-?\d{2}|-\d{4}$")  # gpt-4o-2024-11-20, claude-3-5-haiku-20241022, gpt-3.5-turbo-0613
DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?")
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
LETTERS_PER_TOKEN = 4  # of English; an estimate is given to be checked, not to be billed
TOKENS_AROUND = 8  # that a chat format puts around a message


@dataclass(frozen=True)
class Estimate:
    """What judging will take, before it starts."""

    answers: int  # different ones, of all cells together
    known: int  # of these, judged before
    refused: int  # of the known ones
    tokens_in: int  # of the others, about
    tokens_out: int  # at most
    usd: float | None  # at most; None without prices


@dataclass(frozen=True, kw_only=True)
class LLMJudge(Scorer):
    """A judge is a model of one date, its prompt and its sampling; the address is none of it, and may change.

    Nothing is asked of an empty prediction, which is wrong, nor of a question without an answer.
    """

    saved_only: ClassVar[bool] = True

    model: str
    url: str
    system: str
    user: str  # holds {question}, {answer} and {prediction}
    date: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    max_tokens: int = 64
    body: Mapping[str, Any] = field(default_factory=dict)
    concurrent: int = 8
    timeout_s: float | int = 60
    retries: int = 5
    patience_s: float | int = 300
    price_in: float | int | None = None
    price_out: float | int | None = None
    dir: str = "verdicts"
    labels: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "url", "system", "user"):
            check_text(f"scorer.{name}", getattr(self, name))
        for name, least in (("max_tokens", 1), ("concurrent", 1), ("retries", 0)):
            check_whole(f"scorer.{name}", getattr(self, name), least)
        for name in ("timeout_s", "patience_s", "price_in", "price_out"):
            self._check_number(name, above_0=name == "timeout_s", or_null=name.startswith("price"))
        check_place("scorer.dir", self.dir)
        if self.labels is not None:
            check_place("scorer.labels", self.labels)
        self._check_judge()
        if not isinstance(self.body, Mapping) or {"model", "messages", "temperature", "stream"} & set(self.body):
            raise BadInput("scorer.body must hold fields other than model, messages, temperature and stream")
        object.__setattr__(self, "body", _plain(self.body))
        if missing := [name for name in PLACES if f"{{{name}}}" not in self.user]:
            raise BadInput(f"scorer.user must hold {{{missing[0]}}}, got {' '.join(self.user.split())}")

    def _check_number(self, name: str, above_0: bool, or_null: bool) -> None:
        value = getattr(self, name)
        number = type(value) in (int, float) and isfinite(value) and (value > 0 if above_0 else value >= 0)
        if not number and not (or_null and value is None):
            least = "above 0" if above_0 else "of at least 0"
            raise BadInput(f"scorer.{name} must be a number {least}{' or null' if or_null else ''}, got {shown(value)}")

    def _check_judge(self) -> None:
        address = urlsplit(self.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise BadInput(f"scorer.url must be an http or https address, got {self.url}")
        if address.username or address.password or address.query:
            raise BadInput("scorer.url must hold no name, password or query: a key is read from the environment alone")
        if not isinstance(self.key_variable, str) or not VARIABLE.fullmatch(self.key_variable):
            raise BadInput("scorer.key_variable must be the name of an environment variable; what it got is not shown")
        if self.date is None and not DATED.search(self.model):
            raise BadInput(f"scorer.date must say of when scorer.model is, as 2024-09-16, got null with {self.model}")
        if self.date is not None and not DATE.fullmatch(str(self.date)):
            raise BadInput(f"scorer.date must be written as 2024-09-16, got {shown(self.date)}")

    # Who judges.

    @property
    def name(self) -> str:
        """As tables show it: `gpt-4o-2024-11-20`, `Qwen2.5-7B-Instruct@2024-09-16`."""
        model = self.model.rstrip("/").rpartition("/")[2]
        return f"{model}@{self.date}" if self.date else model

    @cached_property
    def identity(self) -> str:
        """Hash of everything that a verdict may depend on."""
        fields = (self.model, self.date, self.system, self.user, self.max_tokens, self.body, 0)
        return _hash(*(json.dumps(one, sort_keys=True) for one in fields))

    @property
    def folder_name(self) -> str:
        """Of re-scored cells: scorer, judge and the first digits of its identity."""
        return re.sub(r"[^\w.@-]+", "_", f"llm_judge-{self.name}-{self.identity[:8]}")

    @cached_property
    def store(self) -> ReplyStore:
        """All its replies, of this and earlier commands."""
        return ReplyStore(Path(self.dir).expanduser() / f"{self.folder_name}.jsonl")

    @cached_property
    def human(self) -> HumanLabels:
        """Verdicts of people, as far as there are any."""
        return HumanLabels.read(Path(self.labels).expanduser()) if self.labels else HumanLabels({})

    def client(self) -> ChatClient:
        """With the key of the environment."""
        key = os.environ.get(self.key_variable, "").strip() or None
        if key and not (key.isascii() and key.isprintable()):
            raise BadInput(f"{self.key_variable} must hold one key, of ASCII letters; what it got is not shown")
        return ChatClient(self.url, self.model, self.timeout_s, self.max_tokens, self.body, key, self.key_variable)

    @property
    def patience(self) -> JudgePatience:
        """As judge_all takes it."""
        return JudgePatience(self.retries, self.patience_s, self.concurrent)

    # What is judged.

    def key(self, sample: Sample) -> str | None:
        """Of a question with its prediction; None where nothing is to be asked."""
        prediction = sample["prediction"]
        if sample["error"] is not None or prediction is None or not prediction.strip() or not sample["answer"].strip():
            return None
        return _hash(self.identity, sample["question"], sample["answer"], prediction)

    def wanted(self, samples: Sequence[Sample]) -> dict[str, Sample]:
        """Key -> a sample that it stands for; equal predictions of several cells are one."""
        return {key: sample for sample in samples if (key := self.key(sample))}

    def messages(self, sample: Sample) -> Messages:
        """A prediction is put on one line: it must not look like a part of what is asked around it."""
        values = {name: " ".join(str(sample[name]).split()) for name in PLACES}  # type: ignore[literal-required]
        text = PLACE.sub(lambda found: values[found[1]], self.user)
        return [{"role": "system", "content": self.system}, {"role": "user", "content": text}]

    def estimate(self, wanted: Mapping[str, Sample]) -> Estimate:
        """Counts letters; prices are scorer.price_in and scorer.price_out."""
        left = [sample for key, sample in wanted.items() if key not in self.store]
        refused = sum(bool(reply and reply.refused is not None) for reply in map(self.store.get, wanted))
        letters = sum(len(message["content"]) for sample in left for message in self.messages(sample))
        tokens_in = -(-letters // LETTERS_PER_TOKEN) + 2 * TOKENS_AROUND * len(left)
        tokens_out = self.max_tokens * len(left)
        priced = self.price_in is not None and self.price_out is not None
        usd = (tokens_in * (self.price_in or 0) + tokens_out * (self.price_out or 0)) / 1e6 if priced else None
        return Estimate(len(wanted), len(wanted) - len(left), refused, tokens_in, tokens_out, usd)

    # What it says.

    def verdict(self, sample: Sample) -> JudgeVerdict | None:
        """Of a sample that was asked about; None where the reply says nothing, or none was given."""
        reply = self.store.get(self.key(sample) or "")
        return parse_verdict(reply.text) if reply else None

    def scored(self, sample: Sample) -> Mapping[str, Any]:
        """Also `verdict` ("yes", "no", "none"; None where nothing was asked), `judge_score` and `human`."""
        asked = self.key(sample) is not None
        verdict = self.verdict(sample)
        correct = verdict is not None and verdict.correct
        word = ("yes" if correct else "no") if verdict else "none" if asked else None
        score = verdict.score if verdict else None if asked or sample["error"] is not None else 0.0
        fields = {"correct": correct, "valid": verdict is not None, "verdict": word, "judge_score": score}
        human = self.human.of(sample)
        return fields if human is None else {**fields, "human": human}

    def score(self, prediction: str, question: Asked) -> Score:
        """BadInput: a judge is asked for all saved predictions together."""
        raise BadInput("scorer=llm_judge judges saved predictions: python -m experiments.score RUN scorer=llm_judge")


def _plain(value: Any) -> Any:
    """What Hydra hands on in its own containers, as JSON takes it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
