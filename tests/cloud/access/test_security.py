"""The second factor and quick unlock: RFC 6238's vectors, no code twice, only the same person, five tries (Y-10, Y-11)."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest

from cloud.access import pages_org, totp
from cloud.app import create_app
from cloud.shared.settings import Settings
from tests.support.hub import NOON, PASSWORD, HubClient, add_person

SECRET = base64.b32encode(b"12345678901234567890").decode()
PIN = {"password": PASSWORD, "pin": "2580"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_of_rfc_6238(seconds, expected):
    """RFC 6238, appendix B, SHA-1."""
    step = totp.step_of(datetime.fromtimestamp(seconds, UTC))
    assert totp.code(SECRET, step, 8) == expected
    assert totp.code(SECRET, step) == expected[2:]


def test_a_code_counts_near_its_time_and_once():
    here = totp.step_of(NOON)
    for drift, expected in ((-2, None), (-1, here - 1), (0, here), (1, here + 1), (2, None)):
        assert totp.matching_step(SECRET, totp.code(SECRET, here + drift), NOON, 0) == expected
    assert totp.matching_step(SECRET, totp.code(SECRET, here), NOON, here) is None
    assert totp.matching_step(SECRET, "1２3456", NOON, 0) is None
    assert totp.address(SECRET, "1000").startswith("otpauth://totp/Gatehouse:1000?secret=")


async def switch_on(client) -> str:
    secret = (await client.post("/api/v1/me/factor")).json()["secret"]
    code = totp.code(secret, totp.step_of(client.hub.clock.now()))
    assert (await client.post("/api/v1/me/factor/confirm", json={"code": code})).status_code == 204
    client.hub.clock.time += timedelta(seconds=60)
    return secret


async def log_in(client, number: str, code: str = "") -> tuple[int, str]:
    answer = await client.post("/api/v1/login", json={"number": number, "password": PASSWORD, "code": code})
    return answer.status_code, answer.json().get("code", "ok")


async def test_who_has_a_second_factor_needs_a_fresh_code(hub_client, hub):
    """Y-10"""
    await hub_client.log_in("hq_finance")
    secret = await switch_on(hub_client)
    async with hub_client.another() as browser:
        assert await log_in(browser, "hq-finance-0") == (401, "code_needed")
        assert await log_in(browser, "hq-finance-0", "000000") == (401, "wrong_code")
        code = totp.code(secret, totp.step_of(hub.clock.now()))
        assert await log_in(browser, "hq-finance-0", code) == (200, "ok")
        assert await log_in(browser, "hq-finance-0", code) == (401, "wrong_code"), "no code works twice"


async def test_a_code_sent_twice_at_once_opens_one_session(hub_client, hub):
    await hub_client.log_in("hq_finance")
    secret = await switch_on(hub_client)
    code = totp.code(secret, totp.step_of(hub.clock.now()))
    found = await asyncio.gather(*(log_in(hub_client.another(), "hq-finance-0", code) for _ in range(4)))
    assert sorted(found).count((200, "ok")) == 1


async def test_guessing_codes_locks_like_guessing_passwords(hub_client):
    """Y-10"""
    await hub_client.log_in("hq_finance")
    await switch_on(hub_client)
    async with hub_client.another() as browser:
        seen = [await log_in(browser, "hq-finance-0", f"{n:06d}") for n in range(6)]
    assert seen == [(401, "wrong_code")] * 4 + [(403, "locked")] * 2


async def test_it_is_switched_off_with_a_code(hub_client, hub):
    await hub_client.log_in("hq_finance")
    secret = await switch_on(hub_client)
    assert (await hub_client.post("/api/v1/me/factor/stop", json={"code": "123456"})).status_code == 422
    code = totp.code(secret, totp.step_of(hub.clock.now()))
    assert (await hub_client.post("/api/v1/me/factor/stop", json={"code": code})).status_code == 204
    assert await log_in(hub_client.another(), "hq-finance-0") == (200, "ok")


@pytest.mark.parametrize(
    ("role", "needed"), [("hq_finance", True), ("technician", True), ("project_manager", True), ("cashier", False)]
)
async def test_where_the_hub_asks_for_it_some_roles_do_nothing_without(hub, role, needed):
    """Y-10: required for HQ finance, approvers and technicians (GATEHOUSE_SECOND_FACTOR)."""
    hub.settings = Settings(second_factor=True)
    async with HubClient(hub, create_app(hub)) as client:
        await client.log_in(role, project=None if role == "hq_finance" else 11)
        answer = await client.get("/api/v1/access/org")
        assert (answer.status_code == 403 and answer.json()["code"] == "factor_needed") is needed
        page = await client.get("/lanes")
        if needed:
            assert page.headers["location"] == "/me"
            assert "要先设置动态验证码" in (await client.get("/me")).text
            secret = await switch_on(client)
            assert (await client.get("/api/v1/access/org")).status_code == 200
            code = totp.code(secret, totp.step_of(hub.clock.now()))
            stop = await client.post("/api/v1/me/factor/stop", json={"code": code})
            assert stop.json()["code"] == "factor_needed"


async def test_setting_it_up_as_a_page(hub_client, hub):
    await hub_client.log_in("hq_finance")
    page = (await hub_client.post("/me/factor", data={"step": "start"})).text
    secret = page.split('name="secret" value="')[1].split('"')[0]
    wrong = await hub_client.post("/me/factor", data={"step": "confirm", "secret": secret, "code": "000000"})
    assert wrong.status_code == 422 and "验证码不对" in wrong.text and secret in wrong.text
    scanned = str(pages_org.factor_code(totp.address(secret, "hq-finance-0")))
    assert scanned.startswith("<svg") and scanned in page and scanned in wrong.text
    forged = await hub_client.post("/me/factor", data={"step": "confirm", "secret": "x" * 9000, "code": "000000"})
    assert forged.status_code == 422 and "xxx" not in forged.text
    code = totp.code(secret, totp.step_of(hub.clock.now()))
    assert (await hub_client.post("/me/factor", data={"step": "confirm", "secret": secret, "code": code})).status_code == 303
    assert "已启用" in (await hub_client.get("/me")).text
    async with hub_client.another() as browser:
        form = {"number": "hq-finance-0", "password": PASSWORD}
        asked = await browser.post("/login", data=form)
        assert asked.status_code == 401 and "动态验证码" in asked.text
        hub.clock.time += timedelta(seconds=60)
        code = totp.code(secret, totp.step_of(hub.clock.now()))
        assert (await browser.post("/login", data=form | {"code": code})).status_code == 303


@pytest.mark.parametrize("pin", ["123", "1111", "1234", "4321", "123456789"[:9], "12a4", "９８７６"])
async def test_a_pin_that_is_too_easy(hub_client, pin):
    await hub_client.log_in("cashier", project=11)
    assert (await hub_client.post("/api/v1/me/pin", json=PIN | {"pin": pin})).status_code == 422


async def test_an_idle_counter_is_unlocked_by_the_same_person(hub_client, hub):
    """Y-11: 30 minutes idle; the shift stays open, the page comes back."""
    await hub_client.log_in("cashier", project=11)
    assert (await hub_client.post("/api/v1/me/pin", json=PIN | {"password": "wrong-password"})).status_code == 403
    assert (await hub_client.post("/api/v1/me/pin", json=PIN)).status_code == 204
    assert (await hub_client.get("/unlock")).headers["location"] == "/login", "nothing to unlock yet"
    hub.clock.time += timedelta(minutes=30)
    assert (await hub_client.get("/desk?q=1")).headers["location"] == "/unlock?next=/desk%3Fq%3D1"
    assert (await hub_client.get("/api/v1/me")).status_code == 401
    page = (await hub_client.get("/unlock?next=/desk")).text
    assert "测试cashier-11" in page
    wrong = await hub_client.post("/unlock", data={"pin": "2581", "next": "/desk"})
    assert wrong.status_code == 401 and "解锁码不对" in wrong.text
    assert (await hub_client.post("/unlock", data={"pin": "2580", "next": "/desk"})).headers["location"] == "/desk"
    assert (await hub_client.get("/api/v1/me")).status_code == 200


async def test_five_wrong_pins_end_the_session(hub_client, hub):
    """Y-11"""
    await hub_client.log_in("cashier", project=11)
    await hub_client.post("/api/v1/me/pin", json=PIN)
    hub.clock.time += timedelta(minutes=31)
    await asyncio.gather(*(hub_client.post("/unlock", data={"pin": "9999"}) for _ in range(6)))
    assert (await hub_client.post("/unlock", data={"pin": "2580"})).headers["location"] == "/login"
    assert (await hub_client.get("/desk")).headers["location"].startswith("/login")


async def test_a_session_of_twelve_hours_or_without_a_pin_is_not_unlocked(hub_client, hub):
    await hub_client.log_in("cashier", project=11)
    hub.clock.time += timedelta(minutes=31)
    assert (await hub_client.get("/desk")).headers["location"].startswith("/login")
    await add_person(hub, "c2", "cashier", 1, 11)
    await hub_client.log_in("cashier", project=11, number="c2")
    await hub_client.post("/api/v1/me/pin", json=PIN)
    hub.clock.time += timedelta(hours=12)
    assert (await hub_client.get("/desk")).headers["location"].startswith("/login")
