"""Messages before they go out: to whom, when it is allowed, how several become one (W-01 .. W-03). Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from protocols.errors import Refused
from protocols.time import SHANGHAI, civil

CHANNELS = {"sms": "短信", "wechat": "微信", "app": "手机页面", "mail": "邮件", "call": "打电话", "print": "打印"}
BY_HAND = ("call", "print")
"""Nobody sends these: a person calls or prints, and says so."""
QUIET_FROM, QUIET_TO = time(21, 0), time(8, 0)
TRIES = 5
WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
STALE = timedelta(days=3)
"""What could not go out within this is not true any more and is dropped."""
LONGEST = 1000
_SIGNED = re.compile(r"【[^】]{1,30}】")


@dataclass(frozen=True, slots=True)
class To:
    """Who gets a message: an owner or a person of the house; without either whoever has the phone."""

    name: str
    phone: str = ""
    owner_id: int | None = None
    user_id: int | None = None

    @property
    def who(self) -> str:
        """'owner:12', 'user:3', 'phone:138...': whose one message a day it is (W-02)."""
        if self.owner_id is not None:
            return f"owner:{self.owner_id}"
        return f"user:{self.user_id}" if self.user_id is not None else f"phone:{self.phone}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it waits. `computed`: how its reason was found, sentence by sentence (W-05)."""

    id: int
    company_id: int
    project_id: int | None
    kind: str
    money: bool
    to: To
    channel: str
    subject: str
    text: str
    reason: str
    computed: tuple[str, ...]
    not_before: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of a message at the moment of sending. `text` None: it is not to be sent, `note` says why (W-03)."""

    text: str | None
    note: str = ""
    computed: tuple[str, ...] = ()


Check = Callable[[Any, Message, datetime], Awaitable[Verdict]]
"""Asked in a transaction right before sending; `hub.notice_checks[kind]`."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a channel sends. `id` stays the same when it is tried again: a gateway that knows it sends once."""

    id: int
    project_id: int | None
    kind: str
    to: To
    channel: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """Accepted by the channel; `reference` is its own number for it."""

    reference: str


class Channel(Protocol):
    """A way out. Raises Retry when it is away, Refused when it will never take this message."""

    async def send(self, message: Outgoing) -> Sent: ...


def allowed_from(moment: datetime, to: To) -> datetime:
    """The first moment at or after this one that is outside the quiet hours 21:00-08:00; people of the house have none."""
    if to.user_id is not None:
        return moment
    local = civil(moment)
    if local.time() >= QUIET_FROM:
        return datetime.combine(local.date() + timedelta(days=1), QUIET_TO, SHANGHAI)
    return datetime.combine(local.date(), QUIET_TO, SHANGHAI) if local.time() < QUIET_TO else moment


def tomorrow(moment: datetime) -> datetime:
    """The next day's first allowed moment: today's message about money is out already (W-02)."""
    return datetime.combine(civil(moment).date() + timedelta(days=1), QUIET_TO, SHANGHAI)


def again_at(now: datetime, tries: int, message_id: int) -> datetime:
    """When a try that found the channel away is repeated: longer each time, spread by the message's number."""
    return now + WAITS[min(tries, len(WAITS)) - 1] + timedelta(seconds=message_id % 20)


def merged(texts: Sequence[str]) -> str:
    """Several messages as one (W-02): the sender's sign once, then each numbered."""
    if len(texts) == 1:
        return texts[0]
    signs = {found.group() if (found := _SIGNED.match(one)) else "" for one in texts}
    sign = signs.pop() if len(signs) == 1 else ""
    parts = [f"{n}、{one.removeprefix(sign).strip().rstrip('。；')}" for n, one in enumerate(texts, 1)]
    return f"{sign}您有 {len(texts)} 项提醒：{'；'.join(parts)}。"[:LONGEST]


def check_text(text: str, channel: str, key: str) -> None:
    """Refused `bad_message` for what no channel can carry."""
    if not 0 < len(text) <= LONGEST or channel not in CHANNELS or not 0 < len(key) <= 160:
        raise Refused("bad_message", f"消息要有 1 到 {LONGEST} 个字", "a message needs text, a channel and a key", field="text")
