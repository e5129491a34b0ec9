"""A provider's notices, as C-15 lists them: twice once, late and out of order taken, forged rejected, wrong amount kept aside."""

from __future__ import annotations

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.counter import service as counter
from cloud.ledger import service as ledger
from cloud.payments import service as payments
from cloud.payments import store
from protocols.errors import NotFound, Refused
from protocols.time import iso
from protocols.uplink import signing
from protocols.uplink.envelope import compact
from tests.support.money import EAST, NOON, NORTH

KEY = Ed25519PrivateKey.generate()
PROVIDER = payments.simulated(KEY.public_key().public_bytes_raw().hex())
HANDLERS = {"parking": (counter.post_order_paid,)}


async def order(money_db, amount: int = 900, reference: str = "stay-1") -> payments.Order:
    async with money_db.tx(EAST) as tx:
        return await payments.create_order(
            tx, project_id=11, purpose="parking", reference=reference, subject="京A·12345", amount_fen=amount, now=NOON
        )


def notice(
    order_no: str, amount: int = 900, *, key: Ed25519PrivateKey = KEY, purpose: str = signing.NOTICE, **more: str
) -> bytes:
    body = {
        "order": order_no,
        "amount_fen": amount,
        "merchant": "sim-merchant",
        "state": "paid",
        "provider_no": "P1",
        "at": iso(NOON),
    }
    return signing.sign(purpose, compact(body | more), key)


async def take(money_db, message: bytes, handlers=HANDLERS) -> str:
    return (await payments.on_notice(money_db, PROVIDER, handlers, message, NOON)).value


async def state(money_db, order_no: str) -> str:
    async with money_db.tx(EAST) as tx:
        return (await payments.find_order(tx, order_no)).state


async def booked(money_db) -> dict[str, int]:
    async with money_db.tx(EAST) as tx:
        assert (await counter.verify(tx)).ok
        return await counter.counts(tx)


async def test_a_paid_order_makes_one_receipt_whatever_the_number_of_notices(money_db):
    made = await order(money_db)
    assert await take(money_db, notice(made.order_no)) == "booked"
    assert await take(money_db, notice(made.order_no)) == "repeated"
    assert await state(money_db, made.order_no) == "paid"
    assert await booked(money_db) == {"counter": 0, "lane_cash": 0, "order": 1, "fen": 900}


async def test_ten_copies_at_once_are_booked_once(money_db):
    made = await order(money_db)
    done = await asyncio.gather(*(take(money_db, notice(made.order_no)) for _ in range(10)))
    assert sorted(done) == ["booked"] + ["repeated"] * 9
    assert (await booked(money_db))["fen"] == 900


async def test_late_and_out_of_order_is_accepted(money_db):
    """Closed by mistake, then paid after all; a notice of an earlier state changes nothing any more."""
    made = await order(money_db)
    assert await take(money_db, notice(made.order_no, state="closed")) == "noted"
    assert await state(money_db, made.order_no) == "closed"
    assert await take(money_db, notice(made.order_no)) == "booked"
    assert await take(money_db, notice(made.order_no, state="paying")) == "noted"
    assert await take(money_db, notice(made.order_no, state="closed")) == "noted"
    assert await state(money_db, made.order_no) == "paid"


async def test_forged_notices_are_rejected_and_counted(money_db):
    made = await order(money_db)
    good = notice(made.order_no)
    altered = good.replace(b'\\"amount_fen\\":900', b'\\"amount_fen\\":901')
    assert altered != good
    for message in (
        notice(made.order_no, key=Ed25519PrivateKey.generate()),
        notice(made.order_no, purpose=signing.COMMAND),
        altered,
        b"",
        b"\x00\xff not JSON",
        json.dumps({"order": made.order_no, "amount_fen": 900}).encode(),
    ):
        assert await take(money_db, message) == "forged"
    assert await state(money_db, made.order_no) == "created"
    async with money_db.tx(NORTH) as tx:
        assert (await payments.notice_counts(tx))["forged"] == 6


