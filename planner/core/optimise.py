"""One option per slot, the largest gain, within bounds: HiGHS searches in doubles, exact sums judge what it finds.

HiGHS may take a choice for allowed that breaks a bound by less than a double can tell. Such a choice is cut off, and
with it every choice that is at least as far out on the same slots, and the search goes on; so nothing that really is
allowed is ever lost. What is returned holds every bound exactly. That nothing better exists is HiGHS's word, good to
about ten digits.

Before HiGHS branches, choices may be split among options: that bounds what any choice can be worth, and by how much
each option would stay behind the bound. A search among the few nearest options of each slot gives a first whole choice.
An option that stays further behind the bound than this one does is in no better choice, and is left out.

HiGHS is imported when something is solved, not before: most of planner never needs it.

Source:
    Q. Huangfu and J. A. J. Hall, "Parallelizing the dual revised simplex method", Mathematical Programming
    Computation 10 (2018); https://highs.dev.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from planner.core.portfolio import ZERO, Constraint, Row

if TYPE_CHECKING:
    from highspy import HighsLp
    from highspy._core import _Highs

OPTIMAL, INFEASIBLE, TIME_LIMIT = "optimal", "infeasible", "time_limit"

# Every row and the objective have their largest coefficient here, so that one tolerance fits all of them.
SCALE = 1_000.0
TOLERANCE = 1e-9
# What a double may be off by, of the largest sums; options this close to being of no use are kept.
SLACK = 1e-6
# So many options HiGHS searches as they are; a first look at more pays off.
FEW_OPTIONS = 200
# Before all options are searched, so many of each slot are, for at most a share of the time that is left.
NEAR_OPTIONS = 4
NEAR_TIME = 0.5
SOLVER = "HiGHS"

Gains = Sequence[Sequence[Fraction]]
"""What every option of every slot is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found: the place of one option per slot, and the largest gain anybody could still find.

    ``status`` is optimal, infeasible, or time_limit; then ``chosen`` is the best so far, or None. ``solves`` counts
    the runs of HiGHS; without any, the best option of each slot broke no bound.
    """

    status: str
    chosen: tuple[int, ...] | None = None
    bound: Fraction | None = None
    solves: int = 0


class Split(NamedTuple):
    """The largest gain of choices that are split among options, and the share of each option in its slot."""

    bound: Fraction
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is searched: gains to add up, rows to keep, and the price of easing a constraint by its rows' step.

    Rows of a constraint in ``easing`` may be broken; the rest may not. With a ``gap`` the search ends where nothing can
    be better by more than this share of what was found.
    """

    gains: Gains
    rows: Sequence[Row]
    easing: Mapping[Constraint, Fraction] = field(default_factory=dict)
    gap: float = 0.0

    def hard(self) -> list[Row]:
        """Return the rows that may not be broken."""
        return [row for row in self.rows if row.constraint not in self.easing]

    def gain(self, chosen: Sequence[int]) -> Fraction:
        """Return what a choice is worth, easing aside."""
        return sum((gains[place] for gains, place in zip(self.gains, chosen, strict=True)), Fraction())


def solve(program: Program, seconds_left: Callable[[], float], start: Sequence[int] | None = None) -> Found:
    """Search a program until the best choice is found or the time is over.

    Args:
        program: at least one option in every slot.
        seconds_left: how many seconds of work are left; asked before every run of HiGHS.
        start: a choice that holds every bound, where one is known.
    """
    # Where the best of every slot fits together, nothing can be better.
    direct = tuple(max(range(len(gains)), key=lambda place: (gains[place], -place)) for gains in program.gains)
    if all(row.holds(direct) for row in program.rows):
        return Found(status=OPTIMAL, chosen=direct, bound=program.gain(direct))
    known = None if start is None else tuple(start)
    if seconds_left() <= 0:
        return Found(status=TIME_LIMIT, chosen=known)
    search, solves, most = _Search(program), 0, None
    if not program.easing and sum(map(len, program.gains)) > FEW_OPTIONS:
        solves, most = 1, search.look(seconds_left())
        if most is not None and known is None:
            later = seconds_left() * (1 - NEAR_TIME)
            found = search.run(lambda: seconds_left() - later, near=NEAR_OPTIONS)
            solves, known = solves + found.solves, found.chosen
        if most is not None and known is not None:
            search.narrow(program.gain(known), most)
    found = Found(status=TIME_LIMIT, chosen=known)
    if not _near_enough(program, known, most):
        found = search.run(seconds_left, known)
    bounds = [bound for bound in (most, found.bound) if bound is not None]
    bound = min(bounds, default=None)
    chosen = found.chosen
    if chosen is None or (known is not None and program.gain(known) > program.gain(chosen)):
        chosen = known
    status = found.status
    if bound is not None and chosen is not None:
        # What was left out is no better than what is known.
        bound = max(bound, program.gain(chosen))
        if not program.easing and _near_enough(program, chosen, bound):
            status = OPTIMAL
    return Found(status=status, chosen=chosen, bound=bound, solves=solves + found.solves)


