"""Being in touch with somebody who owes (A-03): what staff write down; messages that went out count too."""

from __future__ import annotations

from datetime import datetime

from cloud.access.service import Principal
from cloud.arrears import store
from cloud.shared.db import Tx
from protocols.errors import Refused

WAYS = {"call": "电话", "visit": "上门", "wechat": "微信", "sms": "短信", "letter": "信函", "other": "其他"}
SAID = {**WAYS, "app": "手机页面", "mail": "邮件", "print": "催费单"}


async def note_contact(
    tx: Tx,
    who: Principal,
    project_id: int,
    *,
    owner_id: int,
    room_id: int | None,
    way: str,
    note: str,
    now: datetime,
    key: str | None = None,
) -> None:
    """Write down a call, a visit, a letter; the same key again is the same contact. Refused `bad_contact`."""
    if way not in WAYS or not 0 < len(note.strip()) <= 200:
        raise Refused("bad_contact", "写一句业主怎么说，最多 200 个字", "a contact needs a way and a sentence", field="note")
    facts = {"project_id": project_id, "owner_id": owner_id, "room_id": room_id, "way": way, "note": note.strip()}
    await store.add_contact(tx, facts | {"key": key, "at": now, "by": who.number, "by_name": who.name})
