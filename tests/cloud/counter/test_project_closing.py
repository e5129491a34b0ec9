"""Closing a project (P-05): everything that is open is listed, and while anything is it stays."""

from __future__ import annotations

import pytest

from cloud.counter import project_closing
from cloud.counter import service as counter
from cloud.estate import service as estate
from protocols.errors import NotFound, Refused
from tests.support.approvals import person
from tests.support.held import take, top_up
from tests.support.money import EAST, NOON, NORTH, bill, cashier, line, request, shift


@pytest.fixture
async def headquarters(hub):
    return await person(hub, "0001", "hq_finance")


async def close(hub, who, project=11):
    async with hub.db.tx(EAST) as tx:
        return await project_closing.close_project(tx, who, project, reason="合同到期", now=NOON)


async def test_everything_open_is_listed_with_how_many_and_how_much(hub, headquarters):
    """P-05"""
    async with hub.db.tx(EAST) as tx:
        found = await bill(tx, line(101, 5_000), line(102, 7_000))
        await top_up(tx, 300)
        await take(tx, 30_000)
        opened = await shift(tx)
        await counter.collect(tx, request(opened, 101, found[:1], 5_000), cashier(), NOON)
    async with hub.db.tx(EAST) as tx:
        told = {one.what: (one.count, one.fen) for one in await project_closing.open_things(tx, 11)}
    assert told == {
        "arrears": (1, 7_000), "wallets": (1, 300), "deposits": (1, 30_000), "shifts": (1, None), "drawer": (0, 35_300),
    }  # fmt: skip
    with pytest.raises(Refused) as refused:
        await close(hub, headquarters)
    assert refused.value.code == "project_open"
    for words in ("未缴的应收 1 项，70.00 元", "没交的班 1 项", "抽屉里没缴存的现金 353.00 元", "押金 1 项，300.00 元"):
        assert words in refused.value.zh, words
    async with hub.db.tx(EAST) as tx:
        assert (await estate.project_record(tx, 11)).status == "active"


async def test_a_project_with_nothing_open_is_closed_once_and_on_record(hub, headquarters):
    """P-05, Y-13"""
    assert (await close(hub, headquarters)).status == "closed"
    assert (await close(hub, headquarters)).status == "closed"
    with pytest.raises(Refused, match="project_closed"):
        async with hub.db.tx(EAST) as tx:
            await shift(tx)
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT reason FROM audit_log WHERE action = 'project.close'", ())
    assert [row["reason"] for row in rows] == ["合同到期"]


async def test_without_a_reason_or_from_outside_nothing_is_closed(hub, headquarters):
    with pytest.raises(Refused, match="no_reason"):
        async with hub.db.tx(EAST) as tx:
            await project_closing.close_project(tx, headquarters, 11, reason=" ", now=NOON)
    with pytest.raises(NotFound):
        async with hub.db.tx(NORTH) as tx:
            await project_closing.close_project(tx, headquarters, 11, reason="合同到期", now=NOON)


async def test_the_page_lists_what_is_open_and_wants_the_code_typed(hub, hub_client):
    """P-05, Y-18, Y-01"""
    async with hub.db.tx(EAST) as tx:
        await bill(tx, line(101, 5_000))
    await hub_client.log_in("hq_finance")
    page = await hub_client.get("/projects/11/close")
    assert "还没结清，不能退出" in page.text and "未缴的应收" in page.text
    told = (await hub_client.get("/api/v1/projects/11/open")).json()
    assert told == {"project": 11, "open": [{"what": "arrears", "count": 1, "fen": 5_000}]}
    still = await hub_client.post("/projects/11/close", data={"typed": "fq", "reason": "合同到期"})
    assert still.status_code == 422 and "枫桥雅苑 还不能退出" in still.text
    wrong = await hub_client.post("/projects/12/close", data={"typed": "fq", "reason": "合同到期"})
    assert wrong.status_code == 422 and "请照着输入 xh" in wrong.text
    done = await hub_client.post("/projects/12/close", data={"typed": "xh", "reason": "合同到期"})
    assert done.status_code == 303 and "已经退出" in (await hub_client.get("/projects/12/close")).text
    other = hub_client.another()
    await other.log_in("project_manager", project=11)
    assert (await other.get("/projects/11/close")).status_code == 403