async def test_one_payment_for_orders_of_two_companies_is_kept_aside(money_db):
    """C-15: the other company's order is out of sight; the notice is kept all the same, not lost with an error."""
    first = await order(money_db)
    async with money_db.tx(NORTH) as tx:
        second = await payments.create_order(
            tx, project_id=21, purpose="parking", reference="s", subject="停车费", amount_fen=900, now=NOON
        )
    assert await take(money_db, notice(first.order_no)) == "booked"
    assert await take(money_db, notice(second.order_no)) == "paid_twice"
    async with money_db.tx(NORTH) as tx:
        assert await payments.notice_counts(tx) == {"paid_twice": 1}
        assert (await payments.find_order(tx, second.order_no)).state == "created"


async def test_a_wrong_amount_is_kept_aside_and_the_right_one_still_counts(money_db):
    made = await order(money_db)
    assert await take(money_db, notice(made.order_no, 899)) == "wrong_amount"
    assert await state(money_db, made.order_no) == "unknown"
    assert (await booked(money_db))["order"] == 0
    assert await take(money_db, notice(made.order_no)) == "booked"
    async with money_db.tx(EAST) as tx:
        assert await payments.notice_counts(tx) == {"wrong_amount": 1, "booked": 1}


async def test_a_second_payment_of_one_order_and_one_payment_for_two_orders_are_not_repetitions(money_db):
    first, second = await order(money_db), await order(money_db, reference="stay-2")
    assert await take(money_db, notice(first.order_no)) == "booked"
    assert await take(money_db, notice(first.order_no, provider_no="P2")) == "paid_twice"
    assert await take(money_db, notice(second.order_no)) == "paid_twice"
    assert await state(money_db, second.order_no) == "created"
    assert (await booked(money_db))["fen"] == 900


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"merchant": "someone-else"}, "wrong_merchant"),
        ({"order": "GH20990101XXXX"}, "unknown_order"),
        ({"at": "yesterday"}, "malformed"),
        ({"state": "won"}, "malformed"),
        ({"extra": "field"}, "malformed"),
    ],
)
async def test_what_is_signed_but_not_ours_is_rejected(money_db, change, verdict):
    made = await order(money_db)
    assert await take(money_db, notice(made.order_no, **change)) == verdict
    assert await state(money_db, made.order_no) == "created"
    async with money_db.tx(EAST) as tx:
        assert await payments.notice_counts(tx) == {verdict: 1}


async def test_money_that_nobody_claims_goes_to_suspense(money_db):
    """DESIGN 2.4: HQ's sum holds it."""
    made = await order(money_db)

    async def refuse(tx, order, now):
        await ledger.post(tx, ledger.Request(11, "half", "half", NOON, NOON, NOON.date(), HALF))
        raise Refused("gone", "这次停车已经作废", "the stay is void")

    assert await take(money_db, notice(made.order_no), {"parking": (refuse,)}) == "booked"
    async with money_db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT kind, tender, amount_fen FROM report_takings", ())
        kinds = await tx.fetch_all("SELECT kind FROM ledger_entries", ())
        assert (await counter.verify(tx)).ok
    assert rows == [{"kind": "suspense", "tender": "provider_clearing", "amount_fen": 900}]
    assert kinds == [{"kind": "suspense"}]


HALF = [ledger.Posting("bank", 1), ledger.Posting("suspense", -1)]


async def test_what_waits_for_the_commit_runs_after_it_and_once(money_db):
    made = await order(money_db)
    seen = []

    async def handler(tx, order, now):
        async def step():
            seen.append(await state(money_db, order.order_no))

        return step

    for _ in range(2):
        await take(money_db, notice(made.order_no), {"parking": (counter.post_order_paid, handler)})
    assert seen == ["paid"]


async def test_scanning_twice_makes_one_order(money_db):
    orders = await asyncio.gather(*(order(money_db) for _ in range(5)))
    assert len({one.order_no for one in orders}) == 1
    assert (await order(money_db, amount=1_100)).order_no != orders[0].order_no


async def test_orders_of_another_company_do_not_exist(money_db):
    """0.6"""
    made = await order(money_db)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="order_not_found"):
            await payments.find_order(tx, made.order_no)
        with pytest.raises(NotFound, match="project_not_found"):
            await payments.create_order(tx, project_id=11, purpose="parking", reference="x", subject="x", amount_fen=1, now=NOON)
        assert await store.company_of(tx, made.order_no) == 1
