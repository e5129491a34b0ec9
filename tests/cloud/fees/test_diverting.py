"""A manager and a cashier who want a bill to be smaller than it is: each way that was tried (1.1, 24)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud.access import service as access
from cloud.fees import service as fees
from protocols.errors import Refused
from tests.cloud.fees.test_adjusting import asked, open_of, owed, sound
from tests.cloud.fees.test_api_fees import approved as approved_one
from tests.cloud.fees.test_api_fees import finished, must, set_up, worker
from tests.cloud.fees.test_standards import AREA, TERM
from tests.support.approvals import decide, person
from tests.support.money import EAST, NOON, bill, line

__all__ = ["owed", "worker"]


async def approved(hub, ask, *args, by: str = "s1", who=None, key="ask-0001", **facts):
    one = await asked(hub, ask, *args, who=who, key=key, **facts)
    return await decide(hub, await person(hub, by, "sub_manager"), one)


async def test_a_waiver_and_then_an_adjustment_never_leave_a_credit(hub, owed):
    """A-11, F-10: what was let go of cannot be taken back a second time."""
    await approved(hub, fees.ask_waiver, owed[0], principal_fen=10_000, late_fee_fen=0)
    manager = await person(hub, "m1", "project_manager")
    with pytest.raises(Refused, match="bad_amount"):
        await asked(hub, fees.ask_adjustment, owed[0], who=manager, key="ask-0002", amount_fen=-10_000, formula="面积更正")


async def test_an_adjustment_and_then_a_waiver_never_leave_a_credit(hub, owed):
    manager = await person(hub, "m1", "project_manager")
    await approved(hub, fees.ask_adjustment, owed[0], who=manager, amount_fen=-7_500, formula="面积更正")
    with pytest.raises(Refused, match="waiver_too_large"):
        await asked(hub, fees.ask_waiver, owed[0], key="ask-0002", principal_fen=2_501, late_fee_fen=0)
    await approved(hub, fees.ask_waiver, owed[0], key="ask-0003", principal_fen=2_500, late_fee_fen=0)
    assert sum(one.due_fen for one in await open_of(hub, 101)) == 6_000 and await sound(hub)


async def test_both_asked_for_before_either_is_approved_leave_no_credit(hub, owed):
    """The handler looks again: the second one to be approved finds what the first one did."""
    manager, boss = await person(hub, "m1", "project_manager"), await person(hub, "s1", "sub_manager")
    facts = {"amount_fen": -10_000, "formula": "面积更正"}
    first = await asked(hub, fees.ask_adjustment, owed[0], who=manager, **facts)
    second = await asked(hub, fees.ask_waiver, owed[0], key="ask-0002", principal_fen=10_000, late_fee_fen=0)
    await decide(hub, boss, first)
    with pytest.raises(Refused, match="waiver_too_large"):
        await decide(hub, boss, second)
    assert sum(one.due_fen for one in await open_of(hub, 101)) == 6_000


async def test_a_line_is_cancelled_with_its_adjustments_or_not_at_all(hub, owed):
    """F-10: a cancelled bill whose downward adjustment stays would owe the owner money, and be billed anew."""
    manager, boss = await person(hub, "m1", "project_manager"), await person(hub, "s1", "sub_manager")
    facts = {"who": manager, "amount_fen": -4_000, "formula": "面积更正"}
    alone = await asked(hub, fees.ask_cancel, owed[:1], who=manager, key="ask-0001")
    await approved(hub, fees.ask_adjustment, owed[0], key="ask-0002", **facts)
    with pytest.raises(Refused, match="line_adjusted"):
        await decide(hub, boss, alone)
    async with hub.db.tx(EAST) as tx:
        await access.withdraw(tx, manager, alone.id, now=NOON)
    both = await asked(hub, fees.ask_cancel, owed[:1], who=manager, key="ask-0003")
    assert (both.amount_fen, both.title) == (14_000, "取消 2 笔应收")
    await decide(hub, boss, both)
    assert sum(one.due_fen for one in await open_of(hub, 101)) == 6_000 and await sound(hub)


async def test_an_adjustment_is_not_adjusted_itself_nor_taken_away_from_under_another(hub, owed):
    """100 + 50 - 150 is nothing; the 50 cannot be lessened or cancelled once more."""
    manager = await person(hub, "m1", "project_manager")
    await approved(hub, fees.ask_adjustment, owed[0], who=manager, amount_fen=5_000, formula="补收")
    up = next(one.id for one in await open_of(hub, 101) if one.adjusts)
    await approved(hub, fees.ask_adjustment, owed[0], who=manager, key="ask-0002", amount_fen=-15_000, formula="面积更正")
    with pytest.raises(Refused, match="is_adjustment"):
        await asked(hub, fees.ask_adjustment, up, who=manager, key="ask-0003", amount_fen=-5_000, formula="再调")
    with pytest.raises(Refused, match="line_adjusted"):
        await asked(hub, fees.ask_cancel, [up], who=manager, key="ask-0004")
    with pytest.raises(Refused, match="waiver_too_large"):
        await asked(hub, fees.ask_waiver, up, key="ask-0005", principal_fen=1, late_fee_fen=0)
    assert sum(one.due_fen for one in await open_of(hub, 101)) == 6_000


async def test_cancelling_a_credit_does_not_make_the_request_look_smaller(hub, owed):
    """Y-12: the tier follows from all that is cancelled, not from what charges and credits come to together."""
    manager = await person(hub, "m1", "project_manager")
    await approved(hub, fees.ask_adjustment, owed[0], who=manager, amount_fen=-9_999, formula="面积更正")
    ids = [one.id for one in await open_of(hub, 101)]
    one = await asked(hub, fees.ask_cancel, ids, who=manager, key="ask-0002")
    assert one.amount_fen == 10_000 + 6_000 + 9_999


async def test_bills_of_one_owner_cancelled_one_by_one_count_together(hub):
    """A-11: 4,000 yuan each is under the subsidiary's 5,000; two of one owner are not."""
    async with hub.db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 400_000), line(101, 400_000, item="water"), line(102, 100))
    manager = await person(hub, "m1", "project_manager")
    first = await asked(hub, fees.ask_cancel, lines[:1], who=manager)
    second = await asked(hub, fees.ask_cancel, lines[1:2], who=manager, key="ask-0002")
    assert (first.roles, second.roles) == (("sub_manager", "hq_finance"), ("hq_finance",))
    assert second.beneficiary == "owner:101"
    mixed = await asked(hub, fees.ask_cancel, [lines[0], lines[2]], who=manager, key="ask-0004")
    assert mixed.beneficiary == "owner:101", "who gains most by it"


