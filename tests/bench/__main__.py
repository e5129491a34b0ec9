"""`python -m tests.bench [--quick] [--only ROW]... [--json | --markdown]`: measure and print the table of DESIGN section 9.

Exit 1 when a row could not be measured; a missed bound is shown and changes nothing.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import signal
import sys
import time

import structlog

from tests.bench import machine, printing
from tests.bench.harness import Report, Row, bench, measure

MODULES = (
    "lanes",
    "store",
    "process",
    "readings",
    "postings",
    "headquarters",
    "meters",
    "simulator",
    "promises",
    "bills",
    "search",
    "later",
)
"""In the order of DESIGN section 9; each has ROWS."""


def rows() -> list[Row]:
    return [row for name in MODULES for row in importlib.import_module(f"tests.bench.{name}").ROWS]


def main() -> int:
    known = rows()
    options = _parser([row.name for row in known]).parse_args()
    chosen = [row for row in known if not options.only or row.name in options.only]
    # What the hub and the box log while they are measured goes nowhere: printing it would be measured too.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.perf_counter()
    with bench(options.quick) as at:
        report = Report(machine.facts(at.folder, quick=options.quick))
        for row in chosen:
            print(f"{row.name} ...", file=sys.stderr, flush=True)
            report.rows.append(measure(row, at))
            print(report.rows[-1].failed, end="", file=sys.stderr)
    report.facts |= {"load_after": machine.load(), "seconds": round(time.perf_counter() - began)}
    if options.markdown:
        printing.write_markdown(report, f"python -m tests.bench{' --quick' if options.quick else ''}")
    print(printing.as_json(report) if options.json else printing.table(report))
    return 1 if any(done.failed for done in report.rows) else 0


def _parser(names: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and fast: to see that it works, not to be quoted")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ROW", help=f"one of {', '.join(names)}; again for more"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one line of JSON")
    how.add_argument("--markdown", action="store_true", help="also write the table into docs/figures.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