def split(program: Program, seconds: float) -> Split | None:
    """Return what is best where a slot may be split among its options; None where that was not found out."""
    search = _Search(program)
    most = search.look(seconds)
    if most is None:
        return None
    return Split(most, tuple(tuple(search.split[start:end].tolist()) for start, end in search.columns_of_slots()))


def _near_enough(program: Program, chosen: Sequence[int] | None, bound: Fraction | None) -> bool:
    """Tell whether nothing can be better than a choice by more than the gap."""
    if chosen is None or bound is None:
        return False
    gain = program.gain(chosen)
    return bound - gain <= Fraction(program.gap) * abs(gain)


def _cut(row: Row, chosen: Sequence[int]) -> Row:
    """Return the row that forbids every choice at least as far out as one that breaks a row, on the row's slots."""
    terms = {
        slot: tuple(Fraction(term >= own[chosen[slot]]) for term in own) for slot, own in row.terms.items()
    }  # fmt: skip
    return Row(constraint=row.constraint, terms=terms, limit=Fraction(len(terms) - 1))


class _Line(NamedTuple):
    """One row in doubles: its columns, their terms and its limit."""

    columns: list[int]
    terms: list[float]
    upper: float


class _Search:
    """A program in doubles, and what is known about it so far."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.starts: list[int] = [0]
        for gains in program.gains:
            self.starts.append(self.starts[-1] + len(gains))
        self.columns = self.starts.pop()
        self.eased = {constraint: self.columns + number for number, constraint in enumerate(program.easing)}
        self.lp, self.scale = self._lp()
        self.cuts: list[_Line] = []

    def look(self, seconds: float) -> Fraction | None:
        """Let choices be split among options: return the bound on every choice, or None where nothing was found."""
        import numpy as np  # noqa: PLC0415  # comes with HiGHS
        from highspy import HighsModelStatus  # noqa: PLC0415  # a quarter of a second most of planner does without

        highs = self._highs(seconds)
        highs.setOptionValue("solve_relaxation", True)  # noqa: FBT003  # HiGHS names its options by text
        highs.run()
        if highs.getModelStatus() != HighsModelStatus.kOptimal:
            return None
        split = highs.getSolution()
        self.split, self.behind = np.array(split.col_value), np.array(split.col_dual)
        return -Fraction(highs.getInfo().objective_function_value) / self.scale

    def narrow(self, gain: Fraction, most: Fraction) -> None:
        """Leave out every option that is in no choice worth more than this one."""
        import numpy as np  # noqa: PLC0415  # as above

        worth = float(gain * self.scale)
        room = float(most * self.scale) - worth + SLACK * max(abs(worth), SCALE)
        self.lp.col_upper_ = np.where(self.behind > room, 0.0, np.array(self.lp.col_upper_))

    def _narrow_to(self, highs: "_Highs", options: int) -> None:
        """Leave HiGHS, of every slot, the few options closest to the split choice."""
        import numpy as np  # noqa: PLC0415  # as above

        near = self.split > SLACK
        for start, end in self.columns_of_slots():
            near[start + np.argsort(np.abs(self.behind[start:end]), kind="stable")[:options]] = True
        every, upper = np.arange(self.columns, dtype=np.int32), np.where(near, np.array(self.lp.col_upper_), 0.0)
        highs.changeColsBounds(self.columns, every, np.zeros(self.columns), upper)

    def run(
        self, seconds_left: Callable[[], float], known: tuple[int, ...] | None = None, near: int | None = None
    ) -> Found:
        """Run HiGHS until what it finds holds every bound exactly; ``near``: among so many options of a slot alone."""
        from highspy import HighsModelStatus, HighsSolution  # noqa: PLC0415  # as above

        hard, solves = self.program.hard(), 0
        while (seconds := seconds_left()) > 0:
            highs = self._highs(seconds)
            if near is not None:
                self._narrow_to(highs, near)
            if known is not None:
                start = HighsSolution()
                values = [0.0] * self.columns
                for first, place in zip(self.starts, known, strict=True):
                    values[first + place] = 1.0
                start.col_value = values
                highs.setSolution(start)
            highs.run()
            solves += 1
            status, info = highs.getModelStatus(), highs.getInfo()
            if status == HighsModelStatus.kInfeasible:
                # What is known holds exactly; by the measure of doubles it may not, and then nothing is better.
                return Found(status=INFEASIBLE if known is None else OPTIMAL, chosen=known, solves=solves)
            bound = -Fraction(info.mip_dual_bound) / self.scale if abs(info.mip_dual_bound) < float("inf") else None
            values = highs.getSolution().col_value
            if not values or info.primal_solution_status == 0:
                return Found(status=TIME_LIMIT, bound=bound, solves=solves)
            chosen = self._places(values)
            broken = [row for row in hard if not row.holds(chosen)]
            if not broken:
                ended = OPTIMAL if status == HighsModelStatus.kOptimal else TIME_LIMIT
                return Found(status=ended, chosen=chosen, bound=bound, solves=solves)
            self.cuts += [self._line(_cut(row, chosen)) for row in broken]
        return Found(status=TIME_LIMIT, solves=solves)

    def _places(self, values: Sequence[float]) -> tuple[int, ...]:
        return tuple(
            max(range(end - start), key=lambda place, start=start: values[start + place])  # type: ignore[misc]
            for start, end in self.columns_of_slots()
        )

    def columns_of_slots(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts, [*self.starts[1:], self.columns], strict=True)

    def _highs(self, seconds: float) -> "_Highs":
        """Hand the program over to a new HiGHS."""
        import numpy as np  # noqa: PLC0415  # as above
        from highspy import kHighsInf  # noqa: PLC0415  # as above

        # `Highs`, the class around this one, announces itself on stdout as soon as it is made.
        from highspy._core import _Highs  # noqa: PLC0415  # as above

        highs = _Highs()
        # One thread and one seed: the same question has the same answer, ties included.
        options = {
            "output_flag": False, "threads": 1, "random_seed": 0, "time_limit": seconds,
            "mip_rel_gap": self.program.gap, "mip_abs_gap": TOLERANCE,
            "mip_feasibility_tolerance": TOLERANCE, "primal_feasibility_tolerance": TOLERANCE,
        }  # fmt: skip
        for name, value in options.items():
            highs.setOptionValue(name, value)
        highs.passModel(self.lp)
        for line in self.cuts:
            highs.addRow(
                -kHighsInf, line.upper, len(line.columns), np.array(line.columns, np.int32), np.array(line.terms)
            )
        return highs

    def _line(self, row: Row) -> _Line:
        """Return a row in doubles, scaled."""
        index, value = list[int](), list[float]()
        for slot, own in row.terms.items():
            start = self.starts[slot]
            for place, term in enumerate(own):
                if term is not ZERO and term.numerator:
                    index.append(start + place)
                    value.append(float(term))
        if row.constraint in self.eased and row.step is not None:
            index.append(self.eased[row.constraint])
            value.append(-float(row.step))
        by = SCALE / max(map(abs, value), default=1.0)
        return _Line(index, [term * by for term in value], float(row.limit) * by)

    def _lp(self) -> tuple["HighsLp", Fraction]:
        """Return the program, each row scaled, and the scale of the objective, which is minimised there."""
        import numpy as np  # noqa: PLC0415  # as above
        from highspy import HighsLp, HighsVarType, MatrixFormat, kHighsInf  # noqa: PLC0415  # as above

        every, prices = self.program.gains, list(self.program.easing.values())
        largest = max((abs(gain) for gains in every for gain in gains), default=Fraction())
        scale = Fraction(SCALE) / max([largest, *prices, Fraction(1, 10**12)])
        by = float(scale)
        costs = [-float(gain) * by for gains in every for gain in gains] + [float(price) * by for price in prices]
        lines = [
            _Line(list(range(start, start + len(gains))), [1.0] * len(gains), 1.0)
            for start, gains in zip(self.starts, every, strict=True)
        ]
        lower = [1.0] * len(lines)
        lines += [self._line(row) for row in self.program.rows]
        lower += [-kHighsInf] * len(self.program.rows)
        lp = HighsLp()
        lp.num_col_, lp.num_row_ = len(costs), len(lines)
        lp.col_cost_, lp.col_lower_ = np.array(costs), np.zeros(len(costs))
        lp.col_upper_ = np.array([1.0] * self.columns + [kHighsInf] * len(self.eased))
        lp.row_lower_, lp.row_upper_ = np.array(lower), np.array([line.upper for line in lines])
        lp.integrality_ = [HighsVarType.kInteger] * self.columns + [HighsVarType.kContinuous] * len(self.eased)
        lp.a_matrix_.format_ = MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(line.columns) for line in lines)])
        lp.a_matrix_.index_ = np.array([column for line in lines for column in line.columns])
        lp.a_matrix_.value_ = np.array([term for line in lines for term in line.terms])
        return lp, scale
