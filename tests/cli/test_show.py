"""Tables on narrow terminals: a figure or an id is whole on its line, or the row is printed as a block."""

import io

import pytest
from rich.console import Console

from planner.cli import show

COLUMNS = [("offer", "left"), ("USD/request", "right"), ("USD/period", "right"), ("why", "left")]
ROW = (
    "openrouter:streamlake/deepseek/deepseek-v3.2@fp8", "0.000741124312", "0.667011881250",
    "a rate fell by more than half and no other source says the same of it today",
)  # fmt: skip


def printed(width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Print one row on a terminal of so many columns."""
    screen = io.StringIO()
    monkeypatch.setattr(show, "out", Console(file=screen, width=width, highlight=False))
    show.table("answer", COLUMNS, [ROW])
    return screen.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_no_figure_and_no_id_is_ever_split(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 80 columns on, each of them stands whole on one line."""
    lines = printed(width, monkeypatch).splitlines()
    for cell in ROW[:3]:
        assert any(cell in line for line in lines), cell
    assert all(len(line) <= width for line in lines)


def test_wide_terminals_show_a_table_and_narrow_ones_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heading line where it fits; a label before each value where it does not."""
    assert "offer" in printed(160, monkeypatch).splitlines()[1].split()[0]
    narrow = printed(80, monkeypatch).splitlines()
    assert narrow[1].split() == ["offer", ROW[0]]
    assert narrow[2].split() == ["USD/request", ROW[1]]
