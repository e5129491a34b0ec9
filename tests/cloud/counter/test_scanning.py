"""What a scanner reads at the desk: a notice's lines ticked, a receipt's owner opened, a forged receipt named (C-09, C-21)."""

from __future__ import annotations

import re

import pytest

from cloud.shared.scans import Scanned
from tests.cloud.counter.test_desk_extra import opened, receipt_of
from tests.cloud.counter.test_pages import fields, ready


@pytest.fixture
async def paid(hub, hub_client):
    """The receipt of room 101's two lines that are due."""
    await ready(hub, hub_client)
    return await receipt_of(hub, await hub_client.post("/desk/collect", data=await opened(hub_client)))


def texts(receipt) -> list[str]:
    code = receipt.check_code.replace("-", "")
    return [
        receipt.no, "FQ-B1", "fq-b 0000001", f"№ {receipt.no}", f"{receipt.no} {receipt.check_code}",
        f"https://hub.example.com/r/FQ-B/1/{code}", f"HTTPS://HUB.EXAMPLE.COM/R/FQ-B/1/{code}",
    ]  # fmt: skip


async def test_a_receipt_opens_its_owner(hub_client, paid):
    for text in texts(paid):
        answer = await hub_client.get("/desk", params={"q": text})
        assert answer.headers["location"].startswith("/desk?room=101&q="), text
        page = (await hub_client.get(answer.headers["location"])).text
        assert "业主101" in page and f"№ {paid.no}" in page and "有效" in page and "303.00" in page


async def test_a_forged_receipt_is_named_and_opens_nothing(hub_client, paid):
    code = paid.check_code.replace("-", "")
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    for text in (f"https://hub.example.com/r/FQ-B/1/{wrong}", f"{paid.no} {wrong[:4]}-{wrong[4:]}"):
        answer = await hub_client.get("/desk", params={"q": text})
        assert answer.status_code == 200
        assert "验真码对不上" in answer.text and 'id="list"' not in answer.text


async def test_what_is_no_receipt_is_searched_for(hub_client, paid):
    """Plates, rooms and numbers of other projects' books are what they were."""
    for text in ("FQ-B 2", "XX-A 0000001", "A00101", "11101"):
        answer = await hub_client.get("/desk", params={"q": text})
        assert "paperread" not in answer.text, text
        assert answer.status_code == 200 or "room=" in answer.headers["location"]
    assert (await hub_client.get("/desk?q=11101")).headers["location"] == "/desk?room=101&q=11101"


async def test_a_notice_opens_with_its_lines_ticked(hub, hub_client):
    """C-21: whatever else is due; a notice of a project that is not this counter's is not looked for."""
    lines = await ready(hub, hub_client)
    asked = []

    async def scan(tx, projects, text):
        asked.append((list(projects), text))
        return Scanned(11, 101, (lines[1],)) if text == "CF2611240001" else None

    hub.scans = {"CF": scan}
    answer = await hub_client.get("/desk?q=cf2611240001")
    page = (await hub_client.get(answer.headers["location"])).text
    assert fields(page)["line"] == [str(lines[1])]
    assert asked[0] == ([11], "CF2611240001")
    assert "没找到" in (await hub_client.get("/desk?q=CF9")).text
    assert re.search(r'id="list"', page)
