"""Escape: text that came from data, made harmless for where it is shown: terminal, Markdown, spreadsheet, figure.

Questions, ids, kinds, file names and answers may hold anything. Results keep them as they are; only what is shown is
escaped.
"""

import json
import re
from collections.abc import Sequence

# controls of a terminal (C0, DEL, C1), ends of a line, marks that turn the direction of text, halves of a character;
# joiners stay, which Persian and emoji are written with
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# what ends a cell, begins HTML, or makes a link or a picture of brackets before it
MARKUP = re.compile(r"\||<(?=[A-Za-z/!?])|(?<=\])\(")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """One line that no terminal obeys: what cannot be seen comes out as Python's escapes."""
    return HIDDEN.sub(lambda found: repr(found[0])[1:-1], text)


def json_text(value: object, **settings) -> str:
    """JSON in which letters stay letters and what cannot be seen is escaped, so that it can be shown as it is."""
    lines = json.dumps(value, ensure_ascii=False, **settings).split("\n")  # dumps escapes those inside of texts
    return "\n".join(HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in lines)


def markdown_cell(text: str) -> str:
    """A cell of a Markdown table, in which no data ends the cell or becomes HTML, a link or a picture."""
    return MARKUP.sub(lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", printable(text.strip()))


def markdown_line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(map(markdown_cell, cells))} |\n"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, every cell escaped."""
    return "".join(map(markdown_line, [header, ["---"] * len(header), *rows]))


def spreadsheet_cell(value: object) -> object:
    """A cell of a CSV file: a text that a spreadsheet would calculate gets a quotation mark before it; numbers stay."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if value.startswith(FORMULA) else text


LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
    **{"–": "--", "−": "$-$", "±": r"$\pm$", "≤": r"$\leq$", "µ": r"$\mu$"},
}


def latex_text(text: str) -> str:
    """For LaTeX, where no data is a command; a letter beyond ASCII, which some engines lack, as Python's escape."""
    return "".join(LATEX.get(sign) or _latex_letter(sign) for sign in printable(text))


def _latex_letter(sign: str) -> str:
    return sign if sign.isascii() else LATEX["\\"] + ascii(sign)[2:-1]


def figure_text(text: str) -> str:
    """For matplotlib, which reads what is between two dollars as a formula and fails on any other."""
    return "\n".join(map(printable, text.replace("$", r"\$").split("\n")))
