"""The outbox of messages: one about money a day, quiet hours, cancelled when paid, tried again with a bound (W-01 .. W-05)."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from cloud.notices import service as notices
from protocols.errors import Conflict, Refused, Retry
from protocols.time import SHANGHAI
from tests.support.hub import NOON, add_person
from tests.support.money import BOTH, EAST

OWNER = notices.To("业主101", "13800000101", owner_id=101)


class Recorder:
    """A channel that keeps what it sent; `fail` is raised instead while it is set."""

    def __init__(self) -> None:
        self.sent: list[notices.Outgoing] = []
        self.fail: Exception | None = None

    async def send(self, message: notices.Outgoing) -> notices.Sent:
        if self.fail is not None:
            raise self.fail
        self.sent.append(message)
        return notices.Sent(f"r{message.id}")


class Desk:
    """A dispatcher under a test's clock."""

    def __init__(self, db) -> None:
        self.db, self.channel, self.now, self.checks = db, Recorder(), NOON, {}

    async def queue(self, key: str, text: str = "【枫桥雅苑】物业费 10.00 元", **more: object) -> int:
        values = {
            "company_id": 1, "project_id": 11, "kind": "arrears.due", "to": OWNER, "text": text, "channel": "sms",
            "subject": "owner:101", "money": True, "not_before": self.now, "key": key,
        } | more  # fmt: skip
        async with self.db.tx(EAST) as tx:
            return await notices.queue(tx, **values)

    async def run(self) -> list[str]:
        before = len(self.channel.sent)
        await notices.dispatch(self.db, {"sms": self.channel, "app": self.channel}, self.checks, lambda: self.now)
        return [one.text for one in self.channel.sent[before:]]

    async def state(self, message: int) -> str:
        async with self.db.tx(EAST) as tx:
            return (await notices.get(tx, message, people=True))["state"]


@pytest.fixture
def desk(money_db):
    return Desk(money_db)


async def test_two_messages_about_money_go_out_as_one_and_a_third_waits_for_the_next_day(desk):
    """W-02"""
    first, second = await desk.queue("a"), await desk.queue("b", "【枫桥雅苑】水费 5.00 元")
    told = await desk.queue("c", "【枫桥雅苑】收到 3.00 元", money=False, kind="receipt")
    assert await desk.run() == [
        "【枫桥雅苑】您有 2 项提醒：1、物业费 10.00 元；2、水费 5.00 元。",
        "【枫桥雅苑】收到 3.00 元",
    ]
    assert [await desk.state(one) for one in (first, second, told)] == ["sent", "merged", "sent"]
    desk.now += timedelta(hours=2)
    third = await desk.queue("d", channel="app")
    assert await desk.run() == [] and await desk.state(third) == "waiting"
    desk.now = datetime(2026, 11, 25, 8, 0, tzinfo=SHANGHAI)
    assert len(await desk.run()) == 1


async def test_the_database_refuses_a_second_message_about_money_of_a_day(desk, money_admin):
    """W-02: also behind the dispatcher's back"""
    await desk.queue("a")
    await desk.run()
    with pytest.raises(Exception, match="message_days_pkey"):
        money_admin.execute("INSERT INTO message_days SELECT company_id, project_id, who, day, message_id FROM message_days")


async def test_other_owners_and_other_projects_have_their_own_message(desk):
    """W-02"""
    await desk.queue("a")
    await desk.queue("b", to=notices.To("业主102", "13800000102", owner_id=102))
    await desk.queue("c", project_id=12)
    assert len(await desk.run()) == 3


async def test_nothing_goes_to_an_owner_in_the_quiet_hours_but_alarms_do(desk):
    """W-01"""
    desk.now = datetime(2026, 11, 24, 21, 0, tzinfo=SHANGHAI)
    await desk.queue("a")
    person = await add_person(desk, "hq-1", "hq_finance", None, None)
    await desk.queue("b", kind="alarm", money=False, to=notices.To("总部财务", user_id=person), channel="app", text="告警")
    assert await desk.run() == ["告警"]
    desk.now = datetime(2026, 11, 25, 7, 59, tzinfo=SHANGHAI)
    assert await desk.run() == []
    desk.now = datetime(2026, 11, 25, 8, 0, tzinfo=SHANGHAI)
    assert len(await desk.run()) == 1


async def test_a_message_that_slipped_into_the_quiet_hours_waits_for_the_morning(desk):
    """W-01: it was due at 20:59, and the dispatcher comes at 21:01"""
    desk.now = datetime(2026, 11, 24, 20, 59, tzinfo=SHANGHAI)
    await desk.queue("a")
    desk.now += timedelta(minutes=2)
    assert await desk.run() == []
    desk.now = datetime(2026, 11, 25, 8, 0, tzinfo=SHANGHAI)
    assert len(await desk.run()) == 1


async def test_what_is_not_true_any_more_is_cancelled_or_reworded_right_before_sending(desk):
    """W-03"""
    verdicts = {"a": notices.Verdict(None, "已缴清"), "b": notices.Verdict("物业费 4.00 元", computed=("已缴 6.00",))}
    asked = []

    async def check(tx, message, now):
        asked.append(now)
        return verdicts[message.subject]

    desk.checks = {"arrears.due": check}
    paid, part = await desk.queue("a", subject="a"), await desk.queue("b", subject="b")
    assert await desk.run() == ["物业费 4.00 元"] and asked == [desk.now] * 2
    assert await desk.state(paid) == "cancelled" and await desk.state(part) == "sent"
    async with desk.db.tx(EAST) as tx:
        assert (await notices.get(tx, paid, people=False))["note"] == "已缴清"
        assert (await notices.get(tx, part, people=False))["computed"] == ["已缴 6.00"]


