"""The thumbnail beside its passage: shown once it is here, only inside the scope, each look written down (DESIGN 2.7, K-37)."""

from __future__ import annotations

import hashlib
import json

from cloud.fleet.handling import Place
from cloud.fleet.pictures import keep
from cloud.parking import service as parking
from protocols.uplink.events import Snapshot
from tests.support import parking as parked
from tests.support.day import NOW
from tests.support.money import BOTH

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4
SHA256 = hashlib.sha256(JPEG).hexdigest()


async def escape(hub) -> None:
    """A vehicle leaves without paying; the event names a picture."""
    hub.clock.time = NOW
    body = parked.went("s1", "京A12345", entered_at="2026-11-24T08:00:00+08:00", fee_fen=700, paid_fen=0)
    body = body.model_copy(update={"category": "escaped", "snapshot": Snapshot(sha256=SHA256, size=len(JPEG))})
    async with hub.db.tx(BOTH) as tx:
        await parked.set_up(tx)
        await parking.on_passage(tx, [parked.event(body, at=NOW, received_at=NOW)])


async def picture_comes(hub) -> None:
    async with hub.db.tx(BOTH) as tx:
        await keep(tx, hub.settings.data, Place(parked.BOX, 1, 11), SHA256, JPEG, NOW)


def looks(admin) -> list[tuple[object, ...]]:
    return admin.fetch("SELECT sha256, box, company_id, project_id, at FROM box_picture_views")


async def test_the_passage_shows_its_picture_once_it_has_come(hub, hub_client, money_admin):
    await escape(hub)
    await hub_client.log_in("hq_finance")
    for page in ("/lanes", "/today"):
        assert "/pictures/" not in (await hub_client.get(page)).text
    await picture_comes(hub)
    for page in ("/lanes", "/today"):
        assert f'src="/pictures/{SHA256}"' in (await hub_client.get(page)).text
    answer = await hub_client.get(f"/pictures/{SHA256}")
    assert (answer.content, answer.headers["content-type"]) == (JPEG, "image/jpeg")


async def test_each_look_is_written_down_and_none_is_refused_quietly(hub, hub_client, money_admin):
    """K-37: who, which, when; what is out of scope is not there and leaves no line."""
    await escape(hub)
    await picture_comes(hub)
    await hub_client.log_in("technician", company=2)
    assert (await hub_client.get(f"/pictures/{SHA256}")).status_code == 404
    assert looks(money_admin) == []
    await hub_client.log_in("technician", company=1)
    for _ in range(2):
        assert (await hub_client.get(f"/pictures/{SHA256}")).status_code == 200
    assert looks(money_admin) == [(SHA256, parked.BOX, 1, 11, NOW)] * 2


async def test_live_pages_are_told_once(hub):
    await escape(hub)
    told = []
    for _ in range(2):
        async with hub.db.tx(BOTH) as tx:
            await keep(tx, hub.settings.data, Place(parked.BOX, 1, 11), SHA256, JPEG, NOW)
            told += [json.loads(text)["topic"] for text in tx.told]
    assert told == ["picture"]
