"""Approvals: the second person, tiers by amount without splitting, expiry, delegates, exactly once (Y-02, Y-12, A-11)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pytest

from cloud.access import approvals, store
from cloud.access import service as access
from cloud.access.domain import Principal
from cloud.shared.db import Scope
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from tests.support.approvals import EAST, ROLES, ask, decide, person
from tests.support.hub import NOON
from tests.support.waiting import wait

TODAY = NOON.date()


@pytest.fixture
def carried(hub):
    """What handlers carried out; the handler of waivers writes into the same transaction."""
    done: list[int] = []

    async def carry(tx, approval, principal, now):
        await tx.execute("UPDATE projects SET name = name || '!' WHERE id = %s", (approval.project_id,))
        done.append(approval.id)

    hub.approval_handlers = {"waiver": carry, "receipt.void": carry, "refund": carry}
    return done


def code_of(found: pytest.ExceptionInfo[Refused]) -> str:
    return found.value.code


async def test_a_second_person_decides_and_the_handler_runs_once_in_the_same_transaction(hub, carried, money_admin):
    """Y-12"""
    one = await ask(hub, await person(hub, "c1", "cashier"))
    assert (one.state, one.requester_number, one.cumulated_fen) == ("waiting", "c1", 7_745)
    assert one.expires_at == NOON + timedelta(hours=72)
    done = await decide(hub, await person(hub, "m1", "project_manager"), one)
    assert (done.state, done.decided_number, carried) == ("approved", "m1", [one.id])
    assert money_admin.fetch("SELECT name FROM projects WHERE id = 11") == [("枫桥雅苑!",)]
    with pytest.raises(Conflict) as again:
        await decide(hub, await person(hub, "m2", "project_manager"), one)
    assert code_of(again) == "already_decided" and "m1" in again.value.zh
    assert carried == [one.id]


async def test_nobody_decides_their_own_request_even_with_every_role(hub, carried, money_admin):
    """Y-02: one user holding every role."""
    all_roles = await person(hub, "every", *ROLES)
    one = await ask(hub, all_roles)
    for approve in (True, False):
        with pytest.raises(Refused) as found:
            await decide(hub, all_roles, one, approve=approve, note="不行的")
        assert code_of(found) == "own_request"
    assert carried == []
    # and the database refuses the row itself, whatever the program does
    with pytest.raises(psycopg.errors.CheckViolation):
        async with hub.db.tx(EAST) as tx:
            await tx.execute(
                """
                INSERT INTO approval_decisions (approval_id, step, company_id, project_id, requester, by_user, by_number, by_name,
                    approve, note, terminal, address, at) VALUES (%s, 1, 1, 11, %s, %s, 'x', 'x', true, '', '', '', now())
                """,
                (one.id, all_roles.user_id, all_roles.user_id),
            )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with hub.db.tx(EAST) as tx:
            await tx.execute(
                "UPDATE approvals SET state = 'approved', decided_by = 1, decided_at = now() WHERE id = %s", (one.id,)
            )
    assert (await decide(hub, await person(hub, "m1", "project_manager"), one)).state == "approved"


async def test_a_request_by_its_key_is_one_and_a_subject_waits_once(hub):
    cashier, other = await person(hub, "c1", "cashier"), await person(hub, "c2", "cashier")
    one = await ask(hub, cashier)
    assert (await ask(hub, cashier)).id == one.id
    for who, more, code in (
        (cashier, {"fen": 1}, "key_used"),
        (other, {}, "key_used"),
        (other, {"key": "k2"}, "approval_waiting"),
    ):
        with pytest.raises(Conflict) as found:
            await ask(hub, who, **more)
        assert code_of(found) == code
    assert (await ask(hub, other, key="k3", subject="line:18")).id != one.id


async def test_ten_identical_requests_at_once_are_one(hub):
    cashier = await person(hub, "c1", "cashier")
    made = await asyncio.gather(*(ask(hub, cashier) for _ in range(10)))
    assert len({one.id for one in made}) == 1


async def test_ten_approvers_at_once_carry_it_out_once(hub, carried, money_admin):
    one = await ask(hub, await person(hub, "c1", "cashier"))
    people = [await person(hub, f"m{n}", "project_manager") for n in range(10)]
    found = await asyncio.gather(*(decide(hub, who, one) for who in people), return_exceptions=True)
    assert sum(isinstance(answer, access.Approval) for answer in found) == 1
    assert {answer.code for answer in found if isinstance(answer, Conflict)} == {"already_decided"}
    assert carried == [one.id]
    assert money_admin.fetch("SELECT count(*) FROM approval_decisions") == [(1,)]


async def test_who_may_ask_where(hub):
    for number, role, project in (("m1", "project_manager", 11), ("g1", "guard", 11), ("c9", "cashier", 12)):
        with pytest.raises((NotAllowed, NotFound)) as found:
            await ask(hub, await person(hub, number, role, project=project))
        assert code_of(found) in ("not_allowed", "project_not_found")
    cashier = await person(hub, "c1", "cashier")
    for more, code in (
        ({"kind": "gift"}, "bad_kind"),
        ({"reason": " "}, "no_reason"),
        ({"fen": -1}, "bad_amount"),
        ({"project_id": 21}, "project_not_found"),
    ):
        with pytest.raises(Refused) as refused:
            await ask(hub, cashier, **more)
        assert code_of(refused) == code


@pytest.mark.parametrize(
    ("fen", "role", "allowed"),
    [
        (20_000, "project_manager", True),
        (20_001, "project_manager", False),
        (20_001, "sub_manager", True),
        (200_001, "sub_manager", False),
        (200_001, "hq_finance", True),
        (100, "hq_auditor", False),
        (100, "cashier", False),
    ],
)
async def test_the_tier_follows_the_amount(hub, carried, fen, role, allowed):
    """Y-12"""
    one = await ask(hub, await person(hub, "c1", "cashier"), fen)
    decider = await person(hub, "d1", role)
    if allowed:
        assert (await decide(hub, decider, one)).state == "approved"
        return
    with pytest.raises(NotAllowed) as found:
        await decide(hub, decider, one)
    assert code_of(found) == "not_approver"
    assert carried == []


async def test_nothing_is_split_under_a_tier(hub, carried):
    """A-11: waivers of one owner within 12 months count together, waiting ones too; another owner's do not."""
    cashier, manager = await person(hub, "c1", "cashier"), await person(hub, "m1", "project_manager")
    for n, fen in enumerate((9_000, 9_000)):
        await decide(hub, manager, await ask(hub, cashier, fen, key=f"s{n}", subject=f"line:{n}"))
    third = await ask(hub, cashier, 9_000, key="s3", subject="line:3")
    assert third.cumulated_fen == 27_000
    with pytest.raises(NotAllowed):
        await decide(hub, manager, third)
    other = await ask(hub, cashier, 9_000, key="s4", subject="line:4", beneficiary="owner:102")
    assert other.cumulated_fen == 9_000
    later = NOON + timedelta(days=366)
    assert (await ask(hub, cashier, 9_000, key="s5", subject="line:5", now=later)).cumulated_fen == 9_000