async def test_a_cheap_line_cannot_take_the_place_of_the_bill(hub, hub_client, worker):
    """F-09, 1.1: a line by hand for what a standard bills would keep the run from billing it, with nobody asked."""
    await hub_client.log_in("project_manager", project=11)
    _, assignments = await set_up(hub_client, hub)
    cheap = {"item": "property", "room": 101, "first_day": "2026-12-01", "last_day": "2026-12-31", "due": "2026-12-15"}
    body = {"project": 11, "lines": [cheap | {"amount_fen": 1, "formula": "优惠"}]}
    answer = await hub_client.post("/api/v1/fees/lines", json=body)
    assert (answer.status_code, answer.json().get("code")) == (409, "billed_by_standard"), answer.text
    run = {"project": 11, "through": "2026-12-31", "title": "12 月应收", "key": "run-2026-12"}
    assert (await finished(hub_client, (await must(hub_client, "runs", **run))["job"]))["state"] == "done"
    (made,) = (await hub_client.get("/api/v1/fees/runs?project=11")).json()["runs"]
    assert made["lines"] == len(assignments)


async def test_a_line_that_stands_in_the_way_of_a_bill_is_named_by_the_run(hub, hub_client, worker):
    """The same, put there before the room was assigned: the run says whose place was taken and with how much."""
    await hub_client.log_in("project_manager", project=11)
    cheap = {"item": "property", "room": 103, "first_day": "2026-12-01", "last_day": "2026-12-31", "due": "2026-12-15"}
    standard, _ = await set_up(hub_client, hub)
    asked_for = await must(
        hub_client, "lines", project=11, lines=[cheap | {"amount_fen": 1, "formula": "优惠"}], reason="领导交代"
    )
    await approved_one(hub, asked_for, "s2", "sub_manager")
    await must(hub_client, f"standards/{standard}/assignments", rooms=[103], first_day="2026-12-01")
    run = {"project": 11, "through": "2026-12-31", "title": "12 月应收", "key": "run-2026-12"}
    await finished(hub_client, (await must(hub_client, "runs", **run))["job"])
    (made,) = (await hub_client.get("/api/v1/fees/runs?project=11")).json()["runs"]
    (told,) = made["failures"]
    assert "0.01" in told["message"] and "手工" in told["message"], told


async def test_lines_added_by_hand_are_on_the_audit_log(hub, hub_client, worker):
    await hub_client.log_in("project_manager", project=11, number="m1")
    item = {"code": "repair", "name": "维修费", "category": "one_off", "held_for_others": False, "part_payment": True}
    one = {"item": "repair", "room": 101, "first_day": "2026-11-01", "last_day": "2026-11-01", "due": "2026-11-15"}
    asked_for = await must(
        hub_client, "lines", project=11, items=[item], lines=[one | {"amount_fen": 500, "formula": "换锁"}], reason="业主报修"
    )
    await approved_one(hub, asked_for, "h1", "hq_finance")
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT after FROM audit_log WHERE action = 'fees.add_lines'", ())
    assert len(rows) == 1 and '"fen":500' in rows[0]["after"]


