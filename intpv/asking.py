"""Asking: all questions of a video as one packed row, decoded greedily side by side, against the active prefix."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.kv_quant.cache import QuestionCache, handed
from intpv.laps import lap
from intpv.rope_strategy.counts import position_ids


@dataclass(frozen=True)
class Answer:
    """What the model said, and how likely it held each option."""

    text: str
    tokens: tuple[int, ...]  # without EOS
    confidence: float  # probability of just these tokens, and of stopping after them
    logits: Float[Tensor, " vocabulary"]  # of the answer's first token
    loglik: tuple[float, ...]  # nats, log P(option's tokens | question), in the order of the options

    @property
    def choice(self) -> int | None:
        """Index of the likeliest option; None without options."""
        return max(range(len(self.loglik)), key=self.loglik.__getitem__) if self.loglik else None


class Asking:
    """One round of questions. Every row belongs to a branch (a question, or one of its options) and sees the rows fed
    before it of that branch and of the branch it grows from.
    """

    def __init__(self, llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, positions: Float[Tensor, "A room"]):
        self.llm, self.tokenizer, self.positions = llm, tokenizer, positions
        self.cache = QuestionCache()
        # branch and place of each key fed so far
        self.branch = self.place = torch.empty(0, dtype=torch.long, device=positions.device)

    def answer(
        self, rows: Sequence[Int[Tensor, "_"]], options: Sequence[Sequence[str]], max_new_tokens: int
    ) -> list[Answer]:
        """Greedy answers and option scores, one per row."""
        count = len(rows)
        branches, steps = list(range(count)), [range(len(row)) for row in rows]
        with lap("first_token", self.positions.device):
            first = torch.stack([out[-1] for out in self._feed(list(rows), branches, branches, steps)])
        spoken, confidence = self._generate(rows, first, max_new_tokens)
        loglik = self._score(rows, first.float().log_softmax(-1), options)
        texts = [self.tokenizer.decode(tokens, skip_special_tokens=True).strip() for tokens in spoken]
        return [Answer(*parts) for parts in zip(texts, map(tuple, spoken), confidence, first, loglik, strict=True)]

    def _generate(self, rows, first: Tensor, max_new_tokens: int) -> tuple[list[list[int]], list[float]]:
        """Tokens of each answer, up to EOS or `max_new_tokens`, and their probability."""
        stop = self.tokenizer.eos_token_id
        spoken: list[list[int]] = [[] for _ in rows]
        confidence = [1.0] * len(rows)
        logits, active = first, list(range(len(rows)))
        for step in range(max_new_tokens):
            best, new = logits.float().softmax(-1).max(-1)
            for question, token, probability in zip(active, new.tolist(), best.tolist(), strict=True):
                spoken[question].append(token)
                confidence[question] *= probability
            active = [question for question in active if spoken[question][-1] != stop]
            if not active or step + 1 == max_new_tokens:
                break
            fed = [torch.tensor(spoken[question][-1:], device=first.device) for question in active]
            places = [range(len(rows[question]) + step, len(rows[question]) + step + 1) for question in active]
            with lap("next_token", first.device):
                logits = torch.stack([out[-1] for out in self._feed(fed, active, active, places)])
        return [[token for token in tokens if token != stop] for tokens in spoken], confidence

    def _score(self, rows, first: Tensor, options: Sequence[Sequence[str]]) -> list[tuple[float, ...]]:
        """Log-likelihoods; options of several tokens are fed as branches of their question, all at once."""
        ids = [[self.tokenizer(option, add_special_tokens=False).input_ids for option in of] for of in options]
        scores = [[float(first[q, tokens[0]]) for tokens in of] for q, of in enumerate(ids)]
        longer = [(q, o, tokens) for q, of in enumerate(ids) for o, tokens in enumerate(of) if len(tokens) > 1]
        if longer:
            # the answers' keys are in the cache by now; an option grows from the question alone, so it starts at the
            # question's length and sees none of them
            fed = [torch.tensor(tokens[:-1], device=first.device) for _, _, tokens in longer]
            places = [range(len(rows[q]), len(rows[q]) + len(tokens) - 1) for q, _, tokens in longer]
            branches = [len(rows) + i for i in range(len(longer))]
            outs = self._feed(fed, branches, [q for q, _, _ in longer], places)
            for (q, o, tokens), out in zip(longer, outs, strict=True):
                rest = torch.tensor(tokens[1:], device=out.device)
                scores[q][o] += float(out.float().log_softmax(-1).gather(1, rest[:, None]).sum())
        return [tuple(row) for row in scores]

    def _feed(self, rows, branches: list[int], parents: list[int], places: list[range]) -> list[Tensor]:
        """Feed one run of tokens per branch at the given places (counted from the prefix' end) -> logits per run."""
        device = self.positions.device
        lengths = torch.tensor([len(row) for row in rows], device=device)
        branch = torch.tensor(branches, device=device).repeat_interleave(lengths)
        parent = torch.tensor(parents, device=device).repeat_interleave(lengths)
        place = torch.cat([torch.arange(r.start, r.stop, device=device) for r in places])
        start = torch.tensor([r.start for r in places], device=device).repeat_interleave(lengths)
        self.branch, self.place = torch.cat([self.branch, branch]), torch.cat([self.place, place])
        own = (branch[:, None] == self.branch) & (place[:, None] >= self.place)
        inherited = (parent[:, None] == self.branch) & (self.place < start[:, None])
        hidden = self.llm.get_decoder()(
            input_ids=torch.cat(list(rows))[None],
            position_ids=position_ids(self.positions[:, place]),
            attention_mask=(own | inherited)[None, None],
            **handed(self.llm.get_decoder(), self.cache),
        ).last_hidden_state[0]
        return list(self.llm.get_output_embeddings()(hidden).split(lengths.tolist()))
