"""What the sweep is measured against: every question as a video of its own, asked and bounded as before."""

from experiments.bench.sweep import Apart
from intpv.data.flipbook import Flipbook
from intpv.data.item_check import check_items


def test_every_question_alone_is_the_same_question(tmp_path):
    whole, apart = (kind(root=str(tmp_path), videos=2) for kind in (Flipbook, Apart))
    check_items(apart.items(), "apart", closed=True)
    assert [q for item in apart.items() for q in item.questions] == [
        q for item in whole.items() for q in item.questions
    ]
    alone = [bound for item in apart.items() for bound in apart.bounds(item, range(0, 64, 8))]
    assert alone == [bound for item in whole.items() for bound in whole.bounds(item, range(0, 64, 8))]
