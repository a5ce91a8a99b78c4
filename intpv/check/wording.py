"""Wording: prompt and tokenizer, as ids: nothing lost, BOS once, and an end that model and tokenizer agree on."""

from typing import cast

from torch import nn

from intpv.check.finding import Check, Wrong
from intpv.check.shown_model import QUESTIONS, Subject
from intpv.encoder.prefix_pieces import first_words, words
from intpv.model.loading.generation import in_words, not_followed, stated_stops


def checks(subject: Subject, drawn: bool) -> list[Check]:
    """`drawn`: weights are random, and the words are the mini model's, who knows few."""
    return [
        Check("prompt", lambda: _prompt(subject), needed=True),
        Check("words known", lambda: _known(subject, drawn)),
        Check("BOS", lambda: _bos(subject)),
        Check("EOS", lambda: _eos(subject)),
        Check("generation", lambda: _generation(subject)),
    ]


def _ids(subject: Subject) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Text and ids of each piece."""
    model = subject.model
    prompt, tokenizer, behind = model.prompt, model.tokenizer, model.encoder.behind
    return {
        "before_video": (prompt.before_video, first_words(tokenizer, prompt.before_video).ids),
        "after_video": (prompt.after_video, words(tokenizer, prompt.after_video, behind).ids),
        "ask": (prompt.question(QUESTIONS[0]), subject.question(QUESTIONS[0]).ids),
    }


def _prompt(subject: Subject) -> str:
    tokenizer = subject.model.tokenizer
    rows = cast(nn.Embedding, subject.model.llm.get_input_embeddings()).num_embeddings
    pieces = _ids(subject)
    for name, (text, ids) in pieces.items():
        own = [one for one in ids if one != tokenizer.bos_token_id]
        if not own and (text.strip() or name == "ask"):
            raise Wrong(f"prompt.{name} has {len(own)} tokens, its text {len(text)} characters")
        if ids and max(ids) >= rows:
            raise Wrong(f"prompt.{name} holds token {max(ids)}, the model embeds {rows}")
    if subject.question(QUESTIONS[0]) == subject.question(QUESTIONS[1]):
        raise Wrong(f"prompt.ask gives the same tokens for 2 questions: it must hold {{question}}, got {text!r}")
    return ", ".join(f"{name} {len(ids)} tokens" for name, (_, ids) in pieces.items())


def _known(subject: Subject, drawn: bool) -> str:
    unknown = subject.model.tokenizer.unk_token_id
    counts = {name: 0 if unknown is None else ids.count(unknown) for name, (_, ids) in _ids(subject).items()}
    if any(counts.values()) and not drawn:
        raise Wrong(", ".join(f"prompt.{name} holds {count} unknown tokens" for name, count in counts.items() if count))
    return f"{sum(counts.values())} unknown tokens" + ", for random weights come with the mini model's words" * drawn


def _bos(subject: Subject) -> str:
    bos = subject.model.tokenizer.bos_token_id
    row = [one for _, ids in _ids(subject).values() for one in ids]
    adds = subject.model.tokenizer("a").input_ids[:1] == [bos]
    expected = 1 if bos is not None and adds else 0
    if (count := row.count(bos)) != expected:
        raise Wrong(f"{count} times in prefix and question, the tokenizer puts it {expected} times")
    if expected and row[0] != bos:
        raise Wrong(f"the prefix begins with token {row[0]}, BOS is {bos}")
    return f"token {bos}, {count} times" if expected else "the tokenizer puts none"


def _eos(subject: Subject) -> str:
    """The tokenizer's is one of those that end an answer: the model must have learnt to say that one."""
    tokenizer, llm = subject.model.tokenizer, subject.model.llm
    eos, rows = tokenizer.eos_token_id, llm.get_output_embeddings().weight.shape[0]
    if eos is None or eos not in tokenizer.get_vocab().values() or eos >= rows:
        raise Wrong(f"the tokenizer's is {eos}, the tokenizer has {len(tokenizer)} tokens and the model says {rows}")
    stated = stated_stops(llm)
    listed = ", ".join(map(str, sorted(stated)))
    if stated and eos not in stated:
        raise Wrong(f"the tokenizer's is {eos}, the model's config states {listed}")
    return f"token {eos}, the model's config states {listed or 'none'}"


def _generation(subject: Subject) -> str:
    asked = in_words(not_followed(subject.model.llm))
    return f"greedy, as every answer is; the checkpoint asks for {asked or 'nothing else'}"
