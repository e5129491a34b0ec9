"""Seeded days of a whole site: what the box recorded is what the plant saw, to the car, the stroke and the fen (Z-02)."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.virtual.week import disagreements, run_week


@pytest.mark.parametrize("seed", [1, 5, 14])
def test_a_bad_day(seed: int) -> None:
    """Eight times the usual tail-gaters, cranked and jammed arms, fires, power cuts. A failing seed runs again the same way."""
    found = run_week(seed, days=1, cars_a_day=500, habits=8)
    assert not disagreements(found), (seed, found)
    assert found.cranked and found.kills and found.notes["tailgate"] and found.plant_out > 200
    assert found.inside == found.people_inside


def test_the_same_seed_gives_the_same_day() -> None:
    """DESIGN 7."""
    assert asdict(run_week(3, days=1, habits=4)) == asdict(run_week(3, days=1, habits=4))


@pytest.mark.faults
@pytest.mark.pure
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_bad_days(seed: int) -> None:
    found = run_week(seed, days=2, cars_a_day=500, habits=8)
    assert not disagreements(found), (seed, found)
