"""Tables: the bench's result as Markdown, to be read; every figure is in the JSON too."""

from collections.abc import Iterator
from functools import partial

from ...run.provenance import line
from ..kv import tables as kv
from ..kv.tables import megabytes, table


def as_markdown(result: dict) -> str:
    found = result["parts"]
    pieces = ["# What a GPU makes of it", line(result["provenance"])]
    pieces += [f"Left out: {name}, {reason}" for name, reason in result["left_out"].items()]
    pieces += [text for name, part in found.items() for text in (f"## {name.capitalize()}", *_section(name, part))]
    return "\n\n".join(pieces) + "\n"


def _section(name: str, part: dict) -> Iterator[str]:
    kind = name.split(" ")[0]
    if kind == "tests":
        yield part["last_line"]
        yield "\n".join(f"- {failed}" for failed in part["failed"])
    elif kind == "contract":
        yield f"Largest errors against float64, {part['tokens']} tokens; a bound in brackets."
        yield _contract(part)
    elif kind == "answering":
        yield from _answering(part)
    elif kind == "measuring":
        yield ", ".join(f"{key}: {value if isinstance(value, str) else f'{value:.3g}'}" for key, value in part.items())
    elif kind == "decoder":
        yield kv.decoder(part)
    elif kind == "rows":
        yield kv.rows(part)
    else:
        yield _cost(part)


def _contract(part: dict) -> str:
    lines = [
        [name, rows, one["path"], *map(partial(_error, one), ("out", "lse")), "yes" if one["holds"] else "**no**"]
        for name, of in part["options"].items()
        for rows, one in of.items()
    ]
    return table(["policy", "rows", "read by", "out", "lse", "holds"], lines)


def _error(one: dict, key: str) -> str:
    return f"{one[key]:.1e} [{one[f'{key}_bound']:.1e}]"


def _answering(part: dict) -> Iterator[str]:
    plain = part["generate"]
    yield (
        f"{part['tokens']} tokens; tower {kv.spread(part['encode_s'])} s, prefill {kv.spread(part['prefill_s'])} s. "
        f"transformers' generate: {kv.spread(plain['question_s'])} s for one question, "
        f"{megabytes(plain['peak_bytes'])} MB more."
    )
    heads = ["policy", "held MB", "pack s", "ask s", "first tokens s", "step ms", "pack MB", "ask MB", "as generate"]
    lines = [
        [name, megabytes(one["bytes"]), *(kv.spread(one[key]) for key in ("pack_s", "ask_s", "first_token_s"))]
        + [kv.spread({key: value * 1e3 for key, value in one["next_token_s"].items()})]
        + [megabytes(one[f"{key}_peak_bytes"]) for key in ("pack", "ask")]
        + [f"{100 * one['same_tokens']:.0f} %"]
        for name, one in part["options"].items()
    ]
    yield table(heads, lines)


def _cost(part: dict) -> str:
    rows = part["measured"]
    heads = ["frames", *(f"{key} {name}" for key in ("kv", "watch_peak", "decode_s") for name in rows[0][key])]
    lines = [
        [str(row["frames"])]
        + [f"{row[key][name] / 1e9:.2f}" for key in ("kv", "watch_peak") for name in row[key]]
        + [f"{row['decode_s'][name]:.4f}" for name in row["decode_s"]]
        for row in rows
    ]
    return "GB and seconds.\n\n" + table(heads, lines)
