"""What lanes report, taken into the hub: passages, strokes, notes, cash (K-26 .. K-32, L-03, L-11).

Each handler gets consecutive events of one kind of one box in the batch's transaction. What was stored before changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar
from weakref import WeakKeyDictionary

from cloud.fleet.service import BoxEvent
from cloud.parking import store, store_stays
from cloud.parking.domain import Book, Stay, missing_strokes, unpaid
from cloud.shared.db import Tx
from protocols.errors import Conflict, Refused
from protocols.time import iso, parse_instant
from protocols.uplink.events import FeeDue, LaneNote, Passage, Payment, Stroke

_known_lanes: WeakKeyDictionary[Tx, set[tuple[int, str]]] = WeakKeyDictionary()
"""Lanes found to be the project's own, for as long as a transaction lives: a batch holds hundreds of events of a few lanes."""

_Laned = TypeVar("_Laned", FeeDue, LaneNote, Passage, Payment, Stroke)


def bodies(events: Sequence[BoxEvent], kind: type[_Laned]) -> list[_Laned]:
    """The bodies of events that are all of one kind."""
    found: list[_Laned] = []
    for event in events:
        assert isinstance(event.body, kind)
        found.append(event.body)
    return found


async def check_lanes(tx: Tx, events: Sequence[BoxEvent], lanes: Sequence[str]) -> None:
    """A box speaks for its own project's lanes. One nobody has set up is taken, since it happened, and alarmed.

    Refused `foreign_lane`.
    """
    first, known = events[0], _known_lanes.setdefault(tx, set())
    doubtful = {lane for lane in lanes if (first.project_id, lane) not in known}
    if not doubtful:
        return
    foreign, unknown = await store.strange_lanes(tx, first.project_id, sorted(doubtful))
    if foreign:
        zh = f"车道 {foreign[0]} 属于别的项目"
        raise Refused("foreign_lane", zh, f"lane {foreign[0]} belongs to another project", field="lane")
    for lane in unknown:
        await alarm(tx, first, "unknown_lane", lane=lane)
    known |= {(first.project_id, lane) for lane in doubtful.difference(unknown)}


async def alarm(tx: Tx, event: BoxEvent, what: str, **facts: object) -> None:
    """Tell whoever watches that something at a lane is not as it should be."""
    base = {"what": what, "company_id": event.company_id, "project_id": event.project_id, "box": event.box}
    await tx.notify("alarm", base | facts)


def _fresh(events: Sequence[BoxEvent], stored: set[store.Identity]) -> list[BoxEvent]:
    return [event for event in events if (event.epoch, event.seq) in stored]


