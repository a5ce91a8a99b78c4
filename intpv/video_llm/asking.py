"""Asking: a portion of a video's questions as one packed row, decoded greedily side by side against the prefix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.hf.attention import placed
from intpv.hf.cache import QuestionCache, handed
from intpv.model.loading.generation import stop_tokens
from intpv.timing import lap


@dataclass(frozen=True)
class Answer:
    """What the model said, and how likely it held each option."""

    text: str
    tokens: tuple[int, ...]  # without a stop token
    confidence: float  # probability of just these tokens, and of stopping after them
    logits: Float[Tensor, " vocabulary"] | None  # of the answer's first token, where they are to be kept
    loglik: tuple[float, ...]  # nats, log P(option's tokens | question), in the order of the options

    @property
    def kept_logits(self) -> Float[Tensor, " vocabulary"]:
        """`logits`, for whoever has asked to keep them."""
        assert self.logits is not None
        return self.logits

    @property
    def choice(self) -> int | None:
        """Index of the likeliest option; None without options."""
        return max(range(len(self.loglik)), key=self.loglik.__getitem__) if self.loglik else None


class Asking:
    """One round of questions, behind a prefix of `start` tokens. Every row belongs to a branch (a question, or one of
    its options) and sees the rows fed before it of that branch and of the branch it grows from.
    """

    def __init__(self, llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, start: int):
        self.llm, self.tokenizer, self.start, self.device = llm, tokenizer, start, llm.device
        self.cache = QuestionCache()
        # branch and place of each key fed so far; on the host, as all that says who sees what: the device is given the
        # mask alone, or it would be handed a dozen small tensors at every step
        self.branch = self.place = torch.empty(0, dtype=torch.long)

    def answer(
        self,
        rows: Sequence[Int[Tensor, " _"]],
        options: Sequence[Sequence[Sequence[int]]],
        max_new_tokens: int,
        keep_logits: bool,
    ) -> list[Answer]:
        """Greedy answers and option scores, one per row; each option as its tokens, at least one."""
        count = len(rows)
        branches, steps = list(range(count)), [range(len(row)) for row in rows]
        with lap("first_token", self.device):
            first = self._last(self._feed(list(rows), branches, branches, steps))
        spoken, confidence = self._generate(rows, first, max_new_tokens)
        loglik = self._score(rows, first.float().log_softmax(-1), options)
        # a list of tokens is decoded to one text; transformers' annotation leaves it open
        texts = [cast(str, self.tokenizer.decode(tokens, skip_special_tokens=True)).strip() for tokens in spoken]
        logits = first if keep_logits else [None] * count
        return [Answer(*parts) for parts in zip(texts, map(tuple, spoken), confidence, logits, loglik, strict=True)]

    def _generate(self, rows, first: Tensor, max_new_tokens: int) -> tuple[list[list[int]], list[float]]:
        """Tokens of each answer, up to a stop token or `max_new_tokens`, and their probability."""
        stops = stop_tokens(self.llm, self.tokenizer)
        spoken: list[list[int]] = [[] for _ in rows]
        confidence = [1.0] * len(rows)
        logits, active = first, list(range(len(rows)))
        for step in range(max_new_tokens):
            # in one tensor, so that the device is waited for once; float32 holds tokens below 2^24 exactly
            best = torch.stack([part.float() for part in logits.float().softmax(-1).max(-1)]).tolist()
            for question, probability, token in zip(active, *best, strict=True):
                spoken[question].append(int(token))
                confidence[question] *= probability
            active = [question for question in active if spoken[question][-1] not in stops]
            if not active or step + 1 == max_new_tokens:
                break
            fed = [torch.tensor(spoken[question][-1:]) for question in active]
            places = [range(len(rows[question]) + step, len(rows[question]) + step + 1) for question in active]
            with lap("next_token", first.device):
                logits = self._last(self._feed(fed, active, active, places))
        return [[token for token in tokens if token not in stops] for tokens in spoken], confidence

    def _score(self, rows, first: Tensor, options: Sequence[Sequence[Sequence[int]]]) -> list[tuple[float, ...]]:
        """Log-likelihoods; options of several tokens are fed as branches of their question, all at once."""
        begun = [(q, tokens[0]) for q, of in enumerate(options) for tokens in of]
        if not begun:
            return [() for _ in options]
        asked, tokens = torch.tensor(begun).to(first.device).unbind(1)
        values = iter(first[asked, tokens].tolist())
        scores = [[next(values) for _ in of] for of in options]
        longer = [(q, o, tokens) for q, of in enumerate(options) for o, tokens in enumerate(of) if len(tokens) > 1]
        if longer:
            # the answers' keys are in the cache by now; an option grows from the question alone, so it starts at the
            # question's length and sees none of them
            fed = [torch.tensor(tokens[:-1]) for _, _, tokens in longer]
            places = [range(len(rows[q]), len(rows[q]) + len(tokens) - 1) for q, _, tokens in longer]
            branches = [len(rows) + i for i in range(len(longer))]
            outs = self._feed(fed, branches, [q for q, _, _ in longer], places)
            lengths = [len(run) for run in fed]
            logits = self._logits(torch.cat(outs)).split(lengths)
            rest = torch.tensor([token for _, _, tokens in longer for token in tokens[1:]]).to(first.device)
            pairs = zip(logits, rest.split(lengths), strict=True)
            sums = torch.stack([out.float().log_softmax(-1).gather(1, of[:, None]).sum() for out, of in pairs])
            for (q, o, _), more in zip(longer, sums.tolist(), strict=True):
                scores[q][o] += more
        return [tuple(row) for row in scores]

    def _last(self, outs: Sequence[Float[Tensor, "_ D"]]) -> Float[Tensor, "runs vocabulary"]:
        """Logits after each run's last token alone: those of all rows would outgrow everything else."""
        return self._logits(torch.stack([out[-1] for out in outs]))

    def _logits(self, hidden: Float[Tensor, "rows D"]) -> Float[Tensor, "rows vocabulary"]:
        return self.llm.get_output_embeddings()(hidden)

    def _feed(self, rows, branches: list[int], parents: list[int], places: list[range]) -> list[Tensor]:
        """Feed one run of tokens per branch at the given places (counted from the prefix' end) -> hidden states (_, D)
        per run."""
        lengths = torch.tensor([len(row) for row in rows])
        place = torch.cat([torch.arange(r.start, r.stop) for r in places])
        branch, parent, start = (
            torch.tensor(each).repeat_interleave(lengths) for each in (branches, parents, [r.start for r in places])
        )
        self.branch, self.place = torch.cat([self.branch, branch]), torch.cat([self.place, place])
        own = (branch[:, None] == self.branch) & (place[:, None] >= self.place)
        inherited = (parent[:, None] == self.branch) & (self.place < start[:, None])
        ids, positions = torch.stack([torch.cat(list(rows)), self.start + place])[:, None].to(self.device)
        with placed(self.start + place, self.start + self.place):
            hidden = self.llm.get_decoder()(
                input_ids=ids,
                position_ids=positions,
                attention_mask=(own | inherited)[None, None].to(self.device),
                **handed(self.llm.get_decoder(), self.cache),
            ).last_hidden_state[0]
        return list(hidden.split(lengths.tolist()))
