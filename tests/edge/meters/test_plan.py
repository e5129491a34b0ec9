"""The pure parts of metering: who is asked what, when, how patiently, and what is believed (E-01, E-02)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.meter_judge import Judge, dump, is_counter, load
from edge.core.meter_plan import Cadence, Patience, missed_midnights, plan_bus, plan_meter, questions, retries
from edge.core.meter_types import DltAsk, ModbusAsk, Value
from protocols.errors import Refused
from protocols.time import SHANGHAI
from protocols.wiring import BusConfig, MeterPoint

ADDRESS = "202308001234"


def energy(value: str, **more: object) -> Value:
    return Value("energy_import", "kWh", Decimal(value), **more)  # type: ignore[arg-type]


def qualities(judge: Judge, *values: str) -> list[str]:
    found = []
    for value in values:
        judge.next_round()
        found.append(judge.accept(energy(value)))
    return found


def test_growth_is_believed() -> None:
    assert qualities(Judge(), "10.00", "10.00", "10.50", "9999.99") == ["good"] * 4


def test_the_step_is_allowed_for_each_round_that_was_missed() -> None:
    judge = Judge(Decimal(5))
    assert qualities(judge, "10", "15") == ["good", "good"]
    judge.next_round()
    judge.next_round()
    assert qualities(judge, "30") == ["good"]
    assert qualities(judge, "36") == ["jump"]


def test_a_jump_is_believed_the_third_time_it_agrees_with_itself() -> None:
    assert qualities(Judge(Decimal(5)), "10", "5000", "5001", "5003", "5004") == ["good", "jump", "jump", "jump", "good"]


def test_jumps_to_and_fro_are_never_believed() -> None:
    assert qualities(Judge(Decimal(5)), "10", "900", "100", "900", "100", "12") == ["good"] + ["jump"] * 4 + ["good"]


def test_a_fall_is_marked_and_the_old_level_still_holds() -> None:
    assert qualities(Judge(), "500", "499", "501") == ["good", "falling", "good"]


def test_a_zero_that_stays_is_never_believed() -> None:
    assert qualities(Judge(), "500", *["0"] * 6, "501") == ["good"] + ["falling"] * 6 + ["good"]


@pytest.mark.parametrize(
    ("before", "after", "step", "wrap", "quality"),
    [
        ("999999.98", "0.01", "1", None, "good"),
        ("999999.98", "0.01", None, "1000000", "good"),
        ("999999.98", "50.00", "1", "1000000", "falling"),
        ("500000.00", "0.01", None, "1000000", "falling"),
        ("999999.98", "500000", None, "1000000", "falling"),
        ("42949672.94", "0.02", "1", "42949672.96", "good"),
        ("99.99", "0.01", "1", "1000000", "falling"),
    ],
)
def test_rollover_is_growth_only_at_the_end_of_the_register(
    before: str, after: str, step: str | None, wrap: str | None, quality: str
) -> None:
    judge = Judge(None if step is None else Decimal(step))
    limit = None if wrap is None else Decimal(wrap)
    judge.next_round()
    assert judge.accept(energy(before, wrap=limit)) == "good"
    judge.next_round()
    assert judge.accept(energy(after, wrap=limit)) == quality


def test_doubt_changes_nothing() -> None:
    judge = Judge()
    judge.accept(energy("10"))
    assert judge.doubtful(energy("9")) and judge.doubtful(energy("9")) and not judge.doubtful(energy("11"))


@pytest.mark.parametrize(
    ("value", "counter"),
    [
        (energy("1"), True),
        (Value("volume", "m3", Decimal(1)), True),
        (Value("voltage", "V", Decimal(1)), False),
        (Value("energy_combined", "kWh", Decimal(1)), False),
        (Value("prepaid_energy", "kWh", Decimal(1)), False),
    ],
)
def test_only_counters_must_rise(value: Value, counter: bool) -> None:
    assert is_counter(value) is counter
    judge = Judge()
    judge.accept(value)
    assert (judge.accept(Value(value.quantity, value.unit, Decimal(0))) == "good") is not counter


def test_what_is_believed_outlives_a_restart() -> None:
    judge, after = Judge(Decimal(5)), Judge(Decimal(5))
    qualities(judge, "100", "101")
    after.restore(load(dump({"M1": judge.to_state()}))["M1"])
    assert qualities(after, "100") == ["falling"]
    assert qualities(after, "9000") == ["good"], "how long the box was away is not known"
    for junk in (b"", b"{", b"[1]", b'{"M1": 5}', None):
        assert load(junk) == {}
    after.restore({"energy_import": "no number"})


@given(st.lists(st.integers(0, 10**8 - 1), min_size=1, max_size=20), st.integers(1, 1000))
def test_a_good_reading_never_lies_below_the_last_good_one_but_at_the_end(totals: list[int], step: int) -> None:
    """Unless three in a row said otherwise."""
    judge, last, odd = Judge(Decimal(step) / 100), None, 0
    for total in totals:
        judge.next_round()
        value = energy(str(Decimal(total) / 100), wrap=Decimal(10**6))
        if judge.accept(value) != "good":
            odd += 1
            continue
        assert last is None or odd >= 3 or value.value >= last or last >= Decimal("990000")
        last, odd = value.value, 0


def test_a_silent_meter_is_asked_less_and_less_often_but_never_given_up() -> None:
    patience, asked = Patience(), []
    for number in range(60):
        if patience.turn():
            asked.append(number)
            assert patience.missed() == (len(asked) == 3)
    assert asked == [0, 1, 2, 4, 8, 16, 32, 48]
    assert patience.silent and patience.answered() and not patience.silent
    assert patience.turn() and patience.turn()


@given(st.integers(1, 3600), st.floats(0, 1), st.lists(st.integers(0, 20_000), min_size=1, max_size=30))
def test_rounds_lie_on_the_grid_and_never_overlap(every_s: int, share: float, took: list[int]) -> None:
    cadence = Cadence.of(every_s, 1_000, share)
    now, last = 1_000, None
    for each in took:
        due = cadence.due(now, last)
        assert last is None or due > last
        assert (due - cadence.start_ms) % cadence.every_ms == 0
        assert due - now <= 2 * cadence.every_ms
        last = max(due, now)
        now = last + each


def test_buses_of_one_box_begin_apart() -> None:
    assert {Cadence.of(60, 0, share).due(0, None) for share in (0.0, 0.5, 1.0)} == {0, 3_000, 6_000}
    assert Cadence.of(86_400, 0, 1.0).due(0, None) == 10_000


def test_retries_are_a_tenth_and_at_least_two() -> None:
    assert [retries(n) for n in (0, 5, 30, 400)] == [2, 2, 3, 40]


def test_slow_registers_are_asked_every_tenth_round() -> None:
    registers = [
        {"address": 0, "type": "uint32", "quantity": "energy", "unit": "kWh"},
        {"address": 100, "type": "uint16", "quantity": "ratio", "poll": "slow"},
    ]
    target = plan_meter(MeterPoint(meter="M1", protocol="modbus", address="5", registers=registers))
    counts = [len(questions(target, number)) for number in range(11)]
    assert counts == [2] + [1] * 9 + [2]
    ask = target.asks[0]
    assert isinstance(ask, ModbusAsk) and (ask.unit, ask.block.count) == (5, 2)


def test_a_dlt645_meter_of_2007_keeps_midnights() -> None:
    new = plan_meter(MeterPoint(meter="M1", protocol="dlt645-2007", address=ADDRESS, registers=["00010000"]))
    old = plan_meter(MeterPoint(meter="M1", protocol="dlt645-1997", address=ADDRESS, registers=["9010"]))
    assert (new.freezes, old.freezes) == (ADDRESS, None)
    assert old.asks == (DltAsk("1997", ADDRESS, "9010"),)


@pytest.mark.parametrize(
    ("protocol", "address", "registers", "error"),
    [
        ("modbus", "256", [], "bad_address"),
        ("modbus", "x", [], "bad_address"),
        ("modbus", "1", [{"type": "uint24"}], "unsupported"),
        ("modbus", "1", [{"type": "uint16"}], "bad_value"),
        ("dlt645-2007", "12", ["00010000"], "bad_address"),
        ("dlt645-2007", ADDRESS, ["9010"], "bad_value"),
        ("dlt645-2007", ADDRESS, ["000100ZZ"], "bad_value"),
        ("dlt645-1997", ADDRESS, [{"address": 1}], "bad_value"),
    ],
)
def test_a_bad_entry_is_refused_and_costs_only_its_meter(
    protocol: str, address: str, registers: list[object], error: str
) -> None:
    bad = MeterPoint.model_validate({"meter": "bad", "protocol": protocol, "address": address, "registers": registers})
    good = MeterPoint(meter="good", protocol="dlt645-2007", address=ADDRESS, registers=["00010000"])
    with pytest.raises(Refused, match=error):
        plan_meter(bad)
    plan = plan_bus(BusConfig(bus="B1", transport="tcp", address="h:1", every_s=1, meters=(bad, good)))
    assert list(plan.faults) == ["bad"] and [target.meter for target in plan.targets] == ["good"]


@pytest.mark.parametrize(
    ("through", "backs"),
    [
        (None, [1]),
        ("2026-11-24", []),
        ("2026-11-23", [1]),
        ("2026-11-21", [3, 2, 1]),
        ("2026-11-01", [23, 22, 21, 20]),
        ("2020-01-01", [62, 61, 60, 59]),
        ("2026-12-01", []),
    ],
)
def test_missed_midnights_are_fetched_oldest_first_and_a_few_a_round(through: str | None, backs: list[int]) -> None:
    day = None if through is None else date.fromisoformat(through)
    assert missed_midnights(day, datetime(2026, 11, 24, 8, tzinfo=SHANGHAI)) == backs
