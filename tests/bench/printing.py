"""The table, for a terminal, as JSON, and as Markdown between the markers of docs/figures.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.bench.harness import NOT_BUILT, Figure, Report

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def table(report: Report) -> str:
    lines = [(figure.what, figure.measured, _bound(figure), _verdict(figure)) for figure in _figures(report)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    text = [_facts(report), ""]
    for line, figure in zip(lines, _figures(report), strict=True):
        text.append("  ".join((*(part.ljust(width) for part, width in zip(line, widths, strict=False)), line[3])).rstrip())
        text += [f"      {figure.note}"] if figure.note and figure.note != NOT_BUILT else []
    return "\n".join(text)


def as_json(report: Report) -> str:
    rows = [
        {
            "row": done.row,
            "what": figure.what,
            "value": figure.value,
            "unit": figure.unit,
            "bound": figure.bound.limit if figure.bound else None,
            "at_least": figure.bound.at_least if figure.bound else None,
            "holds": figure.holds,
            "note": figure.note,
            "seconds": round(done.seconds, 1),
        }
        for done in report.rows
        for figure in done.figures
    ]
    return json.dumps({"machine": report.facts, "figures": rows}, ensure_ascii=False)


def write_markdown(report: Report, command: str, path: Path = FIGURES) -> None:
    """Replace what stands between the markers."""
    head, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    path.write_text(f"{head}{BEGIN}\n{_markdown(report, command)}\n{END}{tail}", encoding="utf-8")


def _markdown(report: Report, command: str) -> str:
    lines = [f"`{command}`: {_facts(report)}.", "", "| what | measured | bound | holds |", "|---|---:|---:|---|"]
    notes: list[str] = []
    for figure in _figures(report):
        mark = ""
        if figure.note and figure.note != NOT_BUILT:
            notes.append(figure.note)
            mark = f" ({len(notes)})"
        lines.append(f"| {figure.what}{mark} | {figure.measured} | {_bound(figure)} | {_verdict(figure)} |")
    return "\n".join([*lines, "", *(f"{number}. {note}" for number, note in enumerate(notes, 1))])


def _facts(report: Report) -> str:
    facts = report.facts
    words = [
        f"{facts['date']}",
        f"{facts['cores']} cores ({facts['cpu']})",
        f"Python {facts['python']}",
        f"PostgreSQL {facts['postgresql']}",
        f"broker {facts['broker']}",
        f"fdatasync {facts['fdatasync_ms']} ms",
        f"load {facts['load_before']} before, {facts.get('load_after', '?')} after",
        f"{facts.get('seconds', '?')} s in all",
    ]
    return ", ".join([*words, "QUICK: too small to be quoted"] if facts["quick"] else words)


def _figures(report: Report) -> Sequence[Figure]:
    return [figure for done in report.rows for figure in done.figures]


def _bound(figure: Figure) -> str:
    return figure.bound.text(figure.unit) if figure.bound else ""


def _verdict(figure: Figure) -> str:
    if figure.value is None:
        return NOT_BUILT if figure.note == NOT_BUILT else "not measured"
    return {None: "", True: "yes", False: "NO"}[figure.holds]
