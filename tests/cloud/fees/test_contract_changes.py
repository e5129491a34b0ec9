"""A lease: another rent from a day on, an early end with its settlement, a renewal; what was billed stays (F-15, Q-18, Q-67)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cloud.access import service as access
from cloud.counter import service as counter
from cloud.fees import contracts, ending
from cloud.fees import service as fees
from protocols.errors import Conflict, Refused
from tests.cloud.fees.test_contracts import FROM, RENT, TO, lease, term
from tests.support.approvals import decide, person
from tests.support.money import BOTH, EAST, NOON

MONTH = 963_700
REFUNDS = RENT | {"refund_running": True}


async def billed(hub, through: date, **more) -> int:
    """A lease of shop 101 with its rent published and billed through a day."""
    from cloud.app import approval_handlers

    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        made = await lease(tx, rooms=(101,), **more)
        _, version = await contracts.rent_table(tx, await contracts.get(tx, made))
        assert version is not None
        await fees.publish(tx, version.id, at=NOON, by="0002")
    await bill(hub, through)
    return made


async def bill(hub, through: date) -> None:
    async def told(step: fees.Billed) -> bool:
        assert step.failures == ()
        return True

    async with hub.db.tx(EAST) as tx:
        batch = await fees.start_run(tx, 11, title="租金", through=through, at=NOON, by="0101")
    await fees.bill_all(hub.db, EAST, batch, at=NOON, by="0101", told=told)
    async with hub.db.tx(EAST) as tx:
        await fees.finish_run(tx, batch, ())
        await fees.publish_run(tx, batch, at=NOON, by="0101")


async def open_sum(hub) -> int:
    async with hub.db.tx(EAST) as tx:
        return sum(one.amount_fen for one in await fees.open_lines(tx, 11, 101, date(2026, 1, 2)))


async def ask(hub, contract: int, last: date, key: str = "end-0001") -> access.Approval:
    manager = await person(hub, f"m-{key}", "project_manager")
    async with hub.db.tx(EAST) as tx:
        return await ending.ask_end(tx, manager, contract, last, reason="经营不善", key=key, terminal="办公室", now=NOON)


async def sound(hub) -> bool:
    async with hub.db.tx(BOTH) as tx:
        return (await counter.verify(tx)).ok


@pytest.mark.parametrize(
    ("rent", "kept"),
    [(REFUNDS, 10 * MONTH + round(MONTH * 20 / 30)), (RENT, 11 * MONTH)],
)
async def test_an_early_end_gives_back_whole_months_and_the_running_one_by_its_standard(hub, rent, kept):
    """Q-67, Q-24: billed through December, the last day is 20 November; 10 months and 20/30, or the whole of November"""
    made = await billed(hub, date(2026, 12, 31), rent=rent)
    assert await open_sum(hub) == 12 * MONTH
    one = await ask(hub, made, date(2026, 11, 20))
    assert one.amount_fen == 12 * MONTH - kept and await open_sum(hub) == 12 * MONTH, "asking changes nothing"
    chief = await person(hub, "s1", "sub_manager") if one.amount_fen <= 2_000_000 else await person(hub, "h1", "hq_finance")
    await decide(hub, chief, one)
    assert await open_sum(hub) == kept and await sound(hub)
    async with hub.db.tx(EAST) as tx:
        found = await contracts.get(tx, made)
        (assignment,) = [each for each in await fees.assignments(tx, 11) if each.contract_id == made]
        told = await tx.fetch_all("SELECT * FROM report_fees_price_changes WHERE kind = 'contract'", ())
    assert (found["over_day"], found["to_day"], assignment.to_day) == (date(2026, 11, 21), TO, date(2026, 11, 21))
    assert [row["yearly_fen"] for row in told] == [-12 * MONTH]
    await bill(hub, date(2027, 6, 30))
    assert await open_sum(hub) == kept, "nothing is billed after the end"


async def test_what_was_paid_is_the_partys_credit(hub):
    """Q-68: December was paid; the credit is an open line of its own"""
    made = await billed(hub, date(2026, 12, 31), rent=REFUNDS)
    async with hub.db.tx(EAST) as tx:
        lines = await fees.open_lines(tx, 11, 101, date(2026, 1, 2))
        await fees.settle(tx, fees.allocate(lines, 12 * MONTH), day=NOON.date(), source="counter:x")
    await decide(hub, await person(hub, "s1", "sub_manager"), await ask(hub, made, date(2026, 11, 30)))
    async with hub.db.tx(EAST) as tx:
        credits = await fees.open_lines(tx, 11, 101, NOON.date())
    assert [(one.amount_fen, one.adjusts is not None) for one in credits] == [(-MONTH, True)]


async def test_an_end_that_is_none_or_whose_lines_changed_is_refused(hub):
    made = await billed(hub, date(2026, 12, 31), rent=REFUNDS)
    for day in (FROM - timedelta(days=1), TO - timedelta(days=1), TO):
        with pytest.raises(Refused, match="bad_days"):
            await ask(hub, made, day, key=f"end-{day}")
    one = await ask(hub, made, date(2026, 11, 20))
    await bill(hub, date(2027, 1, 31))
    with pytest.raises(Refused, match="lines_changed"):
        await decide(hub, await person(hub, "s1", "sub_manager"), one)
    async with hub.db.tx(EAST) as tx:
        assert (await contracts.get(tx, made))["ends_day"] is None
        manager = await person(hub, "m-x", "project_manager")
    async with hub.db.tx(EAST) as tx:
        with pytest.raises(Conflict, match="approval_waiting"):
            await ending.ask_end(tx, manager, made, date(2026, 11, 25), reason="再来", key="end-0009", terminal="", now=NOON)
    async with hub.db.tx(EAST) as tx:
        requester = await access.get(tx, one.id)
        assert requester.state == "waiting"


async def test_an_ended_lease_is_not_ended_again(hub):
    made = await billed(hub, date(2026, 11, 30), rent=REFUNDS)
    await decide(hub, await person(hub, "s1", "sub_manager"), await ask(hub, made, date(2026, 11, 30)))
    with pytest.raises(Conflict, match="ended"):
        await ask(hub, made, date(2026, 10, 31), key="end-0002")


async def test_another_rent_from_a_day_on_steps_from_the_next_contract_year(hub):
    """Q-18: 9,637.00 in the first year; 120 yuan a square metre from July of the second is 11,564.40, in the third 5 % more"""
    made = await billed(hub, date(2026, 12, 31))
    async with hub.db.tx(EAST) as tx:
        _, version = await contracts.rent_table(tx, await contracts.get(tx, made))
        assert version is not None
        new = await fees.draft_version(
            tx, version.standard_id, effective_from=date(2027, 7, 1), document=RENT | {"price": "120"}, term_id=version.term.id,
            reason="补充协议", at=NOON, by="0101",
        )  # fmt: skip
        await fees.publish(tx, new.id, at=NOON, by="0002")
        years, _ = await contracts.rent_table(tx, await contracts.get(tx, made))
    wanted = [
        (date(2026, 1, 1), 963_700),
        (date(2027, 1, 1), 1_011_885),
        (date(2027, 7, 1), 1_156_440),
        (date(2028, 1, 1), 1_214_262),
    ]
    assert [(one.first, one.rent_fen) for one in years] == wanted and [one.number for one in years] == [1, 2, 2, 3]
    await bill(hub, date(2028, 1, 31))
    async with hub.db.tx(EAST) as tx:
        lines = {one.period_from: one for one in await fees.open_lines(tx, 11, 101, NOON.date())}
        assert await fees.explain_again(tx, 11, lines[date(2027, 7, 1)].id) is not None
    assert [lines[day].amount_fen for day, _ in wanted] == [fen for _, fen in wanted], "the bills say what the table says"
    assert lines[date(2026, 12, 1)].amount_fen == MONTH, "what was billed stays"


async def test_a_renewal_goes_on_where_the_lease_ends(hub):
    """F-15: once, for the same party, from the day after"""
    async with hub.db.tx(EAST) as tx:
        old = await lease(tx, rooms=(101,))
        with pytest.raises(Refused, match="bad_renewal"):
            await lease(tx, rooms=(101,), number="HT-2", renews=old, from_day=TO + timedelta(days=1), to_day=date(2030, 1, 1))
        with pytest.raises(Refused, match="bad_renewal"):
            await lease(tx, rooms=(101,), number="HT-2", renews=old, owner_id=102, from_day=TO, to_day=date(2030, 1, 1))
        new = await lease(tx, rooms=(101,), number="HT-2", renews=old, from_day=TO, to_day=date(2030, 1, 1))
        assert (await contracts.get(tx, old))["renewed_by"] == new
        with pytest.raises(Conflict, match="renewed"):
            await lease(tx, rooms=(102,), number="HT-3", renews=old, from_day=TO, to_day=date(2030, 1, 1))


async def test_pages_and_json_of_ending_and_renewing(hub, hub_client):
    """UI.md 8: what it gives back stands there before anybody is asked"""
    made = await billed(hub, date(2026, 12, 31), rent=REFUNDS)
    await hub_client.log_in("project_manager", project=11)
    page = (await hub_client.get(f"/contracts/{made}")).text
    assert "提前解约" in page and "续签" in page and "改租金" in page
    shown = (await hub_client.get(f"/contracts/{made}/end?last_day=2026-11-20")).text
    assert "2026-12-01 至 2026-12-31" in shown and "9,637.00" in shown and "合计 2 笔" in shown
    told = (await hub_client.get(f"/api/v1/contracts/{made}/settlement?last_day=2026-11-20")).json()
    assert len(told["rows"]) == 2 and told["less_fen"] == 2 * MONTH - round(MONTH * 20 / 30)
    none = await hub_client.post(f"/contracts/{made}/end", data={"last_day": "2026-11-20", "key": "end-key-01"})
    assert none.status_code == 422 and "要填" in none.text
    bad = await hub_client.get(f"/contracts/{made}/end?last_day=2035-01-01")
    assert bad.status_code == 422 and "写合同期内的一天" in bad.text
    form = {"last_day": "2026-11-20", "key": "end-key-01", "reason": "转让"}
    asked = await hub_client.post(f"/contracts/{made}/end", data=form)
    assert asked.headers["location"].startswith("/approvals/")
    assert "在等审批" in (await hub_client.get(f"/contracts/{made}")).text
    body = {"last_day": "2026-11-20", "reason": "转让", "key": "end-key-02"}
    again = await hub_client.post(f"/api/v1/contracts/{made}/end", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "approval_waiting")
    async with hub.db.tx(EAST) as tx:
        one = await access.get(tx, int(asked.headers["location"].rsplit("/", 1)[1]))
    await decide(hub, await person(hub, "s1", "sub_manager"), one)
    page = (await hub_client.get(f"/contracts/{made}")).text
    assert "租到 2026-11-20：转让" in page and "提前解约" in (await hub_client.get("/contracts?at=p11")).text
    renewal = (await hub_client.get(f"/contracts/new?at=p11&renews={made}")).text
    assert 'name="renews"' in renewal and "2026-11-21" in renewal and "1-1-101" in renewal and 'value="100"' in renewal
    stranger = hub_client.another()
    await stranger.log_in("project_manager", project=21)
    for path in (
        f"/contracts/{made}/end",
        f"/api/v1/contracts/{made}/settlement?last_day=2026-11-20",
        f"/contracts/new?renews={made}",
    ):
        assert (await stranger.get(path)).status_code == 404, path
    async with hub.db.tx(EAST) as tx:
        assert await term(tx)
