"""Cash in transit goes on from one person to another, who confirms it; then it is theirs to bank (C-32, C-37, Y-02)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from cloud.counter import banking, passing
from cloud.counter import service as counter
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from tests.cloud.counter.test_banking import DAY, FINANCE, account, close, handed, read, sheet, slip
from tests.support.cash import alarm, balance, person
from tests.support.money import BOTH, EAST, NOON, NORTH


async def offered(db, *, who: int = 2, key: str = "pass-00001") -> passing.Pass:
    async with db.tx(EAST) as tx:
        return await passing.offer(tx, 11, [DAY], person(who), key=key, at=NOON)


async def test_cash_goes_on_and_is_banked_by_who_has_it(money_db):
    """C-37: in transit in the receiver's name and as old as before; who had it before cannot bank it, nor confirm its arrival."""
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    passed = await offered(money_db)
    assert (passed.amount_fen, passed.state, (await offered(money_db)).id) == (30_300, "waiting", passed.id)
    async with money_db.tx(EAST) as tx:
        done = await passing.confirm(tx, passed.id, 30_300, person(3), at=NOON + timedelta(hours=1))
        again = await passing.confirm(tx, passed.id, 30_300, person(3), at=NOON + timedelta(hours=1))
        assert (done.state, again.receiver_name) == ("confirmed", "收费员3")
        assert await balance(tx, "cash_in_transit", "person:0202") == 0
        assert await balance(tx, "cash_in_transit", "person:0203") == 30_300
        shown = await tx.fetch_one("SELECT holder, holder_name, since FROM report_transit WHERE project_id = 11", ())
        assert shown == {"holder": "0203", "holder_name": "收费员3", "since": NOON}
    with pytest.raises(Refused, match="nothing_to_bank"):
        await slip(money_db, there)
    made = await slip(money_db, there, who=3, key="slip-00002")
    lines = await read(money_db, there, sheet(("2026-11-25", "303.00", f"现金存入 {made.no}", "S1")))
    for number in (1, 2, 3):
        async with money_db.tx(EAST) as tx:
            with pytest.raises(Refused, match="own_deposit"):
                await banking.confirm_arrival(tx, made.id, [lines.matched[0][0]], person(number), at=NOON)
    async with money_db.tx(BOTH) as tx:
        await banking.confirm_arrival(tx, made.id, [lines.matched[0][0]], FINANCE, at=NOON)
        assert (await counter.verify(tx)).faults == ()


async def test_what_is_being_passed_on_is_on_no_slip(money_db):
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    passed = await offered(money_db)
    with pytest.raises(Refused, match="nothing_to_bank"):
        await slip(money_db, there)
    with pytest.raises(Refused, match="nothing_to_pass"):
        await offered(money_db, key="pass-00002")
    async with money_db.tx(EAST) as tx:
        with pytest.raises(NotAllowed, match="not_your_pass"):
            await passing.withdraw(tx, passed.id, person(3), at=NOON)
        await passing.withdraw(tx, passed.id, person(2), at=NOON)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Conflict, match="already_decided"):
            await passing.confirm(tx, passed.id, 30_300, person(3), at=NOON)
    assert (await slip(money_db, there)).amount_fen == 30_300


async def test_a_slip_and_a_pass_at_once_take_the_cash_once(money_db):
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    done = await asyncio.gather(
        slip(money_db, there), offered(money_db), offered(money_db, key="pass-00002"), slip(money_db, there, key="slip-00002"),
        return_exceptions=True,
    )  # fmt: skip
    assert sum(not isinstance(one, Exception) for one in done) == 1
    assert {one.code for one in done if isinstance(one, Refused)} <= {"nothing_to_bank", "nothing_to_pass"}
    async with money_db.tx(BOTH) as tx:
        assert (await counter.verify(tx)).faults == ()