async def test_ten_small_ones_asked_for_at_once_count_together(hub):
    """A-11"""
    cashier = await person(hub, "c1", "cashier")
    made = await asyncio.gather(*(ask(hub, cashier, 5_000, key=f"p{n}", subject=f"line:{n}") for n in range(10)))
    assert sorted(one.cumulated_fen for one in made) == [5_000 * n for n in range(1, 11)]


async def test_requests_split_over_two_projects_at_once_do_not_stay_under_the_tier(hub, money_admin):
    """A-11: tiers count over the company, also for people who see one project of it only, and while the first still commits."""
    here, there = await person(hub, "c1", "cashier"), await person(hub, "c2", "cashier", project=12)
    assert here.scope.projects == {11} and there.scope.projects == {12}

    def queued() -> bool:
        return bool(money_admin.fetch("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))

    wanted = {
        "kind": "waiver", "title": "减免", "amount_fen": 15_000, "payload": {}, "before": "1", "after": "0", "reason": "银行晚到",
        "terminal": "", "now": NOON, "beneficiary": "owner:101",
    }  # fmt: skip
    async with hub.db.tx(here.scope) as tx:
        first = await access.ask(tx, here, project_id=11, subject="line:1", key="p-11", **wanted)
        beside = asyncio.create_task(ask(hub, there, 15_000, project_id=12, subject="line:2", key="p-12"))
        await asyncio.to_thread(wait, queued, 10, "the second request waits for the first")
    second = await beside
    assert (first.cumulated_fen, second.cumulated_fen) == (15_000, 30_000)
    assert "project_manager" in first.roles and "project_manager" not in second.roles
    far = await person(hub, "c3", "cashier", company=2, project=21)
    other = await ask(hub, far, 15_000, project_id=21, subject="line:3", key="p-21")
    assert other.cumulated_fen == 15_000, "another company's tier is its own"


async def test_returned_and_withdrawn_ones_do_not_count(hub, carried):
    cashier, manager = await person(hub, "c1", "cashier"), await person(hub, "m1", "project_manager")
    back = await decide(hub, manager, await ask(hub, cashier, 15_000), approve=False, note="没有凭据")
    assert (back.state, back.note, carried) == ("returned", "没有凭据", [])
    mine = await ask(hub, cashier, 15_000, key="k2")
    async with hub.db.tx(cashier.scope) as tx:
        assert (await access.withdraw(tx, cashier, mine.id, now=NOON)).state == "withdrawn"
    assert (await ask(hub, cashier, 15_000, key="k3")).cumulated_fen == 15_000


async def test_two_steps_take_two_people(hub, carried):
    """Y-12"""
    one = await ask(hub, await person(hub, "c1", "cashier"), 2_000_001)
    both = await person(hub, "b1", "sub_manager", "hq_finance")
    half = await decide(hub, both, one)
    assert (half.state, half.step, carried) == ("waiting", 2, [])
    with pytest.raises(Refused) as found:
        await decide(hub, both, one)
    assert code_of(found) == "same_person"
    with pytest.raises(NotAllowed):
        await decide(hub, await person(hub, "s2", "sub_manager"), one)
    done = await decide(hub, await person(hub, "f1", "hq_finance"), one)
    assert (done.state, [step.by_number for step in done.decisions], carried) == ("approved", ["b1", "f1"], [one.id])


async def test_returning_needs_a_sentence(hub):
    one = await ask(hub, await person(hub, "c1", "cashier"))
    manager = await person(hub, "m1", "project_manager")
    with pytest.raises(Refused) as found:
        await decide(hub, manager, one, approve=False, note=" ")
    assert code_of(found) == "no_note"


async def test_what_nobody_decided_in_time_has_expired(hub, carried, money_admin):
    cashier, manager = await person(hub, "c1", "cashier"), await person(hub, "m1", "project_manager")
    one = await ask(hub, cashier)
    late = NOON + timedelta(hours=72)
    async with hub.db.tx(EAST) as tx:
        assert await access.listed(tx, state="waiting", now=late) == []
        assert [row.id for row in await access.listed(tx, state="expired", now=late)] == [one.id]
    with pytest.raises(Refused) as found:
        await decide(hub, manager, one, now=late)
    assert code_of(found) == "approval_expired" and carried == []
    assert money_admin.fetch("SELECT state FROM approvals") == [("expired",)], "also written down"
    again = await ask(hub, cashier, key="k2", now=late)
    assert await access.expire_all(hub.db, late) == 0
    assert await access.expire_all(hub.db, late + timedelta(hours=72)) == 1
    async with hub.db.tx(EAST) as tx:
        assert (await access.get(tx, again.id)).state == "expired"


async def test_an_expired_one_makes_room_for_a_new_one(hub):
    cashier = await person(hub, "c1", "cashier")
    old = await ask(hub, cashier)
    new = await ask(hub, cashier, key="k2", now=NOON + timedelta(hours=80))
    async with hub.db.tx(EAST) as tx:
        assert ((await access.get(tx, old.id)).state, new.state) == ("expired", "waiting")


async def test_what_a_handler_refuses_leaves_it_waiting(hub, money_admin):
    one = await ask(hub, await person(hub, "c1", "cashier"))
    manager = await person(hub, "m1", "project_manager")

    async def refuse(tx, approval, principal, now):
        await tx.execute("UPDATE projects SET name = '半截' WHERE id = 11")
        raise Refused("line_paid", "这一笔刚刚已经交清，不用减免了", "paid meanwhile")

    hub.approval_handlers = {"waiver": refuse}
    with pytest.raises(Refused) as found:
        await decide(hub, manager, one)
    assert found.value.zh == "这一笔刚刚已经交清，不用减免了"
    async with hub.db.tx(EAST) as tx:
        assert (await access.get(tx, one.id)).state == "waiting"
    assert money_admin.fetch("SELECT name, (SELECT count(*) FROM approval_decisions) FROM projects WHERE id = 11") == [
        ("枫桥雅苑", 0)
    ]
    assert money_admin.fetch("SELECT action FROM audit_log WHERE action LIKE 'approval.%'") == [("approval.ask",)]


async def test_another_companys_or_projects_request_is_not_there(hub, carried):
    """0.6"""
    one = await ask(hub, await person(hub, "c1", "cashier"))
    for number, role, company, project in (
        ("x1", "sub_manager", 2, None),
        ("x2", "project_manager", 2, 21),
        ("x3", "project_manager", 1, 12),
    ):
        with pytest.raises(NotFound) as found:
            await decide(hub, await person(hub, number, role, company=company, project=project), one)
        assert code_of(found) == "approval_not_found"
    async with hub.db.tx(Scope(frozenset({2}))) as tx:
        assert await access.listed(tx, now=NOON) == []


async def lend(hub, who: Principal, to: str, *, first: date = TODAY, days: int = 7, kinds=None) -> int:
    async with hub.db.tx(who.scope) as tx:
        last = first + timedelta(days=days)
        return await approvals.delegate(tx, who, to=to, first=first, last=last, kinds=kinds, reason="出差", now=NOON)


async def test_a_delegate_decides_in_the_days_lent_and_for_no_request_of_the_lender(hub, carried):
    """Y-12, Y-02"""
    cashier, lender = await person(hub, "c1", "cashier"), await person(hub, "m1", "project_manager", "cashier")
    neighbour = await person(hub, "m2", "project_manager", project=12)
    one = await ask(hub, cashier)
    lent = await lend(hub, lender, "m2")
    own = await ask(hub, lender, key="k2", subject="line:18")
    with pytest.raises(NotAllowed):
        await decide(hub, neighbour, own)
    with pytest.raises(NotFound):
        await decide(hub, neighbour, one, now=NOON + timedelta(days=9))
    done = await decide(hub, neighbour, one)
    assert (done.state, done.decisions[0].on_behalf_of) == ("approved", lender.user_id)
    async with hub.db.tx(lender.scope) as tx:
        await approvals.end_delegation(tx, lender, lent, now=NOON)
    with pytest.raises(NotFound):
        await decide(hub, neighbour, await ask(hub, cashier, key="k3", subject="line:19"))


async def test_one_authority_does_not_decide_twice_through_a_delegate(hub, carried):
    """Y-02: lending one's second step to oneself's first."""
    one = await ask(hub, await person(hub, "c1", "cashier"), 2_000_001)
    both = await person(hub, "b1", "sub_manager", "hq_finance")
    friend = await person(hub, "s2", "sub_manager")
    await decide(hub, both, one)
    await lend(hub, both, "s2")
    with pytest.raises(Refused) as found:
        await decide(hub, friend, one)
    assert code_of(found) == "same_person"


async def test_what_is_lent_ends_with_the_lender(hub, carried):
    cashier, lender = await person(hub, "c1", "cashier"), await person(hub, "m1", "project_manager")
    neighbour = await person(hub, "m2", "project_manager", project=12)
    await lend(hub, lender, "m2")
    async with hub.db.tx(EAST) as tx:
        await store.set_status(tx, lender.user_id, "disabled")
    with pytest.raises(NotFound):
        await decide(hub, neighbour, await ask(hub, cashier))


async def test_a_delegation_names_somebody_who_approves_in_the_same_tree(hub):
    manager = await person(hub, "m1", "project_manager")
    await person(hub, "c1", "cashier")
    await person(hub, "far", "project_manager", company=2, project=21)
    for to, more, code in (
        ("m1", {}, "self"), ("c1", {}, "no_delegate"), ("far", {}, "no_delegate"), ("nobody", {}, "no_delegate"),
        ("m2", {"days": 93}, "bad_days"),
        ("m2", {"first": date(2026, 11, 1)}, "bad_days"), ("m2", {"kinds": ["gift"]}, "bad_kind"),
    ):  # fmt: skip
        with pytest.raises(Refused) as found:
            await lend(hub, manager, to, **more)
        assert code_of(found) == code, to


async def test_requests_and_decisions_are_in_the_log_and_told_to_pages(hub, carried, money_admin, listening):
    """Y-13; the counter sees the result live (UI.md 9)."""
    async with listening() as heard:
        one = await ask(hub, await person(hub, "c1", "cashier"))
        await decide(hub, await person(hub, "m1", "project_manager"), one, terminal="窗口 1")
        told = [await asyncio.wait_for(heard.get(), 5) for _ in range(2)]
    assert [(topic, payload["id"], payload["state"]) for topic, payload in told] == [
        ("approval", one.id, "waiting"),
        ("approval", one.id, "approved"),
    ]
    rows = money_admin.fetch("SELECT chain, number, action, after FROM audit_log WHERE action LIKE 'approval.%' ORDER BY id")
    assert [row[:3] for row in rows] == [("project 11", "c1", "approval.ask"), ("project 11", "m1", "approval.approve")]
    assert all('"amount_fen":7745' in str(row[3]) for row in rows)
    assert '"one_terminal":true' in str(rows[1][3]), "asked and approved on one terminal: G-01 looks for it"
    async with hub.db.tx(await access.everything(hub.db)) as tx:
        assert await access.verify_audit(tx) == []


async def test_a_company_may_have_tiers_of_its_own_and_the_matrix_stays(hub, carried, money_admin):
    money_admin.execute(
        """
        INSERT INTO approval_tiers (company_id, kind, version, up_to_fen, roles, set_at, set_by) VALUES
            (1, 'waiver', 1, null, '{project_manager}', now(), 'x'), (1, 'waiver', 2, 100, '{project_manager}', now(), 'x')
        """
    )
    cashier, manager = await person(hub, "c1", "cashier"), await person(hub, "m1", "project_manager")
    assert (await decide(hub, manager, await ask(hub, cashier, 100))).state == "approved"
    with pytest.raises(Refused) as found:
        await ask(hub, cashier, 101, key="k2", beneficiary="owner:102", subject="line:9")
    assert code_of(found) == "no_tier"
    with pytest.raises(psycopg.errors.CheckViolation):
        money_admin.execute(
            "INSERT INTO approval_tiers (kind, version, roles, set_at, set_by) VALUES ('waiver', 9, '{cashier}', now(), 'x')"
        )


async def test_the_scope_of_a_principal_does_not_widen_a_decision(hub, carried):
    """A role in one place decides nothing in another, even when the person may look there."""
    one = await ask(hub, await person(hub, "c1", "cashier"))
    await person(hub, "m9", "project_manager", project=12)
    looker = await person(hub, "m9", "cashier")
    looker = replace(looker, scope=Scope(frozenset({1})))
    with pytest.raises(NotAllowed) as found:
        await decide(hub, looker, one)
    assert code_of(found) == "not_approver"


@pytest.mark.parametrize("way", ["created_by", "password_by"])
async def test_headquarters_is_told_when_the_approver_knows_the_requesters_password(hub, carried, money_admin, listening, way):
    """G-01: a manager makes a cashier, asks in the cashier's name and approves."""
    one = await ask(hub, await person(hub, "c1", "cashier"))
    money_admin.execute(f"UPDATE users SET {way} = 'm1' WHERE number = 'c1'")
    async with listening() as heard:
        await decide(hub, await person(hub, "m1", "project_manager"), one)
        async with asyncio.timeout(5):
            while (found := await heard.get())[0] != "alarm":
                pass
    assert (found[1]["what"], found[1]["approval"]) == ("approver_made_requester", one.id)
    ((after,),) = money_admin.fetch("SELECT after FROM audit_log WHERE action = 'approval.approve'")
    assert "knows_password" in str(after)