async def test_a_cancelled_message_does_not_use_up_the_day(desk):
    """W-02, W-03"""

    async def check(tx, message, now):
        return notices.Verdict(None, "已缴清") if message.subject == "paid" else notices.Verdict(message.text)

    desk.checks = {"arrears.due": check}
    await desk.queue("a", subject="paid")
    assert await desk.run() == []
    await desk.queue("b")
    assert len(await desk.run()) == 1


async def test_a_channel_away_is_asked_five_times_and_one_that_refuses_once(desk):
    desk.channel.fail = Retry("away", "短信通道断开", "away")
    message = await desk.queue("a")
    for _ in range(5):
        assert await desk.state(message) == "waiting"
        await desk.run()
        desk.now += timedelta(hours=1, minutes=1)
    assert await desk.state(message) == "failed"
    desk.channel.fail = Refused("bad_number", "号码不对", "bad number")
    other = await desk.queue("b", to=notices.To("业主102", "1", owner_id=102))
    await desk.run()
    assert await desk.state(other) == "failed"


async def test_a_channel_that_came_back_gets_the_message_with_those_merged_into_it(desk):
    desk.channel.fail = Retry("away", "短信通道断开", "away")
    await desk.queue("a")
    await desk.queue("b", "【枫桥雅苑】水费 5.00 元")
    await desk.run()
    desk.channel.fail, desk.now = None, desk.now + timedelta(minutes=10)
    assert await desk.run() == ["【枫桥雅苑】您有 2 项提醒：1、物业费 10.00 元；2、水费 5.00 元。"]


async def test_a_dispatcher_that_died_sends_no_second_message_about_money(desk, money_admin):
    """W-02: nobody knows whether the first one went"""
    money, told = await desk.queue("a"), await desk.queue("b", money=False, kind="receipt")
    money_admin.execute("UPDATE messages SET state = 'sending', next_at = '2026-11-24 11:50+08'")
    await notices.tidy(desk.db, desk.now)
    await desk.run()
    assert await desk.state(money) == "unknown" and await desk.state(told) == "sent"


async def test_what_could_not_go_out_for_three_days_is_dropped(desk):
    message = await desk.queue("a")
    desk.now += timedelta(days=3, seconds=1)
    await notices.tidy(desk.db, desk.now)
    assert await desk.state(message) == "cancelled" and await desk.run() == []


async def test_the_same_key_is_the_same_message_and_who_has_no_phone_is_told_apart(desk):
    assert await desk.queue("a") == await desk.queue("a", "别的")
    nobody = await desk.queue("b", to=notices.To("无号码", owner_id=103))
    assert await desk.state(nobody) == "unreachable" and len(await desk.run()) == 1
    with pytest.raises(Refused, match="bad_message"):
        await desk.queue("c", "")


async def test_two_dispatchers_send_each_message_once(desk):
    for n in range(20):
        await desk.queue(f"k{n}", to=notices.To(f"业主{101 + n % 5}", "138", owner_id=101 + n % 5))
    await asyncio.gather(*(desk.run() for _ in range(4)))
    assert len(desk.channel.sent) == 5 and all("您有 4 项提醒" in one.text for one in desk.channel.sent)


async def test_the_file_channel_writes_a_line_a_message(desk, tmp_path):
    path = tmp_path / "out.jsonl"
    await desk.queue("a")
    await notices.dispatch(desk.db, notices.channels(str(path)), {}, lambda: desk.now)
    [line] = path.read_text().splitlines()
    assert json.loads(line)["to"]["phone"] == "13800000101" and "物业费" in json.loads(line)["text"]
    with pytest.raises(Retry, match="messages_file"):
        await notices.FileChannel(tmp_path / "no" / "x").send(notices.Outgoing(1, 11, "x", OWNER, "sms", "x"))


async def test_a_false_message_is_marked_and_a_call_is_noted(desk):
    """W-05"""
    call = await desk.queue("a", channel="call")
    assert await desk.run() == []
    async with desk.db.tx(BOTH) as tx:
        await notices.mark_false(tx, call, note="房子空着", by="0101", at=NOON)
        await notices.mark_done(tx, call, note="答应周末来", at=NOON)
        with pytest.raises(Conflict, match="marked"):
            await notices.mark_false(tx, call, note="房子空着", by="0101", at=NOON)
        with pytest.raises(Conflict, match="not_waiting"):
            await notices.mark_done(tx, call, note="", at=NOON)
        assert (await notices.last_contact(tx, [11]))[101] == (NOON, "call")


async def test_an_erased_person_leaves_nothing_of_themselves(desk):
    """O-10"""
    sent = await desk.queue("a")
    await desk.run()
    waits = await desk.queue("b")
    async with desk.db.tx(EAST) as tx:
        assert await notices.erase(tx, 101) == 2
        for message in (sent, waits):
            found = await notices.get(tx, message, people=False)
            assert "业主101" not in str(found) and "138" not in str(found) and "物业费" not in str(found)
    assert await desk.run() == []