async def on_passage(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Open and close stays (L-03). Refused `foreign_lane`, `bad_time`, `naive_time`."""
    passages = bodies(events, Passage)
    for passage in passages:
        if passage.entered_at is not None:
            parse_instant(passage.entered_at, field="entered_at")
    await check_lanes(tx, events, [passage.lane for passage in passages])
    fresh = _fresh(events, await store.add_passages(tx, events))
    if not fresh:
        return
    first, passages = fresh[0], bodies(fresh, Passage)
    plates = [passage.plate for passage in passages if passage.plate is not None]
    book = Book(await store_stays.touched(tx, first.project_id, first.box, [passage.stay for passage in passages], plates))
    stays = [book.passed(first.box, passage, event.at) for event, passage in zip(fresh, passages, strict=True)]
    await store_stays.save(tx, first.company_id, first.project_id, book.changed.values())
    await _watch_exits(tx, fresh, stays)
    for old in book.changed.values():
        if old.lost_at is not None:
            await alarm(tx, first, "lost_exit", lane=old.in_lane, stay=old.stay, plate=old.plate, found_as=old.lost_to)
    for event, passage in zip(fresh, passages, strict=True):
        await tx.notify("passage", _told(event, passage))


async def _watch_exits(tx: Tx, events: Sequence[BoxEvent], stays: Sequence[Stay]) -> None:
    """Compare each exit with the money the hub has seen itself: gone unpaid (K-27), or paid only in the box's words."""
    left = [(event, stay) for event, stay in zip(events, stays, strict=True) if bodies([event], Passage)[0].direction == "out"]
    if not left:
        return
    paid: dict[tuple[str, str], int] = {}
    for box in {stay.box for _, stay in left}:
        named = [stay.stay for _, stay in left if stay.box == box]
        paid |= {(box, stay): fen for stay, fen in (await store.paid_fen(tx, box, named)).items()}
    for event, stay in left:
        received = paid.get(stay.key, 0)
        facts = {"lane": stay.out_lane, "stay": stay.stay, "plate": stay.plate}
        owed = unpaid(stay, received)
        if owed:
            await alarm(tx, event, "escaped", unpaid_fen=owed, **facts)
        if (stay.claimed_fen or 0) > received:
            await alarm(tx, event, "paid_not_received", claimed_fen=stay.claimed_fen, received_fen=received, **facts)
        for reason in stay.review:
            await alarm(tx, event, "stay_review", reason=reason, **facts)


def _told(event: BoxEvent, passage: Passage) -> dict[str, object]:
    return {
        "project_id": event.project_id,
        "lane": passage.lane,
        "direction": passage.direction,
        "stay": passage.stay,
        "plate": passage.plate,
        "category": passage.category,
        "fee_fen": passage.fee_fen,
        "paid_fen": passage.paid_fen,
        "at": iso(event.at),
    }


async def on_stroke(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Count every rise of an arm. One without a command, a number left out and a number given twice are alarms (L-11).

    Refused `foreign_lane`.
    """
    strokes = bodies(events, Stroke)
    await check_lanes(tx, events, [stroke.lane for stroke in strokes])
    added = await store.add_strokes(tx, events)
    fresh = _fresh(events, set(added))
    seen: dict[tuple[str, str, int | None], Counter[int]] = {}
    for event, stroke in zip(fresh, bodies(fresh, Stroke), strict=True):
        last = added[event.epoch, event.seq]
        seen.setdefault((stroke.lane, event.epoch, last), Counter()).update((stroke.n,))
    for (lane, _, last), numbers in seen.items():
        left_out, twice = missing_strokes(numbers, last)
        if left_out:
            await alarm(tx, events[0], "stroke_gap", lane=lane, first=left_out[0], last=left_out[-1], missing=len(left_out))
        for n in twice:
            await alarm(tx, events[0], "stroke_repeated", lane=lane, n=n)
    for event, stroke in zip(fresh, bodies(fresh, Stroke), strict=True):
        facts = {"project_id": event.project_id, "lane": stroke.lane, "n": stroke.n, "reason": stroke.reason, "stay": stroke.stay}
        await tx.notify("stroke", facts | {"by": stroke.by, "reference": stroke.reference, "at": iso(event.at)})
        if stroke.reason == "none":
            await alarm(tx, event, "unexplained_stroke", lane=stroke.lane, n=stroke.n, at=iso(event.at))


async def on_note(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Keep what else a lane has to tell. Refused `foreign_lane`."""
    notes = bodies(events, LaneNote)
    await check_lanes(tx, events, [note.lane for note in notes])
    fresh = _fresh(events, await store.add_notes(tx, events))
    for event, note in zip(fresh, bodies(fresh, LaneNote), strict=True):
        facts = {"project_id": event.project_id, "lane": note.lane, "note": note.what, "stay": note.stay, "plate": note.plate}
        await tx.notify("passage", facts | {"at": iso(event.at)})


async def on_payment(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Cash at a lane is what a stay has been paid (K-26). The books are the counter's matter.

    Refused `foreign_lane`; Conflict `payment_used` when the box names another payment by a number it has used.
    """
    payments = bodies(events, Payment)
    await check_lanes(tx, events, [payment.lane for payment in payments])
    known = await store.known_payments(tx, events[0].box, [payment.payment for payment in payments])
    wanted: list[BoxEvent] = []
    for event, payment in zip(events, payments, strict=True):
        facts = (payment.stay, payment.amount_fen, payment.book, payment.number)
        if known.setdefault(payment.payment, facts) != facts:
            raise Conflict("payment_used", "这个收款编号已经用过", f"payment {payment.payment} was another one", field="payment")
        if facts is known[payment.payment]:  # the very object just put there: neither stored nor met before in this group
            wanted.append(event)
    if not wanted:
        return
    first = wanted[0]
    await store.add_takings(tx, wanted)
    stubs = {
        payment.stay: Stay(first.box, payment.stay, payment.plate, "small", "casual") for payment in bodies(wanted, Payment)
    }
    await store_stays.begin_unseen(tx, first.company_id, first.project_id, stubs.values())