async def test_two_receivers_at_once_are_one(money_db):
    await handed(money_db)
    passed = await offered(money_db)

    async def confirm(who: int) -> passing.Pass:
        async with money_db.tx(EAST) as tx:
            return await passing.confirm(tx, passed.id, 30_300, person(who), at=NOON)

    done = await asyncio.gather(confirm(3), confirm(4), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Pass"]


async def test_nobody_takes_back_their_own_drawer_or_another_amount(money_db, listening):
    """C-32, Y-02: a refusal is told to HQ and the cash stays where it was."""
    await handed(money_db)
    passed = await offered(money_db)
    for who in (1, 2):
        async with money_db.tx(EAST) as tx:
            with pytest.raises(Refused, match="own_drawer"):
                await passing.confirm(tx, passed.id, 30_300, person(who), at=NOON)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="amount_differs"):
            await passing.confirm(tx, passed.id, 30_200, person(3), at=NOON)
        with pytest.raises(Refused, match="no_reason"):
            await passing.refuse(tx, passed.id, " ", person(3), at=NOON)
    async with listening() as heard:
        async with money_db.tx(EAST) as tx:
            assert (await passing.refuse(tx, passed.id, "少一张一百", person(3), at=NOON)).state == "refused"
        _, told = await alarm(heard)
    assert (told["kind"], told["amount_fen"]) == ("handover_refused", 30_300)
    async with money_db.tx(EAST) as tx:
        assert await balance(tx, "cash_in_transit", "person:0202") == 30_300
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="pass_not_found"):
            await passing.confirm(tx, passed.id, 30_300, person(5), at=NOON)


@pytest.mark.parametrize(
    ("statement", "detail"),
    [
        ("UPDATE cash_passes SET amount_fen = 100", "its hand-overs come to 30300"),
        ("UPDATE cash_passes SET receiver = '0204'", "its amounts or hands"),
        ("DELETE FROM cash_passes", "pass:1 is gone"),
        ("UPDATE cash_passes SET entry_id = NULL", "pass 1 has no entry"),
        ("UPDATE cash_handovers SET bearer = '0204', bearer_id = 4", "bearer of hand-over 1 has no entry"),
    ],
)
async def test_tampering_with_a_pass_is_named(money_db, money_admin, statement, detail):
    await handed(money_db)
    passed = await offered(money_db)
    async with money_db.tx(EAST) as tx:
        await passing.confirm(tx, passed.id, 30_300, person(3), at=NOON)
    money_admin.tamper(statement)
    async with money_db.tx(BOTH) as tx:
        faults = (await counter.verify(tx)).faults
    assert any(one.what == "cash" and detail in one.detail for one in faults), faults


async def test_passing_on_over_http(hub, hub_client):
    """The same key twice is one offer; another company's is not there."""
    cashier = await hub_client.log_in("cashier", project=11)
    await handed(hub.db, user=71, to=cashier)
    body = {"project": 11, "days": [str(DAY)], "key": "pass-00001"}
    made = (await hub_client.post("/api/v1/counter/passes", json=body)).json()
    assert made["amount_fen"] == 30_300
    assert (await hub_client.post("/api/v1/counter/passes", json=body)).json()["id"] == made["id"]
    waiting = (await hub_client.get("/api/v1/counter/passes?project=11")).json()["passes"]
    assert [one["id"] for one in waiting] == [made["id"]]
    manager, other = hub_client.another(), hub_client.another()
    await manager.log_in("project_manager", project=11)
    await other.log_in("project_manager", project=21)
    there = f"/api/v1/counter/passes/{made['id']}"
    assert (await other.post(f"{there}/confirm", json={"amount_fen": 30_300, "key": "key-000001"})).status_code == 404
    done = await manager.post(f"{there}/confirm", json={"amount_fen": 30_300, "key": "key-000001"})
    assert done.json()["state"] == "confirmed"
    late = await hub_client.post(f"{there}/withdraw", json={"key": "key-000002"})
    assert late.status_code == 409
