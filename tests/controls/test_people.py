"""People where they should not be, exports, books that were changed: each with its twin (G-16, G-17, G-01)."""

from __future__ import annotations

import pytest

from cloud.access import service as access
from tests.support.hub import PASSWORD, add_person
from tests.support.staff import Person, approve, at_work, bill, key, open_shift, pay


@pytest.fixture
async def site(hub):
    return await at_work(hub)


async def test_one_cashier_at_two_windows(site):
    """G-17: still working at one computer, logged in at another."""
    await open_shift(site)
    elsewhere = Person(site, "0201", "10.0.0.99")
    assert await elsewhere.log_in() == 200
    site.step(minutes=2)
    await site.people["0201"].get("/api/v1/counter/open-lines?project=11&room=101")
    raised = [one for one in await site.look() if one.rule == "two_terminals"]
    assert [(one.finding.persons, one.finding.terminal) for one in raised] == [(("0201",), "10.0.0.99")]
    site.step(minutes=2)
    await site.people["0201"].get("/api/v1/counter/open-lines?project=11&room=101")
    assert "two_terminals" not in await site.rules()


async def test_a_cashier_who_moved_to_another_window(site):
    """G-17, the twins: logged out first; logged in again at the same computer; a manager with a phone takes no money."""
    cashier = site.people["0201"]
    await cashier.client.post("/api/v1/logout")
    moved = Person(site, "0201", "10.0.0.99")
    assert await moved.log_in() == 200
    site.step(minutes=2)
    again = Person(site, "0201", "10.0.0.99")
    assert await again.log_in() == 200
    phone = Person(site, "0301", "10.0.0.77")
    assert await phone.log_in() == 200
    site.step(minutes=2)
    for one in (moved, again, phone, site.people["0301"]):
        await one.get("/api/v1/me")
    assert await site.rules() == set()


async def test_somebody_logs_in_with_the_number_of_who_left(site):
    """G-17: after disabling; a wrong password of somebody who works here is a wrong password."""
    made = await add_person(site.hub, "0209", "cashier", 1, 11)
    left = Person(site, "0209", "10.0.0.50")
    assert await left.log_in("wrong-password-1") == 401
    assert await site.people["0201"].log_in("wrong-password-1") == 401
    assert "disabled_log_in" not in await site.rules()
    site.step(minutes=1)
    await site.people["9003"].post(f"/api/v1/access/users/{made}/disable", {"reason": "离职"})
    assert "disabled_log_in" not in await site.rules(), "what was tried before is not meant"
    site.step(minutes=1)
    assert await left.log_in(PASSWORD) == 401
    raised = [one for one in await site.look() if one.rule == "disabled_log_in"]
    assert [one.finding.persons for one in raised] == [("0209",)]


async def test_contacts_that_leave_as_a_file(site, money_admin):
    """G-17, G-20: more than 500 rows at once, or the fourth file of a day; three small lists are work."""
    money_admin.execute(
        "INSERT INTO rooms (company_id, project_id, building_id, code, area, payer_id, created_at)"
        " SELECT 1, 12, 12, '2-' || n, 80, 180, now() FROM generate_series(1, 600) n"
    )
    finance, chief = site.people["9001"], site.people["0401"]
    for _ in range(3):
        assert (await finance.get("/owners.xlsx?at=p11")).status_code == 200
    assert await site.rules() == set()
    assert (await finance.get("/owners.xlsx?at=p11")).status_code == 200
    raised = await site.look()
    assert [(one.rule, one.finding.persons) for one in raised] == [("exported", ("9001",))]
    assert (await chief.get("/owners.xlsx?at=p12")).status_code == 200
    raised = await site.look()
    assert [(one.rule, one.finding.persons) for one in raised] == [("exported", ("0401",))]


async def test_an_approver_who_knows_the_password(site):
    """G-01, Y-02: the manager reset the cashier's password, then approved what "the cashier" asked for."""
    made = await add_person(site.hub, "0202", "cashier", 1, 11)
    of = await bill(site, 10_000)
    body = {"project": 11, "principal_fen": 1_000, "reason": "漏水补偿", "terminal": "窗口 1"}
    asked = await site.people["0201"].post(f"/api/v1/fees/lines/{of}/waiver", body | {"key": key()})
    await approve(site, asked["approval"], 1_000)
    assert await site.rules() == set()
    new = "another-horse-22"
    await site.people["0301"].post(f"/api/v1/access/users/{made}/password", {"password": new, "reason": "忘了"})
    assert await site.people["0202"].log_in(new) == 200
    of = await bill(site, 10_000, room=102)
    asked = await site.people["0202"].post(f"/api/v1/fees/lines/{of}/waiver", body | {"key": key()})
    await approve(site, asked["approval"], 1_000)
    raised = await site.look()
    assert [(one.rule, one.finding.persons) for one in raised] == [("knows_password", ("0202", "0301"))]


async def test_the_books_were_restored_from_yesterday(site, money_admin):
    """G-16: entries that headquarters had seen are gone; a book that only grows is quiet."""
    for room in (101, 102):
        await pay(site, 10_000, room=room)
        assert await site.rules() == set()
        site.step(minutes=1)
    money_admin.tamper(
        """
        UPDATE ledger_heads h SET seq = seq - 1,
            hash = (SELECT e.hash FROM ledger_entries e WHERE e.project_id = 11 AND e.seq = h.seq - 1) WHERE project_id = 11;
        DELETE FROM ledger_entries WHERE project_id = 11 AND seq = (SELECT max(seq) FROM ledger_entries WHERE project_id = 11)
        """
    )
    raised = await site.look()
    assert "rolled_back" in {one.rule for one in raised}


async def test_the_audit_log_was_edited(site, hub, money_admin):
    """G-16, Y-13: the nightly verification finds it, headquarters hears of it; a whole log is quiet."""
    await access.verify_all(hub.db, site.now)
    assert await site.rules() == set()
    money_admin.tamper("UPDATE audit_log SET reason = '别的' WHERE id = (SELECT min(id) FROM audit_log WHERE chain = 'group')")
    await access.verify_all(hub.db, site.now)
    raised = await site.look()
    assert [one.rule for one in raised] == ["chain_broken"]
