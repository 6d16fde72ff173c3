"""What all rows of a file show together, before any of them is booked: read one by one, or asked by a query."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from planner.core.errors import InvalidInput
from planner.core.event import UNKNOWN, Containment, Event, Judge, Role
from planner.core.posting import Measures
from planner.core.price import Context
from planner.core.rating import unreadable
from planner.core.revenue import Item
from planner.flows.rating_by_query import event_of, same_text
from planner.flows.successors import days_of
from planner.ledger.bulk_columns import COUNT_MAX
from planner.ledger.bulk_file import BulkFile, Shown
from planner.ledger.format import File, Format, Given, Read, Refused, Skipped

NAMED_MAX = 100
"""Rows that are named in a summary, of those that were refused; all are counted."""


@dataclass(slots=True)
class Summary:
    """What was found in a file, and what became of it.

    ``outcomes`` counts rows by what became of them, ``refused`` names those that could not be read with their reasons,
    ``skipped`` counts those left out on purpose by reason. ``containment`` says for each provider whether prompts
    contain their cached part, and how that is known. ``measures`` are of the rows that were booked by this import,
    ``unpriced`` counts those without a cost by reason; ``evidence_usd`` is what rows state that do not count.
    ``revenue`` is what items come to, and ``invoiced`` what lines of invoices do: kind and currency -> amount.
    ``in_place``: the rows stay in their file.
    ``vanished`` counts rows on record that were not told again, and now count nothing.
    """

    file: str
    format: str
    because: str
    source: str
    role: str
    dry_run: bool
    strict: bool
    in_place: bool = False
    import_id: int | None = None
    repeated: int | None = None
    rows: int = 0
    vanished: int = 0
    previewed: int | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    refused_rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    containment: dict[str, Containment] = field(default_factory=dict)
    measures: dict[str, Measures] = field(default_factory=dict)
    unpriced: Counter[str] = field(default_factory=Counter)
    evidence_usd: Decimal = Decimal(0)
    revenue: dict[tuple[str, str], str] = field(default_factory=dict)
    invoiced: dict[tuple[str, str], str] = field(default_factory=dict)
    stopped: str | None = None
    told: tuple[tuple[Event, dict[int, bool]], ...] = ()
    _refused_once: set[str] = field(default_factory=set)

    def refuse(self, refused: Refused) -> None:
        """Count a row that cannot be read, and name it while there are few."""
        self.refused_rows += 1
        if len(self.refused) < NAMED_MAX:
            self.refused.append(refused)

    def refuse_once(self, refused: Refused) -> None:
        """Do the same with a row that may have been refused before, when the whole file was looked at."""
        if refused.place not in self._refused_once:
            self._refused_once.add(refused.place)
            self.refuse(refused)


def known_containments(summary: Summary) -> dict[str, Containment]:
    """Return whether prompts contain their cached part, for each provider.

    Raises:
        InvalidInput: a person has to say.
    """
    undecided = [provider or "-" for provider, found in summary.containment.items() if found.because == UNKNOWN]
    if undecided:
        raise InvalidInput(
            "includes_cached",
            f"it is not known whether prompts of {', '.join(undecided)} contain their cached part: say",
        )
    return {provider: one for provider, one in summary.containment.items() if one.includes_cached is not None}


class Survey:
    """What all rows of a file show together: what prompts contain, who was paid on which days, what is impossible."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._judges: dict[str, Judge] = {}
        # Whether counts contradict each other depends on what the prompts contain, which the last row may decide.
        self._doubtful: list[tuple[str, str, dict[bool, str | None]]] = []
        self._told: dict[tuple[str | None, ...], tuple[Event, dict[int, bool]]] = {}

    def see(self, place: str, event: Event) -> None:
        """Note what one row shows."""
        provider = event.provider or ""
        if any(event.counts.get(name) for name in _TOKENS):
            self._judges.setdefault(provider, Judge(self._given.includes_cached)).see(event)
        problems = {inside: unreadable(event, includes_cached=inside) for inside in (True, False)}
        # A row that is impossible one way only says which way it is, and that is the judge's to weigh.
        if problems[False] is not None:
            self._doubtful.append((place, provider, problems))
        named = event.request_id is not None
        _event, days = self._told.setdefault((event.offer, event.channel, provider, event.model), (event, {}))
        for day in days_of(event):
            days[day] = days.get(day, True) and named

    def show(self, shown: Shown, event: Event) -> None:
        """Note what plain rows show together; ``event`` says how they name who served them."""
        provider = event.provider or ""
        if shown.tokens:
            judge = self._judges.setdefault(provider, Judge(self._given.includes_cached))
            judge.declared = event.includes_cached if judge.declared is None else judge.declared
            judge.inside += shown.inside
            judge.beside += shown.beside
            judge.larger += shown.larger
            judge.cached += shown.cached
        _event, days = self._told.setdefault((event.offer, event.channel, provider, event.model), (event, {}))
        days |= dict.fromkeys(shown.days, False)

    def inside(self, provider: str) -> bool:
        """Return whether prompts contain their cached part, by what was seen until now."""
        judge = self._judges.get(provider)
        return judge is None or judge.verdict().includes_cached is not False

    def doubt(self, place: str, event: Event) -> None:
        """Note whether a row is impossible whose prompts were judged before."""
        problems = {inside: unreadable(event, includes_cached=inside) for inside in (True, False)}
        if problems[False] is not None and all(known != place for known, _provider, _problems in self._doubtful):
            self._doubtful.append((place, event.provider or "", problems))

    def end(self, summary: Summary) -> None:
        """Write what was found."""
        summary.containment = {provider: judge.verdict() for provider, judge in self._judges.items()}
        # In the order of the file, in which places such as `row 17` are not those of an alphabet.
        for place, provider, problems in sorted(self._doubtful, key=lambda doubt: (len(doubt[0]), doubt[0])):
            found = summary.containment.get(provider)
            problem = problems[found is None or found.includes_cached is not False]
            if problem is not None:
                summary.refuse_once(Refused(place, problem))
        summary.told = tuple(self._told.values())


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens")


