"""The judge of attention in segments: a Llama by hand in float64, whose logits follow from a distance of each pair."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor

from intpv.attention_kl.streaming import Side
from intpv.attention_kl.subject import Subject

Distance = Callable[[Tensor, Tensor], Tensor]  # of queries m (R, 1) and keys k (1, T) -> (R, T)
Past = list[tuple[Tensor, Tensor]]  # of each layer keys (H_kv, S, d), not rotated, and values


def self_extended(near: int, group: int) -> Distance:
    """arXiv 2401.01325, Eq 3 and 4."""
    return lambda m, k: torch.where(m - k < near, m - k, m // group + near - near // group - k // group)


def rectified(near: int, step: float) -> Distance:
    """min(m - k, w), and leaky."""
    return lambda m, k: torch.where(m - k < near, (m - k).double(), near + step * (m - k - near))


def dual_chunks(length: int, furthest: int) -> Distance:
    """arXiv 2402.17463, section 2: within a chunk, to the one before, to all older ones."""

    def distance(m: Tensor, k: Tensor) -> Tensor:
        back, place = m // length - k // length, k % length
        successive = torch.minimum(m % length + length, torch.tensor(furthest)) - place
        older = min(2 * length - 1, furthest) - place
        return torch.where(back == 0, m - k, torch.where(back == 1, successive, older))

    return distance


def plain(m: Tensor, k: Tensor) -> Tensor:
    return m - k


def sharper(trained_length: int) -> Callable[[Tensor], Tensor]:
    """max(1, ln(m + 1) / ln L)."""
    return lambda m: torch.tensor([max(1.0, math.log(x + 1) / math.log(trained_length)) for x in m.tolist()]).double()


def unrotated(keys: Tensor, angles: Tensor, scale: float) -> Tensor:
    """Keys as they were before RoPE, float64."""
    first, second = keys.double().chunk(2, -1)
    cos, sin = angles.double().cos() / scale, angles.double().sin() / scale
    return torch.cat([first * cos + second * sin, second * cos - first * sin], -1)


def past_of(packed, rotation) -> Past:
    """Of a packed prefix, as it hands its keys and values out."""
    past = []
    for layer in packed.layers:
        keys, values = (torch.cat(x, 1) for x in zip(*layer.blocks(), strict=True))
        past.append((unrotated(keys, rotation.unrotation, rotation.scale), values.double()))
    return past


def assert_answered(judge: "ByDistance", model, past: Past, question: str, answer) -> None:
    """Logits of the first token to 1e-4, and every token the judge's likeliest."""
    asked = model.tokenizer(model.prompt.question(question), add_special_tokens=False).input_ids
    logits, _ = judge.read(model.llm.get_input_embeddings()(torch.tensor([*asked, *answer.tokens])), past)
    torch.testing.assert_close(answer.logits.double(), logits[len(asked) - 1], atol=1e-4, rtol=1e-4)
    assert logits[len(asked) - 1 :].argmax(-1).tolist()[: len(answer.tokens)] == list(answer.tokens)


def assert_measured_as_attended(subject: Subject, rows, atol: float) -> None:
    """The output that follows from attention KL's logits is the one that a layer hands on."""
    seen, outputs = [], []
    hooks = [
        layer.self_attn.o_proj.register_forward_pre_hook(lambda _, given: outputs.append(given[0][0]))
        for layer in subject.decoder.layers
    ]
    subject.read(rows, lambda layer, asked: seen.append(asked))
    for hook in hooks:
        hook.remove()
    for asked, layer, output in zip(seen, subject.prefix.layers, outputs, strict=True):
        side, logits, values, start = Side(asked, layer), [], [], 0
        for keys, value in side.blocks():
            logits.append(side.logits(keys, start, subject.start))
            values.append(value)
            start += keys.shape[1]
        logits[-1] = logits[-1].masked_fill(~asked.mask, -torch.inf)
        out = torch.cat(logits, -1).softmax(-1) @ torch.cat(values, 1).float()
        torch.testing.assert_close(out.transpose(0, 1).flatten(1).double(), output.double(), atol=atol, rtol=1e-5)


class ByDistance:
    """A Llama of transformers, its attention logits q . R(distance) k; `weight` is what a key counts for to a query."""

    def __init__(
        self,
        llm,
        distance: Distance,
        sharpness=lambda m: torch.ones(len(m)).double(),
        square: float = 1.0,
        weight: Distance = lambda m, k: (k <= m).double(),
    ):
        self.model, self.distance, self.sharpness = copy.deepcopy(llm).double(), distance, sharpness
        self.square, self.weight = square, weight

    @torch.no_grad()
    def read(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """Embeddings (R, D) after `past` -> logits (R, vocabulary), and keys and values of all tokens."""
        decoder, config = self.model.get_decoder(), self.model.get_decoder().config
        x, kept = x.double(), []
        start = past[0][0].shape[1] if past else 0
        for index, layer in enumerate(decoder.layers):
            attention, h = layer.self_attn, layer.input_layernorm(x)
            q, k, v = (p(h).unflatten(-1, (-1, attention.head_dim)).transpose(0, 1)
                       for p in (attention.q_proj, attention.k_proj, attention.v_proj))  # fmt: skip
            if past:
                k, v = (torch.cat([old.double(), new], 1) for old, new in zip(past[index], (k, v), strict=True))
            kept.append((k, v))
            out = self._attend(q, k, v, start, config.rope_parameters["rope_theta"])
            x = x + attention.o_proj(out.transpose(0, 1).flatten(1))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.model.get_output_embeddings()(decoder.norm(x)), kept

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, start: int, base: float) -> Tensor:
        share, half = len(q) // len(k), q.shape[-1] // 2
        m, n = torch.arange(start, start + q.shape[1]), torch.arange(k.shape[1])
        turns = base ** (-torch.arange(half).double() / half)
        # a pair of channels as a complex number: q . R(distance) k is the real part of q conj(k) turned
        rows, keys = (torch.complex(*x.chunk(2, -1)) for x in (q, k.repeat_interleave(share, 0)))
        away = torch.polar(torch.ones(()).double(), self.distance(m[:, None], n[None]).double()[..., None] * turns)
        logits = torch.einsum("hmc,hnc,mnc->hmn", rows, keys.conj(), away).real
        logits = logits * self.square * self.sharpness(m)[:, None] * q.shape[-1] ** -0.5
        logits = logits + self.weight(m[:, None], n[None]).log()
        return logits.softmax(-1) @ v.repeat_interleave(share, 0)
