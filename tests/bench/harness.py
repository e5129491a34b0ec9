"""A figure, its bound, and the rows that measure them. Timings never fail anything: a bound that is missed is shown, no more."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.places import Postgres, durable_postgres

NOT_BUILT = "not built yet"


@dataclass(frozen=True, slots=True)
class Bound:
    """`limit` in the figure's own unit; `at_least`: more is better."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def text(self, unit: str) -> str:
        return f"{'>=' if self.at_least else '<='} {said(self.limit, unit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `value` None: not measured, `note` says why. Without a bound it is there to be read."""

    what: str
    value: float | None
    unit: str
    bound: Bound | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        return None if self.value is None or self.bound is None else self.bound.holds(self.value)

    @property
    def measured(self) -> str:
        return "-" if self.value is None else said(self.value, self.unit)


@dataclass
class Bench:
    """What a row may use: a folder of its own on a real disk, one durable PostgreSQL for the run, and how much to do."""

    quick: bool
    folder: Path
    stack: contextlib.ExitStack
    _postgres: Postgres | None = None
    _folders: int = 0

    def much(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @property
    def postgres(self) -> Postgres:
        if self._postgres is None:
            self._postgres = self.stack.enter_context(durable_postgres())
        return self._postgres

    def new_folder(self) -> Path:
        self._folders += 1
        path = self.folder / str(self._folders)
        path.mkdir()
        return path


@dataclass(frozen=True, slots=True)
class Row:
    """`measure` gives one or more figures. Without it the row is of a part that does not exist yet."""

    name: str
    titles: Sequence[str]
    measure: Callable[[Bench], list[Figure]] | None = None


@dataclass(slots=True)
class Done:
    """What a row brought, and how long it took."""

    row: str
    figures: list[Figure]
    seconds: float = 0.0
    failed: str = ""


@dataclass
class Report:
    facts: dict[str, object]
    rows: list[Done] = field(default_factory=list)


@contextlib.contextmanager
def bench(quick: bool) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gh-bench-", ignore_cleanup_errors=True)))
        yield Bench(quick, folder, stack)


def measure(row: Row, at: Bench) -> Done:
    """Run one row; one that breaks costs only itself."""
    if row.measure is None:
        return Done(row.name, [Figure(title, None, "", note=NOT_BUILT) for title in row.titles])
    began = time.perf_counter()
    try:
        figures = row.measure(at)
    except Exception as problem:  # noqa: BLE001 - the supervisor of one row
        failed = "".join(traceback.format_exception(problem))
        figures = [Figure(title, None, "", note=f"failed: {problem!r}"[:200]) for title in row.titles]
        return Done(row.name, figures, time.perf_counter() - began, failed)
    return Done(row.name, figures, time.perf_counter() - began)


def said(value: float, unit: str) -> str:
    """12,345/s; 12.3 ms; 0.41 x."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    number = f"{value:,.{digits}f}"
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number}{unit}" if unit.startswith("/") else f"{number} {unit}".strip()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed (nearest rank)."""
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
