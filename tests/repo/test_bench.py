"""`python -m tests.bench` measures and prints; what it measured gates nothing (DESIGN 9)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import printing
from tests.bench.harness import Bound, Done, Figure, Report

ROOT = Path(__file__).resolve().parents[2]
FACTS: dict[str, object] = dict.fromkeys(
    ("date", "cores", "cpu", "python", "postgresql", "broker", "fdatasync_ms", "load_before", "quick"), 1
)


def bench(*words: str) -> str:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--only", "modbus", "--only", "arrears", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_rows_as_a_table() -> None:
    table = bench()
    assert "meters: 200 Modbus meters on TCP" in table and "<= 0.2 s" in table
    assert "arrears of a project" in table and "not built yet" in table


def test_two_rows_as_json() -> None:
    found = json.loads(bench("--json"))
    assert found["machine"]["cores"] >= 1 and found["machine"]["fdatasync_ms"] > 0
    measured, later = found["figures"]
    assert measured["value"] > 0 and measured["bound"] == 0.2 and measured["holds"] in (True, False)
    assert (later["value"], later["holds"], later["note"]) == (None, None, "not built yet")


@pytest.mark.parametrize(
    ("value", "bound", "holds"),
    [
        (1.0, Bound(2), True),
        (3.0, Bound(2), False),
        (3.0, Bound(2, at_least=True), True),
        (None, Bound(2), None),
        (1.0, None, None),
    ],
)
def test_a_bound_holds_or_not(value: float | None, bound: Bound | None, holds: bool | None) -> None:
    assert Figure("x", value, "ms", bound).holds is holds


def test_the_table_goes_between_the_markers_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    page.write_text(f"before\n{printing.BEGIN}\nformer\n{printing.END}\nafter\n")
    report = Report(FACTS, [Done("row", [Figure("hub: x", 0.41, "x", Bound(0.4, at_least=True), "how")])])
    for _ in range(2):
        printing.write_markdown(report, "make bench", page)
    text = page.read_text()
    assert text.startswith(f"before\n{printing.BEGIN}\n`make bench`: ") and text.endswith(f"{printing.END}\nafter\n")
    assert "| hub: x (1) | 0.41 x | >= 0.4 x | yes |" in text and "1. how" in text and "former" not in text


def test_the_page_has_its_markers() -> None:
    text = printing.FIGURES.read_text(encoding="utf-8")
    assert text.index(printing.BEGIN) < text.index(printing.END)
