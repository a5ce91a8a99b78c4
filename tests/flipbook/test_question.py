"""The answer is what the pictures show, judged by a reader of pixels who sees every frame of the clip."""

from collections import Counter

from intpv.flipbook.question import KINDS
from intpv.flipbook.scene import STEPS


def test_a_reader_who_sees_every_frame_agrees_with_every_answer(regime, draw_many, glimpses, read_off):
    for scene, questions in draw_many(regime, 8, stream=4):
        seen = glimpses(scene, range(STEPS))
        assert [read_off(question, range(STEPS), seen) for question in questions] == [q.answer for q in questions]


def test_ten_questions_of_all_kinds_with_the_answer_among_the_options(regime, draw_many):
    for scene, questions in draw_many(regime, 300, stream=5):
        kinds = Counter(question.kind for question in questions)
        single = len(scene.flashes) == 1  # nothing to order
        assert kinds == Counter(KINDS) + Counter(["presence", "when" if single else "order"]) - Counter(["order"])
        assert all(question.answer in question.options for question in questions)
        assert {q.answer for q in questions if q.kind == "presence"} == {"yes", "no"}


def test_the_place_of_a_presence_question_tells_nothing_of_its_answer(regime, draw_many):
    first = [next(q.answer for q in questions if q.kind == "presence") for _, questions in draw_many(regime, 300, 7)]
    assert 115 <= first.count("yes") <= 185  # four standard deviations


def test_a_color_asked_about_is_named_in_the_text(regime, draw_many):
    for _, questions in draw_many(regime, 50, stream=6):
        for question in questions:
            assert all(name in question.text for name in question.about)
