"""Text from data, shown: judged by the json and csv modules, a terminal emulator's rule, and matplotlib."""

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from intpv.errors import BadInput
from intpv.escape import figure_text, json_text, markdown_cell, markdown_line, printable, spreadsheet_cell

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202etxt\u2028\udc80\n"


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=())))
def test_nothing_that_a_terminal_obeys_is_left(text):
    """The ECMA-48 controls are category Cc; a line is one line; and it can be encoded."""
    shown = printable(text)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(letter) for letter in shown} & {
        "LRO",
        "RLO",
        "LRE",
        "RLE",
        "PDF",
        "LRI",
        "RLI",
    }
    assert len(shown.splitlines()) <= 1
    shown.encode()


def test_letters_of_any_script_stay():
    for text in ("grün", "می‌خواهم", "👩‍🚀", "C:\\new", "日本語"):
        assert printable(text) == text


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=())))
def test_json_shown_is_the_same_json(text):
    shown = json_text({"answer": [text]}, indent=1)
    assert json.loads(shown) == {"answer": [text]}
    assert printable(shown.replace("\n", " ")) == shown.replace("\n", " ")


@pytest.mark.parametrize("text", ["a|b", "a\n| --- |", "\\|", "|" * 4, HOSTILE])
def test_a_cell_of_markdown_ends_nowhere(text):
    """GFM: a pipe ends a cell unless a backslash stands before it."""
    line = markdown_line([text, "1"])
    assert line.count("\n") == 1
    bare = sum(letter == "|" and before != "\\" for before, letter in zip(" " + line, line, strict=False))
    assert bare == 3


def test_markdown_holds_no_html_links_or_pictures_and_keeps_our_own_words():
    assert "<" not in markdown_cell("<img src=x onerror=alert(1)></td><!-- x")
    assert "](" not in markdown_cell("![x](http://a/b.png) [y](javascript:z)")
    for ours in ("-9.3 [-15.2, -4.1]", "yarn window=llm", "p < 0.05", "visual_only"):
        assert markdown_cell(ours) == ours


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", HOSTILE])
def test_no_text_of_a_csv_file_is_a_formula(text):
    file = io.StringIO()
    csv.writer(file).writerow([spreadsheet_cell(text), spreadsheet_cell(-0.5)])
    ((shown, number),) = csv.reader(io.StringIO(file.getvalue()))
    assert shown[0] not in "=+-@\t\r"
    assert float(number) == -0.5


def test_matplotlib_draws_dollars_as_they_are():
    figure = Figure()
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(r"$\frac$ fast")
    with pytest.raises(ValueError, match="Parse"):
        canvas.draw()
    figure.suptitle(figure_text("$\\frac$ fast\x1b\nsecond line"))
    canvas.draw()


def test_what_a_user_reads_of_an_error_is_one_harmless_line():
    line = str(BadInput(f"data={HOSTILE}: got 3"))
    assert line == printable(line)
    assert "\\x1b[2J" in line
