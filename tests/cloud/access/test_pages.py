"""Logging in as a person does: back to the page wanted, a sentence when wrong, locked after five (Y-10)."""

from __future__ import annotations

import pytest

from tests.support.hub import PASSWORD, add_person


async def test_the_right_password_opens_the_page_that_was_wanted(hub, hub_client):
    await add_person(hub, "hq", "hq_finance", None, None)
    form = {"number": " hq ", "password": PASSWORD, "next": "/receipts?first=2026-11-01"}
    answer = await hub_client.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/receipts?first=2026-11-01")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert (await hub_client.get("/today")).status_code == 200
    assert (await hub_client.get("/login")).headers["location"] == "/today", "who is logged in goes on"


async def test_everybody_has_a_first_page(hub, hub_client):
    """UI 3: the first entry of the menu; roles without one are told so."""
    for number, role, home in (("c1", "cashier", "/desk"), ("m1", "sub_manager", "/today"), ("t1", "technician", "/lanes")):
        await add_person(hub, number, role, None, 11)
        async with hub_client.another() as browser:
            await browser.post("/login", data={"number": number, "password": PASSWORD, "next": ""})
            assert (await browser.get("/")).headers["location"] == home, role


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/login"]
)
async def test_nobody_is_sent_to_another_site(hub, hub_client, target):
    await add_person(hub, "hq", "hq_finance", None, None)
    answer = await hub_client.post("/login", data={"number": "hq", "password": PASSWORD, "next": target})
    assert answer.headers["location"] == "/"


async def test_a_wrong_password_is_a_sentence_and_keeps_the_number(hub, hub_client):
    await add_person(hub, "hq", "hq_finance", None, None)
    page = await hub_client.post("/login", data={"number": "hq", "password": "wrong-password", "next": "/desk"})
    assert page.status_code == 401
    assert "工号或密码不对" in page.text and 'value="hq"' in page.text and 'name="next" value="/desk"' in page.text
    assert "wrong-password" not in page.text
    assert "都要填" in (await hub_client.post("/login", data={"number": "hq", "password": ""})).text


async def test_five_wrong_ones_lock(hub, hub_client):
    await add_person(hub, "hq", "hq_finance", None, None)
    for _ in range(5):
        page = await hub_client.post("/login", data={"number": "hq", "password": "wrong-password"})
    page = await hub_client.post("/login", data={"number": "hq", "password": PASSWORD})
    assert page.status_code == 403 and "15 分钟" in page.text


async def test_logging_out_needs_the_token_and_ends_the_session(hub, hub_client):
    await hub_client.log_in("hq_finance")
    token = hub_client.headers.pop("x-csrf-token")
    assert (await hub_client.post("/logout")).status_code == 403
    assert (await hub_client.post("/logout", data={"csrf": token})).headers["location"] == "/login"
    assert (await hub_client.get("/today")).headers["location"].startswith("/login")
