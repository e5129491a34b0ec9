"""The lane machine's tables: every row is reached by inputs alone, invariants hold, the drawing is current (L-02 ... L-16)."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.lane_table import ARM, PLACE, Do
from tests.edge.lane.walk import Walk

ROOT = Path(__file__).resolve().parents[3]


def test_every_row_is_reached_by_inputs_alone() -> None:
    """A row that nothing can reach would be a rule nobody tested. The walk checks the invariants at every step."""
    missing: set[tuple[str, str]] = set(PLACE) | set(ARM)
    for seed in range(20_000):
        walk = Walk(random.Random(seed))
        for _ in range(120):
            walk.step()
        missing -= walk.lane.used
        if not missing:
            return
    assert not missing


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(20, 300))
def test_whatever_happens_the_invariants_hold(rng: random.Random, steps: int) -> None:
    """L-16: never lowered over B or in a fire. L-11: strokes without gaps. L-03: no passage without B."""
    walk = Walk(rng)
    for _ in range(steps):
        walk.step()


def test_every_verb_is_used_and_every_row_means_something() -> None:
    used = {action for rows in (PLACE, ARM) for _, actions in rows.values() for action in actions}
    assert used == set(Do)
    assert all(target != source or actions for rows in (PLACE, ARM) for (source, _), (target, actions) in rows.items())


def test_the_drawing_is_current() -> None:
    """docs/lane-table.md is drawn from the tables."""
    done = subprocess.run([sys.executable, "tools/draw_lane_table.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run tools/draw_lane_table.py"
