"""What holds for all tests of the API."""

import pytest

# These ask core's own questions, and are counted where its lines are; the others run without, which is faster.
_COUNTED = ("broken_questions", "contract", "evidence", "evidence_queue", "impacts", "policies")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count the lines of core under the questions about it alone."""
    for item in items:
        if item.path.parent.name == "api" and item.path.stem.removeprefix("test_") not in _COUNTED:
            item.add_marker(pytest.mark.no_cover)
