"""Commands: written down, then sent; what became of each comes back as an event (B-07)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cloud.fleet import store as streams
from cloud.fleet import store_boxes as store
from cloud.fleet.handling import BoxEvent, Place
from cloud.fleet.store_boxes import Seen
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.uplink.commands import Command
from protocols.uplink.events import CommandDone

FRESH = timedelta(seconds=10)
"""An older nonce is not worth naming: the box lets a command die 15 s after it sent the nonce."""


async def write(tx: Tx, place: Place, command: Command, by: str, now: datetime) -> None:
    """Keep a command before it is sent. Refused `box_quarantined`."""
    row = await store.box(tx, place.box)
    if row is not None and row["quarantined_at"] is not None:
        raise Refused("box_quarantined", "这台盒子被隔离，不能下命令", f"box {place.box} is quarantined", field="box")
    await store.add_command(tx, place, command.id, command.name, command.args, by, command.nonce, now)


def fresh(seen: Seen | None, box: str, now: datetime) -> Seen:
    """The session, when the box was heard just now. Refused `box_offline`."""
    if seen is None or now - seen.at > FRESH:
        raise Refused("box_offline", "盒子不在线，命令没有发出", f"box {box} was not heard for 10 s", field="box")
    return seen


async def on_command_done(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Keep a command's outcome; one the hub never sent, or a forged one, is an alarm."""
    for event in events:
        done = event.body
        assert isinstance(done, CommandDone)
        known = await store.command_done(tx, event.box, done.command, done.outcome, done.detail, event.received_at)
        if known and done.outcome != "forged":
            await tx.notify("box", {"box": event.box, "project_id": event.project_id})
            continue
        place = Place(event.box, event.company_id, event.project_id)
        detail = {"command": done.command[:80], "name": done.name[:40], "outcome": done.outcome}
        await streams.alarm(tx, place, "strange_command", detail, event.received_at)
