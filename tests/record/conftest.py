"""Question records as a cell writes them."""

import pytest


@pytest.fixture
def lines():
    """(video, n) -> the records of a video's n questions."""

    def make(video: str, count: int = 3) -> list[dict]:
        return [
            {
                "id": f"{video}/{i}",
                "video": video,
                "kind": "order",
                "labels": {"gap": 4},
                "question": "Was wurde zuerst gezeigt, rot oder grün?",
                "options": ["rot", "grün"],
                "answer": "grün",
                "prediction": "rot",
                "correct": False,
                "valid": True,
                "ceiling": True,
                "error": None,
            }
            for i in reversed(range(count))
        ]

    return make
