"""A week of four lanes in virtual time."""

from __future__ import annotations

import time

from tests.bench.harness import Bench, Bound, Figure, Row
from tests.virtual.week import run_week

DAYS, CARS_A_DAY = 7, 300


def week(at: Bench) -> list[Figure]:
    days = at.much(DAYS, 1)
    began = time.perf_counter()
    found = run_week(seed=1, lanes=4, days=days, cars_a_day=CARS_A_DAY)
    took = time.perf_counter() - began
    assert found.cars_in == found.plant_in and found.strokes == found.plant_strokes, "the week does not add up"
    note = f"{days} days, {found.plant_in} vehicles in, {found.events} events, the box killed {found.kills} times"
    return [Figure("simulator: one week, four lanes, in virtual time", took * DAYS / days, "s", Bound(10), note)]


ROWS = (Row("week", ("simulator: one week, four lanes, in virtual time",), week),)
