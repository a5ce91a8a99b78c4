"""Video-MME: parquet and TSV give the same questions; subtitles stand before them where they are asked for."""

import csv
import io

import pytest

from intpv.data.item_check import check_items
from intpv.data.videomme import VideoMme
from intpv.errors import BadInput

ROW = {
    "video_id": "001",
    "duration": "short",
    "domain": "Knowledge",
    "sub_category": "Astronomy",
    "url": "https://www.youtube.com/watch?v=fFjv93ACGo8",
    "videoID": "fFjv93ACGo8",
    "question_id": "001-1",
    "task_type": "Counting Problem",
    "question": "How many stars?",
    "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."],
    "answer": "C",
}
SECOND = ROW | {"question_id": "001-2", "question": "Who\tlooks?", "answer": "A"}
SRT = "".join(f'{n}\n00:00:0{n},000 --> 00:00:0{n},900\n<font color="white">line {n}</font>\n\n' for n in range(1, 7))


def _tsv(*rows):
    """As pandas' to_csv writes VLMEvalKit's table."""
    file = io.StringIO()
    names = ("index", "video", "duration", "domain", "candidates", "sub_category", "task_type", "question", "answer")
    writer = csv.DictWriter(file, names, delimiter="\t", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for index, row in enumerate(rows):
        writer.writerow({**row, "index": index, "video": row["videoID"], "candidates": row["options"]})
    return file.getvalue()


def test_a_question(write, caplog):
    root = write({"Video-MME.tsv": _tsv(ROW, SECOND)}, ("data/fFjv93ACGo8.mp4",))
    (item,) = items = VideoMme(root, "data", questions="Video-MME.tsv").items()
    assert item.path == f"{root}/data/fFjv93ACGo8.mp4"
    first, second = item.questions
    assert (first.id, second.id) == ("fFjv93ACGo8/0", "fFjv93ACGo8/1")
    assert (first.kind, first.answer, second.answer) == ("Counting Problem", "Three.", "One.")
    assert first.labels == {"regime": "short", "domain": "Knowledge", "sub_category": "Astronomy"}
    assert first.text == "How many stars?\nA. One.\nB. Two.\nC. Three.\nD. Four."
    assert "has 2 questions, Video-MME has 2,700 as published" in caplog.text
    check_items(items, "videomme", closed=True)


def test_the_parquet_gives_the_same_questions(write, tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="pip install pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    root = write({"Video-MME.tsv": _tsv(ROW, SECOND)})
    parquet.write_table(arrow.Table.from_pylist([ROW, SECOND]), tmp_path / "test.parquet")
    ours, theirs = (VideoMme(root, questions=name).items()[0] for name in ("test.parquet", "Video-MME.tsv"))
    for one, other, row in zip(ours.questions, theirs.questions, (ROW, SECOND), strict=True):
        assert (one.id, one.text, one.options, one.answer) == (other.id, other.text, other.options, other.answer)
        assert one.labels == other.labels | {name: row[name] for name in ("video_id", "question_id")}
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "test.parquet").read_bytes()[:99])
    with pytest.raises(BadInput, match=r"torn.parquet cannot be read"):
        VideoMme(root, questions="torn.parquet").items()
    parquet.write_table(arrow.table({"question": ["What?"]}), tmp_path / "other.parquet")
    with pytest.raises(BadInput, match=r"other.parquet: must have the columns videoID, .* got question$"):
        VideoMme(root, questions="other.parquet").items()


def test_subtitles_stand_before_every_question_of_their_video(write):
    files = {"Video-MME.tsv": _tsv(ROW, SECOND, ROW | {"videoID": "mute"}), "subtitle/fFjv93ACGo8.srt": SRT}
    options = {
        "questions": "Video-MME.tsv",
        "prompt": "{question} {options}",
        "subtitle_prompt": "Said:\n{subtitles}\n",
    }
    spoken, mute = VideoMme(write(files), subtitles=3, **options).items()
    for question in spoken.questions:
        assert question.text.startswith("Said:\nline 2\nline 4\nline 6\n")
        assert question.labels["subtitles"] is True
    assert mute.questions[0].text.startswith("How many")
    assert mute.questions[0].labels["subtitles"] is False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration": "hours"}, "duration must be one of short, medium, long, got hours"),
        ({"answer": "E"}, "answer must be one of A, B, C, D, got E"),
        ({"options": "A. One"}, "candidates must be a list as Python writes it, got A. One"),
        ({"options": 5}, "options must be a list of at least two texts, got 5"),
    ],
)
def test_what_is_wrong(write, changes, message):
    root = write({"Video-MME.tsv": _tsv(ROW | changes)})
    with pytest.raises(BadInput, match=rf"Video-MME.tsv, line 2: {message}"):
        VideoMme(root, questions="Video-MME.tsv").items()


def test_a_file_of_another_form(write):
    with pytest.raises(BadInput, match=r"data.questions must end in .parquet or .tsv, got test.json"):
        VideoMme(write({"test.json": []}), questions="test.json").items()