@pytest.mark.parametrize(
    "options",
    [
        {"factor": "-1"}, {"factor": "0"}, {"factor": "NaN"}, {"factor": "1e9"}, {"factor": "abc"}, {"factor": True},
        {"area": "-80"}, {"area": "0"}, {"area": "Infinity"}, {"quantity": "-2"}, {"quantity": {"a": 1}}, {"price": "0"},
        {"rent_free": "2026-12-01"}, {"rent_free": [["2026-12-01"]]}, {"rent_free": [["2027-01-01", "2026-12-01"]]},
        {"rent_free": [["x", "y"]]},
    ],
)  # fmt: skip
async def test_what_differs_for_one_room_is_a_number_above_nothing(hub, hub_client, worker, options):
    """F-08, 24: a factor of -1 would make the company owe the owner, one that is no number would stop everybody's bill."""
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    body = {"rooms": [103], "first_day": "2026-12-01", "options": options, "reason": "试试"}
    answer = await hub_client.post(f"/api/v1/fees/standards/{standard}/assignments", json=body)
    assert (answer.status_code, answer.json().get("code")) == (422, "bad_option"), answer.text


async def test_a_room_charged_less_than_its_standard_is_known_to_headquarters(hub, hub_client, worker):
    """G-04: an exception needs a reason, is logged with what it is, and so is its end."""
    await hub_client.log_in("project_manager", project=11, number="m1")
    standard, (first, _) = await set_up(hub_client, hub)
    body = {"rooms": [103], "first_day": "2026-12-01", "options": {"factor": "0.5"}}
    answer = await hub_client.post(f"/api/v1/fees/standards/{standard}/assignments", json=body)
    assert (answer.status_code, answer.json().get("code")) == (422, "no_reason"), answer.text
    asked_for = await must(hub_client, f"standards/{standard}/assignments", **body, reason="员工宿舍")
    await approved_one(hub, asked_for, "s2", "sub_manager")
    await must(hub_client, f"assignments/{first}/end?project=11", last_day="2026-12-31")
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all(
            "SELECT action, after, reason FROM audit_log WHERE action IN ('fees.assign', 'fees.end') ORDER BY seq", ()
        )
    assert [row["action"] for row in rows] == ["fees.assign", "fees.assign", "fees.end"]
    assert "0.5" in rows[1]["after"] and rows[1]["reason"] == "员工宿舍" and "2026-12-31" in rows[2]["after"]


async def test_an_assignment_names_nobody_and_no_term_of_another_company(hub, hub_client, worker, money_admin):
    """0.6: a term or a payer of somebody else would stop every run of the project, or bill a stranger."""
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    async with hub_client.another() as other:
        await other.log_in("project_manager", project=21)
        theirs = (await must(other, "terms", project=21, code="t", name="别家", rules=TERM))["id"]
    for more, code in (
        ({"term": theirs}, "term_not_found"),
        ({"payer": 201}, "owner_not_found"),
        ({"payer": 10**6}, "owner_not_found"),
    ):
        body = {"rooms": [103], "first_day": "2026-12-01"} | more
        answer = await hub_client.post(f"/api/v1/fees/standards/{standard}/assignments", json=body)
        assert (answer.status_code, answer.json().get("code")) == (404, code), answer.text


async def test_the_approver_reads_every_choice_that_makes_the_price_smaller(hub, hub_client, worker):
    """Y-12: the same 2.35 yuan, but nobody pays more than 1.00 and the term takes no late fee."""
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    term = (await must(hub_client, "terms", project=11, code="soft", name="按月预收", rules=TERM))["id"]
    rules = AREA | {"max_fen": 100, "bounds_per": "line"}
    version = await must(
        hub_client, f"standards/{standard}/versions", effective_from="2027-01-01", rules=rules, term=term, reason="小改"
    )
    asked_for = await must(hub_client, f"versions/{version['id']}/publish", key="publish-0009", terminal="办公室")
    told = (await hub_client.get(f"/api/v1/approvals/{asked_for['approval']}")).json()
    assert "最高收费：1.00 元" in told["after"] and "（soft）" in told["after"] and "（monthly）" in told["before"], told


async def test_a_price_that_waited_until_it_was_back_dated_is_for_headquarters(hub, hub_client, worker):
    """F-04: asked for the day before, approved by the subsidiary days later."""
    await hub_client.log_in("project_manager", project=11)
    standard, _ = await set_up(hub_client, hub)
    term = (await hub_client.get("/api/v1/fees/terms?project=11")).json()["terms"][0]["id"]
    body = {"effective_from": "2026-11-25", "rules": AREA, "term": term, "reason": "小改"}
    version = await must(hub_client, f"standards/{standard}/versions", **body)
    asked_for = await must(hub_client, f"versions/{version['id']}/publish", key="publish-0009", terminal="办公室")
    assert asked_for["kind"] == "standard.publish"
    async with hub.db.tx(EAST) as tx:
        one = await access.get(tx, asked_for["approval"])
    with pytest.raises(Refused, match="became_past"):
        await decide(hub, await person(hub, "s2", "sub_manager"), one, now=NOON + timedelta(days=2))
