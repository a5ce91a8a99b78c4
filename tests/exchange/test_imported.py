"""Options and targets: read as they are meant, whichever of three ways a file counts in."""

from intpv.exchange.imported import count_by_index, lettered_options, meant


def test_options_are_the_last_run_of_letters():
    assert lettered_options("A. No, this.\nWhich?\n(A) red\n(B) a man. C. no\n(C) blue\nAnswer:") == (
        "red",
        "a man. C. no",
        "blue",
    )
    assert lettered_options("A. one alone") == lettered_options("B. x\nC. y") == ()


def test_numbers_are_indices_only_where_all_of_a_file_are():
    counts = ("1", "2", "3", "4")
    assert count_by_index([("3", counts), ("0", counts)])
    assert not count_by_index([("3", counts), ("1", counts)])  # both are among the texts
    assert not count_by_index([("3", counts), ("4", counts)])  # 4 is no index: these are texts
    assert not count_by_index([("B", counts), ("1", counts)])
    assert meant("3", counts, by_index=True) == "4"
    assert meant("3", counts, by_index=False) == "3"
    assert meant("C", counts, by_index=False) == "3"
    assert meant("E", counts, by_index=False) == "E"
