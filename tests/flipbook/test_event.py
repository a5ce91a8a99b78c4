"""Footprints: how many of the frames shown fall into what a question is about."""

from intpv.flipbook.question import events, shortest


def test_events_are_those_the_question_names(regime, draw_many):
    for scene, questions in draw_many(regime, 50, stream=7):
        for question in questions:
            names = {event.what for event in events(scene, question)}
            if question.kind in ("first", "last", "cause"):
                assert names == {question.answer}
            elif question.kind == "presence":
                assert bool(names) == (question.answer == "yes")
            elif question.about:
                assert names == set(question.about)


def test_the_drawn_duration_is_the_shortest_events(regime, draw_many):
    for scene, questions in draw_many(regime, 50, stream=7):
        for question in questions:
            event = shortest(scene, question)
            if "duration" in question.labels:
                assert event.stop - event.start == question.labels["duration"]


def test_footprint_grows_with_denser_sampling_and_is_the_duration_when_all_is_seen(draw_many):
    for scene, questions in draw_many("fast", 20, stream=8):
        for event in filter(None, (shortest(scene, question) for question in questions)):
            assert event.seen(range(0, 256, 16)) <= event.seen(range(0, 256, 4)) <= event.seen(range(256))
            assert event.seen(range(256)) == event.stop - event.start


def test_eight_frames_meet_every_slow_event(draw_many, times):
    for scene, questions in draw_many("slow", 50, stream=9):
        assert all(event.seen(times) for question in questions for event in events(scene, question))
