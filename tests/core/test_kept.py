"""What is kept is bounded, and many threads may keep at once."""

from concurrent.futures import ThreadPoolExecutor

from planner.core.kept import Kept
from planner.core.snapshot import compile_catalogue
from tests.core.test_snapshot_equals_reference import asked, plain
from tests.worlds import world


def test_the_oldest_result_goes_first() -> None:
    """Three places: the fourth result drops the first, which is then made again."""
    kept, made = Kept(3), []

    def make(key: int) -> int:
        made.append(key)
        return key

    for key in (1, 2, 3, 1, 4, 1):
        assert kept.get_or(key, lambda key=key: make(key)) == key  # type: ignore[misc]  # bound per key
    assert made == [1, 2, 3, 4, 1]
    assert len(kept) == 3


def test_many_threads_get_the_answers_of_one() -> None:
    """Eight threads ask one snapshot a hundred different questions: every answer is that of the plain search."""
    catalogue, _ask = world(7)
    questions = [world(seed)[1] for seed in range(100)]
    expected = [plain(catalogue, question) for question in questions]
    snapshot = compile_catalogue(catalogue)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(lambda question: asked(snapshot, question), questions)) == expected
