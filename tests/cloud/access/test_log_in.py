"""Logging in: lock-out, sessions, the CSRF token, weak passwords (Y-03, Y-10, Y-11)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from cloud.access import sessions, store
from cloud.access.domain import check_password
from protocols.errors import Refused
from tests.support.hub import PASSWORD


async def attempt(client, number: str, password: str) -> tuple[int, str]:
    answer = await client.post("/api/v1/login", json={"number": number, "password": password})
    return answer.status_code, answer.json().get("code", "ok")


async def test_who_logs_in_is_known_until_they_log_out(hub_client):
    made = await hub_client.log_in("cashier", project=11)
    me = (await hub_client.get("/api/v1/me")).json()
    assert (me["id"], me["roles"], me["number"]) == (made, ["cashier"], "cashier-11")
    assert "counter.collect" in me["permissions"]
    assert (await hub_client.post("/api/v1/logout")).status_code == 204
    assert (await hub_client.get("/api/v1/me")).status_code == 401


async def test_the_cookie_is_closed_to_scripts_and_other_sites(hub_client):
    await hub_client.log_in("cashier", project=11)
    answer = await hub_client.post("/api/v1/login", json={"number": "cashier-11", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.parametrize("number", ["cashier-11", "nobody-has-this"])
async def test_ten_wrong_passwords_lock_the_number_for_fifteen_minutes(hub_client, number):
    """Y-10: the fifth failure locks, also against the right password; a number nobody has answers the same."""
    await hub_client.log_in("cashier", project=11)
    seen = [await attempt(hub_client, number, f"wrong-{n}") for n in range(10)]
    assert seen == [(401, "wrong_login")] * 4 + [(403, "locked")] * 6
    assert await attempt(hub_client, number, PASSWORD) == (403, "locked")
    hub_client.hub.clock.time += timedelta(minutes=15, seconds=1)
    expected = (200, "ok") if number == "cashier-11" else (401, "wrong_login")
    assert await attempt(hub_client, number, PASSWORD) == expected


async def test_guesses_sent_at_once_are_no_way_around_the_lock(hub_client):
    """Y-10: all of them were asked before the first failure was counted."""
    await hub_client.log_in("cashier", project=11)
    guesses = [*(f"wrong-{n}" for n in range(20)), PASSWORD]
    seen = await asyncio.gather(*(attempt(hub_client.another(), "cashier-11", guess) for guess in guesses))
    assert {status for status, _ in seen} == {401, 403}
    assert await attempt(hub_client, "cashier-11", PASSWORD) == (403, "locked")


async def test_a_number_the_database_cannot_hold_is_a_wrong_input_not_a_fault(hub_client):
    """DESIGN 6"""
    assert await attempt(hub_client, "a\x00b", "x") == (422, "bad_value")
    assert (await hub_client.get("/r/a%00b/1/00000000")).status_code == 422
    assert (await hub_client.post("/login", data={"number": "a\x00b", "password": "x"})).status_code == 422


async def test_a_log_in_forgets_earlier_failures(hub_client):
    await hub_client.log_in("cashier", project=11)
    for _ in range(3):
        for n in range(4):
            assert await attempt(hub_client, "cashier-11", f"wrong-{n}") == (401, "wrong_login")
        assert (await attempt(hub_client, "cashier-11", PASSWORD))[0] == 200


async def test_the_lock_holds_without_a_look_at_the_password(hub_client):
    """Failures while locked do not prolong the lock."""
    for n in range(8):
        await attempt(hub_client, "x", f"wrong-{n}")
    hub_client.hub.clock.time += timedelta(minutes=14)
    assert await attempt(hub_client, "x", "again") == (403, "locked")
    hub_client.hub.clock.time += timedelta(minutes=2)
    assert await attempt(hub_client, "x", "again") == (401, "wrong_login")


async def test_a_session_ends_after_thirty_idle_minutes_and_after_twelve_hours(hub_client):
    """Y-11"""
    await hub_client.log_in("cashier", project=11)
    clock = hub_client.hub.clock
    for _ in range(28):
        clock.time += timedelta(minutes=25)
        assert (await hub_client.get("/api/v1/me")).status_code == 200
    clock.time += timedelta(minutes=25)
    assert (await hub_client.get("/api/v1/me")).status_code == 401
    await hub_client.log_in("cashier", project=12)
    clock.time += timedelta(minutes=31)
    assert (await hub_client.get("/api/v1/me")).status_code == 401


async def test_a_writing_request_needs_the_sessions_token(hub_client):
    await hub_client.log_in("hq_finance")
    body = {"code": "xx", "name": "新公司"}
    good = hub_client.headers.pop("x-csrf-token")
    for token in (None, "", "wrong", good[:-1]):
        headers = {} if token is None else {"x-csrf-token": token}
        answer = await hub_client.post("/api/v1/estate/companies", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_csrf")
    assert (await hub_client.post("/api/v1/estate/companies", json=body, headers={"x-csrf-token": good})).status_code == 200


async def test_disabling_a_person_ends_their_sessions_at_once(hub_client):
    """Y-03"""
    async with hub_client.another() as guard:
        made = await guard.log_in("guard", project=11)
        assert (await guard.get("/api/v1/me")).status_code == 200
        await hub_client.log_in("project_manager", project=11)
        answer = await hub_client.post(f"/api/v1/access/users/{made}/disable", json={"reason": "离职"})
        assert answer.status_code == 204, answer.text
        assert (await guard.get("/api/v1/me")).status_code == 401
        assert await attempt(guard, "guard-11", PASSWORD) == (401, "wrong_login")


async def test_a_new_password_ends_all_sessions(hub_client):
    await hub_client.log_in("cashier", project=11)
    wrong = await hub_client.post("/api/v1/me/password", json={"old": "not-this-one", "new": "another-horse-2"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
    weak = await hub_client.post("/api/v1/me/password", json={"old": PASSWORD, "new": "1234567890"})
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    assert (await hub_client.post("/api/v1/me/password", json={"old": PASSWORD, "new": "another-horse-2"})).status_code == 204
    assert (await hub_client.get("/api/v1/me")).status_code == 401
    assert await attempt(hub_client, "cashier-11", PASSWORD) == (401, "wrong_login")
    assert (await attempt(hub_client, "cashier-11", "another-horse-2"))[0] == 200


@pytest.mark.parametrize("password", ["short", "1234567890", "aaaaaaaaaaaa", "QWERTYUIOP", "2001200120012001", "x" * 201])
def test_weak_passwords_are_refused(password):
    """Y-10"""
    with pytest.raises(Refused, match="weak_password"):
        check_password(password, "2001")


async def test_the_hub_keeps_neither_password_nor_token(hub_client, money_admin):
    await hub_client.log_in("cashier", project=11)
    token = hub_client.cookies[sessions.COOKIE]
    rows = money_admin.fetch("SELECT encode(token, 'escape'), csrf FROM sessions")
    assert token not in str(rows)
    assert await sessions.hash_password(PASSWORD) != await sessions.hash_password(PASSWORD)
    assert "$argon2id$" in str(money_admin.fetch("SELECT password_hash FROM users"))


async def test_hashes_and_sessions_are_closed_to_the_hubs_own_role(money_db):
    import psycopg

    for query in ("SELECT password_hash FROM users", "SELECT * FROM sessions", "SELECT * FROM login_failures"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with money_db.tx(await everything(money_db)) as tx:
                await tx.fetch_all(query)


async def everything(db):
    from cloud.access import service as access

    return await access.everything(db)


async def test_credentials_of_a_disabled_person_are_those_of_nobody(hub_client, money_admin):
    await hub_client.log_in("cashier", project=11)
    money_admin.execute("UPDATE users SET status = 'disabled'")
    known = await store.credentials(hub_client.hub.db, "cashier-11", hub_client.hub.clock.now())
    assert (known.user_id, known.password_hash) == (None, None)
