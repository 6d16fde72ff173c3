"""One option per slot, the largest gain, within bounds: HiGHS searches in doubles, exact sums judge what it finds.

HiGHS may take a choice for allowed that breaks a bound by less than a double can tell. Such a choice is cut off, and
with it every choice that is at least as far out on the same slots, and the search goes on; so nothing that really is
allowed is ever lost. What is returned holds every bound exactly. That nothing better exists is HiGHS's word, good to
about ten digits.

HiGHS is imported when something is solved, not before: most of planner never needs it.

Source:
    Q. Huangfu and J. A. J. Hall, "Parallelizing the dual revised simplex method", Mathematical Programming
    Computation 10 (2018); https://highs.dev.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from planner.core.portfolio import Constraint, Row

if TYPE_CHECKING:
    from highspy._core import _Highs

OPTIMAL, INFEASIBLE, TIME_LIMIT = "optimal", "infeasible", "time_limit"

# Every row and the objective have their largest coefficient here, so that one tolerance fits all of them.
SCALE = 1_000.0
TOLERANCE = 1e-9
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


def solve(program: Program, seconds_left: Callable[[], float]) -> Found:
    """Search a program until the best choice is found or the time is over.

    Args:
        program: at least one option in every slot.
        seconds_left: how many seconds of work are left; asked before every run of HiGHS.
    """
    # Where the best of every slot fits together, nothing can be better.
    direct = tuple(max(range(len(gains)), key=lambda place: (gains[place], -place)) for gains in program.gains)
    if all(row.holds(direct) for row in program.rows):
        return Found(status=OPTIMAL, chosen=direct, bound=program.gain(direct))
    hard, cuts, solves = program.hard(), list[Row](), 0
    while (seconds := seconds_left()) > 0:
        found = _run(program, cuts, seconds)
        solves += 1
        broken = [] if found.chosen is None else [row for row in hard if not row.holds(found.chosen)]
        if not broken:
            return Found(status=found.status, chosen=found.chosen, bound=found.bound, solves=solves)
        cuts += [_cut(row, found.chosen or ()) for row in broken]
    return Found(status=TIME_LIMIT, solves=solves)


def _cut(row: Row, chosen: Sequence[int]) -> Row:
    """Return the row that forbids every choice at least as far out as one that breaks a row, on the row's slots."""
    terms = {
        slot: tuple(Fraction(term >= own[chosen[slot]]) for term in own) for slot, own in row.terms.items()
    }  # fmt: skip
    return Row(constraint=row.constraint, terms=terms, limit=Fraction(len(terms) - 1))


def _run(program: Program, cuts: Sequence[Row], seconds: float) -> Found:
    """Run HiGHS once."""
    # `Highs`, the class around this one, announces itself on stdout as soon as it is made.
    from highspy import HighsModelStatus  # noqa: PLC0415  # a quarter of a second most of planner does without
    from highspy._core import _Highs  # noqa: PLC0415  # as above

    highs = _Highs()
    # One thread and one seed: the same question has the same answer, ties included.
    options = {
        "output_flag": False, "threads": 1, "random_seed": 0, "time_limit": seconds,
        "mip_rel_gap": program.gap, "mip_abs_gap": TOLERANCE,
        "mip_feasibility_tolerance": TOLERANCE, "primal_feasibility_tolerance": TOLERANCE,
    }  # fmt: skip
    for name, value in options.items():
        highs.setOptionValue(name, value)
    scale = _pass(highs, program, cuts)
    highs.run()
    status = highs.getModelStatus()
    if status == HighsModelStatus.kInfeasible:
        return Found(status=INFEASIBLE)
    info, values = highs.getInfo(), highs.getSolution().col_value
    bound = -Fraction(info.mip_dual_bound) / scale if abs(info.mip_dual_bound) < float("inf") else None
    if not values or info.primal_solution_status == 0:
        return Found(status=TIME_LIMIT, bound=bound)
    chosen, start = [], 0
    for gains in program.gains:
        places = values[start : start + len(gains)]
        chosen.append(max(range(len(places)), key=places.__getitem__))
        start += len(gains)
    return Found(
        status=OPTIMAL if status == HighsModelStatus.kOptimal else TIME_LIMIT, chosen=tuple(chosen), bound=bound
    )


def _pass(highs: "_Highs", program: Program, cuts: Sequence[Row]) -> Fraction:
    """Hand the program over, each row scaled; return the scale of the objective, which is minimised there."""
    import numpy as np  # noqa: PLC0415  # comes with HiGHS
    from highspy import HighsLp, HighsVarType, MatrixFormat, kHighsInf  # noqa: PLC0415  # as above

    starts, columns = [], 0
    for gains in program.gains:
        starts.append(columns)
        columns += len(gains)
    eased = {constraint: columns + number for number, constraint in enumerate(program.easing)}
    prices = list(program.easing.values())
    largest = max((abs(gain) for gains in program.gains for gain in gains), default=Fraction())
    scale = Fraction(SCALE) / max([largest, *prices, Fraction(1, 10**12)])
    costs = [float(-gain * scale) for gains in program.gains for gain in gains]
    costs += [float(price * scale) for price in prices]

    index: list[int] = []
    value: list[float] = []
    begins, lower, upper = [0], [], []
    for start, gains in zip(starts, program.gains, strict=True):
        index += range(start, start + len(gains))
        value += [1.0] * len(gains)
        begins.append(len(index))
        lower.append(1.0)
        upper.append(1.0)
    for row in (*program.rows, *cuts):
        terms = {slot: own for slot, own in row.terms.items() if any(own)}
        entries = [
            (starts[slot] + place, term) for slot, own in terms.items() for place, term in enumerate(own) if term
        ]
        if row.constraint in eased and row.step is not None:
            entries.append((eased[row.constraint], -row.step))
        by = max((abs(term) for _column, term in entries), default=Fraction(1))
        index += [column for column, _term in entries]
        value += [SCALE * float(term / by) for _column, term in entries]
        begins.append(len(index))
        lower.append(-kHighsInf)
        upper.append(SCALE * float(row.limit / by))

    lp = HighsLp()
    lp.num_col_, lp.num_row_ = len(costs), len(upper)
    lp.col_cost_, lp.col_lower_ = np.array(costs), np.zeros(len(costs))
    lp.col_upper_ = np.array([1.0] * columns + [kHighsInf] * len(eased))
    lp.row_lower_, lp.row_upper_ = np.array(lower), np.array(upper)
    lp.integrality_ = [HighsVarType.kInteger] * columns + [HighsVarType.kContinuous] * len(eased)
    lp.a_matrix_.format_ = MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array(begins), np.array(index)
    lp.a_matrix_.value_ = np.array(value)
    highs.passModel(lp)
    return scale
