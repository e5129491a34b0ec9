"""Rows of parts that do not exist yet."""

from __future__ import annotations

from tests.bench.harness import Row

ROWS = (
    Row(
        "plates",
        ("plates: frames and crops exact, time a frame, the worker's memory", "plates: accepted at the opening threshold"),
    ),
    Row("arrears", ("hub: arrears of a project, of 100,000 owners",)),
)