def survey(opened: File, chosen: Format, given: Given, summary: Summary, *, held: bool = False) -> list[Event]:
    """See whether every row can be read, and what they show together; return them if ``held`` against others."""
    seen, kept = Survey(given), list[Event]()
    for read in chosen.read(opened, given):
        summary.rows += 1
        if isinstance(read, Refused):
            summary.refuse(read)
        elif isinstance(read, Skipped):
            summary.skipped[read.reason] += 1
        elif isinstance(read.said, Event):
            seen.see(read.place, read.said)
            if held:
                kept.append(read.said)
        elif isinstance(read.said, Item) and summary.role == Role.EVIDENCE.value:
            raise InvalidInput("role", "revenue has none and always counts: leave it out")
    seen.end(summary)
    return kept


def survey_by_query(file: BulkFile, chosen: Format, given: Given, summary: Summary) -> None:
    """See the same of a table of usage by queries; only its odd rows are read.

    Raises:
        NotPlain: it is better read row by row; nothing was written into the summary then.
    """
    seen, found = Survey(given), list[Refused]()
    shown, odd = file.survey(), _unreadable_heads(file, given)
    odd += [one.names for one in shown if _event(one.names, given, file) is None]
    if odd:
        # What cannot be read says nothing of prompts either.
        file.mark_wrong("TRUE", COUNT_MAX, odd, "", impossible=False)
        shown = file.survey()
    for one in shown:
        seen.show(one, event_of(one.names, given, file))
    rows, places = sum(one.rows for one in shown), set[str]()
    # Only rows of a file that numbers them can be odd: another has none to be read.
    for read in chosen.read(file.odd(), given) if file.has_odd else ():
        rows += 1
        if isinstance(read, Refused):
            found.append(read)
        elif isinstance(read, Read) and isinstance(read.said, Event):
            seen.see(read.place, read.said)
            places.add(read.place)
    _see_impossible(file, chosen, given, shown, seen)
    summary.rows = rows
    for refused in found:
        summary.refuse(refused)
    seen.end(summary)


def _see_impossible(
    file: BulkFile, chosen: Format, given: Given, shown: list[Shown], seen: Survey
) -> None:  # fmt: skip
    """Find the rows whose counts contradict each other, now that prompts are known, or whose tier nobody knows."""
    wrong, inside = list[Mapping[str, str]](), list[str]()
    doubtful = False
    for one in shown:
        event = event_of(one.names, given, file)
        contains = seen.inside(event.provider or "")
        doubtful |= bool(one.impossible_inside if contains else one.impossible_beside)
        inside += [same_text(one.names)] if contains else []
        try:
            Context(event.service_tier)
        except InvalidInput:
            wrong.append(one.names)
    if not doubtful and not wrong:
        return
    file.mark_wrong(" OR ".join(inside) or "FALSE", COUNT_MAX, wrong, "")
    for read in chosen.read(file.odd(), given):
        if isinstance(read, Read) and isinstance(read.said, Event):
            seen.doubt(read.place, read.said)


def _unreadable_heads(file: BulkFile, given: Given) -> list[Mapping[str, str]]:
    said = (dict(zip(file.columns.heads, spelled, strict=True)) for spelled in file.heads())
    return [heads for heads in said if _event(heads, given, file) is None]


def _event(spelled: Mapping[str, str], given: Given, file: BulkFile) -> Event | None:
    try:
        return event_of(spelled, given, file)
    except InvalidInput:
        return None
