"""Messages to owners and to people of the house (W-01 .. W-05): queued with their reason, sent by whatever channel there is.

    await notices.queue(tx, company_id=1, project_id=11, kind="arrears.due", to=notices.To("贾晓满", "139...", owner_id=7),
                        text="【枫桥雅苑】...", channel="sms", subject="owner:7", money=True, not_before=now, key="rule:3:7:1124")

A message about money asks for money: an owner gets one a day and project, several become one (W-02); `hub.notice_checks[kind]` is
asked in the moment before it goes and cancels or rewords it (W-03). Whoever tells that money came in says `money=False`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloud.notices import store
from cloud.notices.channels import ConsoleChannel, FileChannel, channels
from cloud.notices.dispatching import dispatch, keep_sending, review, tidy
from cloud.notices.domain import sms_cost, sms_units
from cloud.notices.domain_outbox import (
    BY_HAND,
    CHANNELS,
    Channel,
    Check,
    Message,
    Outgoing,
    Sent,
    To,
    Verdict,
    allowed_from,
    check_text,
)
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused

__all__ = [
    "BY_HAND",
    "CHANNELS",
    "Channel",
    "Check",
    "ConsoleChannel",
    "FileChannel",
    "Message",
    "Outgoing",
    "Sent",
    "To",
    "Verdict",
    "cancel",
    "channels",
    "dispatch",
    "erase",
    "get",
    "keep_sending",
    "last_contact",
    "mark_done",
    "mark_false",
    "queue",
    "review",
    "sms_cost",
    "sms_units",
    "tidy",
]


async def queue(
    tx: Tx,
    *,
    company_id: int,
    project_id: int | None,
    kind: str,
    to: To,
    text: str,
    channel: str,
    subject: str,
    money: bool,
    not_before: datetime,
    key: str,
    reason: str = "",
    computed: Sequence[str] = (),
) -> int:
    """Put a message into the outbox, in the caller's transaction; its number. The same key again is the same message.

    `reason` is why, `computed` how that was found (W-05). Somebody without a phone gets a row that says so and is not
    sent: nothing that owes a message fails for it. Refused `bad_message`.
    """
    check_text(text, channel, key)
    unreachable = _unreachable(to, channel)
    return await store.add(
        tx,
        {
            "company_id": company_id,
            "project_id": project_id,
            "kind": kind,
            "money": money,
            "who": to.who,
            "owner_id": to.owner_id,
            "user_id": to.user_id,
            "name": to.name,
            "phone": to.phone,
            "channel": channel,
            "subject": subject,
            "text": text,
            "reason": reason[:200],
            "computed": list(computed),
            "key": key,
            "not_before": not_before,
            "next_at": allowed_from(not_before, to),
            "state": "unreachable" if unreachable else "waiting",
            "note": unreachable,
        },
    )


def _unreachable(to: To, channel: str) -> str:
    if channel in ("sms", "call") and not to.phone:
        return "没有手机号，没有发"
    if channel == "wechat" and to.owner_id is None and to.user_id is None:
        return "没有绑定微信，没有发"
    return ""


async def cancel(tx: Tx, project_id: int, subject: str, note: str) -> int:
    """Take back what still waits about a subject; how many."""
    return await store.cancel(tx, project_id, subject, note)


async def get(tx: Tx, message_id: int, *, people: bool) -> Mapping[str, Any]:
    """NotFound `message_not_found`, also for what was sent to people of the house unless `people`."""
    found = await store.one(tx, message_id, people=people)
    if found is None:
        raise NotFound("message_not_found", "没有这条消息", f"no message {message_id}", field="message")
    return found


async def mark_false(tx: Tx, message_id: int, *, note: str, by: str, at: datetime) -> None:
    """Say that a message should not have been sent, and why, so that its rule is tuned (W-05). Conflict `marked` when it is."""
    found = await get(tx, message_id, people=False)
    if len(note.strip()) < 2:
        raise Refused("no_reason", "写一句错在哪里", "a mark needs a sentence", field="note")
    if found["false_at"] is not None:
        raise Conflict("marked", "这条已经标过了", "the message is marked already")
    await store.mark_false(tx, message_id, note.strip()[:200], by, at)


async def mark_done(tx: Tx, message_id: int, *, note: str, at: datetime) -> None:
    """A call or a printed notice was done by a person. Refused `not_by_hand`; Conflict `not_waiting`."""
    found = await get(tx, message_id, people=False)
    if found["channel"] not in BY_HAND:
        raise Refused("not_by_hand", "这条由系统发送", "a channel sends this message")
    if found["state"] != "waiting":
        raise Conflict("not_waiting", "这条已经处理过了", f"the message is {found['state']}")
    await store.set_state(tx, [message_id], "sent", sent_at=at, sent_text=found["text"], note=note.strip()[:200])


async def erase(tx: Tx, owner_id: int) -> int:
    """A person is erased (O-10): name, phone and texts go, that something was sent stays."""
    return await store.erase(tx, owner_id)


async def last_contact(tx: Tx, project_ids: Sequence[int]) -> dict[int, tuple[datetime, str]]:
    """owner -> (when, channel) of the last message about money that went out (A-03)."""
    return await store.last_contact(tx, project_ids)
