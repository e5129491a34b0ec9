"""The counter's page without HTML: what is ticked, what it comes to, which tenders were meant. Amounts in fen."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from cloud.counter import store, store_desk
from cloud.counter.collecting import CollectRequest
from cloud.counter.domain import Method, Offer, Receipt
from cloud.counter.paying_ahead import PaidAhead
from cloud.counter.store import Shift
from cloud.counter.store_desk import Checked, Progress
from cloud.estate import service as estate
from cloud.fees.service import Line
from cloud.shared.db import Database, Tx
from cloud.wallets import service as wallets
from cloud.wallets.service import PURPOSES
from protocols.errors import Refused
from protocols.money import Fen, parse_yuan, yuan

WAYS: Mapping[str, tuple[str, str]] = {
    "cash": ("现金", "cash"),
    "pos": ("刷卡", "credit-card"),
    "transfer": ("转账", "building-bank"),
    "cheque": ("支票", "file-invoice"),
    "wallet": ("预存", "wallet"),
    "mixed": ("混合", "arrows-split-2"),
}
"""How a payer pays at the counter: word, icon. WeChat and Alipay come from the provider, never from a cashier's word."""

_NOTES = ((10_000, "100 元", "张"), (5_000, "50 元", "张"), (2_000, "20 元", "张"), (1_000, "10 元", "张"), (500, "5 元", "张"),
          (100, "1 元", "张"), (10, "1 角", "枚"))  # fmt: skip
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose lines are open: the room and as much of its payer as a cashier may see (O-05)."""

    room_id: int
    code: str
    area: str | None
    name: str | None
    phone_tail: str
    plates: tuple[str, ...]

    @property
    def long(self) -> str:
        """'3-1-502' -> '3 栋 1 单元 502'; other forms as they are."""
        parts = self.code.split("-")
        return f"{parts[0]} 栋 {parts[1]} 单元 {parts[2]}" if len(parts) == 3 else self.code


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form, as text: it comes back unchanged when something is wrong with it."""

    ticked: frozenset[int]
    way: str = "cash"
    tendered: str = ""
    reference: str = ""
    other: str = "pos"
    other_amount: str = ""
    key: str = ""
    keep: bool = False
    payer: str = ""
    ahead: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What the room and its payer have with us: wallets (reference, purpose, balance), deposits in sum."""

    wallets: tuple[tuple[str, str, Fen], ...] = ()
    deposits_fen: Fen = 0

    def named(self) -> list[tuple[str, Fen]]:
        """('水费预存', 36.20) of each purpose."""
        sums: dict[str, Fen] = {}
        for _, purpose, fen in self.wallets:
            sums[purpose] = sums.get(purpose, 0) + fen
        return [(f"{PURPOSES[purpose]}预存", fen) for purpose, fen in sums.items()]

    def offers(self, lines: Sequence[Line], most: Fen | None) -> tuple[Offer, ...]:
        """As much as the wallets may pay of these lines (up to `most`): a purpose its own, the general one the rest (Q-65)."""
        owed: dict[str, Fen] = {}
        for line in lines:
            owed[line.item.wallet_purpose] = owed.get(line.item.wallet_purpose, 0) + line.due_fen
        left = sum(owed.values()) if most is None else min(most, sum(owed.values()))
        found = []
        for ref, purpose, balance in sorted(self.wallets, key=lambda one: one[1] == "general"):
            fen = min(balance, left, left if purpose == "general" else owed.get(purpose, 0))
            if fen > 0:
                found.append(Offer("wallet", fen, ref))
                owed[purpose] = owed.get(purpose, 0) - fen
                left -= fen
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Sums:
    """What the ticked lines come to, and what goes back to the payer (negative: what is missing)."""

    count: int
    principal_fen: Fen
    late_fee_fen: Fen
    change_fen: Fen | None
    ahead_fen: Fen = 0

    @property
    def total_fen(self) -> Fen:
        return self.principal_fen + self.late_fee_fen + self.ahead_fen


_NOTHING = Held()


def due_this_month(lines: Sequence[Line], today: date) -> frozenset[int]:
    """What is ticked when an owner is opened: everything due by the end of this month."""
    end = today.replace(day=calendar.monthrange(today.year, today.month)[1])
    return frozenset(line.id for line in lines if line.due_date <= end)


def sums(lines: Sequence[Line], typed: Typed, held: Held = _NOTHING, ahead_fen: Fen = 0) -> Sums:
    """Never raises: a half-typed amount has no change yet. `ahead_fen`: what is paid ahead with them."""
    chosen = [line for line in lines if line.id in typed.ticked]
    late = sum(line.due_fen - line.principal_left for line in chosen if line.due_fen > 0)
    total = sum(line.due_fen for line in chosen)
    payable = total + ahead_fen
    change: Fen | None = None
    if typed.way in ("cash", "mixed"):
        try:
            change = sum(offer.tendered_fen for offer in offers(typed, payable, chosen, held)) - payable
        except Refused:
            change = None
    return Sums(len(chosen), total - late, late, change, ahead_fen)


def offers(typed: Typed, total: Fen, lines: Sequence[Line] = (), held: Held = _NOTHING) -> tuple[Offer, ...]:
    """The tenders that were meant: cash left empty is exact, the rest of a mixed one is cash. Refused `bad_amount`, `bad_way`."""
    if typed.way == "cash":
        return (Offer("cash", _amount(typed.tendered, total, "tendered")),)
    if typed.way == "wallet":
        found = held.offers(lines, None)
        paid = sum(one.tendered_fen for one in found)
        if paid < total:
            zh = f"预存只够付 {yuan(paid)} 元，还差 {yuan(total - paid)} 元；请选“混合”"
            raise Refused("wallet_short", zh, f"wallets pay {paid} fen", field="way")
        return found
    if typed.way == "mixed" and typed.other == "wallet":
        asked = _amount(typed.other_amount, 0, "other_amount")
        found = held.offers(lines, asked or None)
        paid = sum(one.tendered_fen for one in found)
        if not paid or paid < asked:
            raise Refused("wallet_short", f"预存最多能付 {yuan(paid)} 元", f"wallets pay {paid} fen", field="other_amount")
        cash = _amount(typed.tendered, total - paid, "tendered")
        return (*found, Offer("cash", cash)) if cash > 0 else found
    if typed.way == "mixed":
        other = _amount(typed.other_amount, 0, "other_amount")
        if other <= 0 or typed.other not in WAYS or typed.other in ("cash", "mixed"):
            raise Refused("bad_amount", "混合支付：先填非现金的方式和金额", "the other amount is needed", field="other_amount")
        cash = _amount(typed.tendered, total - other, "tendered")
        second = Offer(cast(Method, typed.other), other, typed.reference.strip() or None)
        return (second, Offer("cash", cash)) if cash > 0 else (second,)
    if typed.way not in WAYS:
        raise Refused("bad_way", "请选收款方式", f"no way {typed.way}", field="way")
    return (Offer(cast(Method, typed.way), total, typed.reference.strip() or None),)


def _amount(text: str, empty: Fen, field: str) -> Fen:
    return parse_yuan(text, field=field) if text.strip() else empty


def request(
    shift: Shift, room_id: int, typed: Typed, seen: Mapping[int, Fen], ahead: Mapping[int, Fen], lines: Sequence[Line], held: Held
) -> CollectRequest:
    """What the form asks for. `seen`: what the screen said each line costs, `ahead` each assignment's periods; the server
    compares. Refused `nothing_ticked`, `bad_key`.
    """
    wanted = tuple(PaidAhead(one, periods, ahead.get(one, 0)) for one, periods in typed.ahead if periods)
    if not typed.ticked and not wanted:
        raise Refused("nothing_ticked", "还没有勾选要收的费用", "no line is ticked", field="line")
    if not _KEY.fullmatch(typed.key):
        raise Refused("bad_key", "这一页不完整，请重新打开这户", "the form carries no idempotency key", field="key")
    total = sum(seen.get(line, 0) for line in typed.ticked)
    chosen = [line for line in lines if line.id in typed.ticked]
    return CollectRequest(
        project_id=shift.project_id,
        room_id=room_id,
        line_ids=tuple(sorted(typed.ticked)),
        offers=offers(typed, total + sum(one.expected_fen for one in wanted), chosen, held),
        expected_total_fen=total,
        key=typed.key,
        shift_id=shift.id,
        terminal=shift.terminal,
        keep_excess=typed.keep,
        payer_name=typed.payer.strip(),
        ahead=wanted,
    )


def notes(change: Fen) -> str:
    """Which notes and coins make the change: '5 元 1 张 · 1 元 3 张'."""
    parts = []
    for value, name, unit in _NOTES:
        count, change = divmod(change, value)
        if count:
            parts.append(f"{name} {count} {unit}")
    if change:
        parts.append(f"{change} 分")
    return " · ".join(parts)


async def held_of(tx: Tx, project_id: int, room_id: int) -> Held:
    """What is held for a room and its payer."""
    found = await wallets.wallets_of_room(tx, project_id, room_id)
    deposits = await wallets.deposits_of_room(tx, project_id, room_id)
    held = tuple((f"wallet:{one.id}", one.purpose, one.balance_fen) for one in found if one.balance_fen)
    return Held(held, sum(one.balance_fen for one in deposits))


@dataclass(frozen=True, slots=True)
class Desk:
    """A cashier's counter: the open shift, where it stands, and the last receipts."""

    shift: Shift
    project: estate.Project
    progress: Progress
    last: Sequence[Receipt]

    @property
    def next_no(self) -> str | None:
        """The number the next receipt gets; None when the book is used up."""
        return None if self.progress.left == 0 else f"{self.shift.book.code} {self.progress.next_number:07d}"


async def desk_of(tx: Tx, user_id: int) -> Desk | None:
    """None: no shift is open."""
    shift = await store.open_shift_of(tx, user_id)
    if shift is None:
        return None
    project = await estate.get_project(tx, shift.project_id)
    last = await store.receipts(tx, await store_desk.last_of_shift(tx, shift.id, 3))
    return Desk(shift, project, await store_desk.progress(tx, shift.id), last[::-1])


async def owner_of(tx: Tx, project_id: int, room_id: int) -> Owner:
    """NotFound `room_not_found` outside the shift's project."""
    room = await estate.get_room(tx, project_id, room_id)
    found = next((one for one in await estate.search_rooms(tx, room.code, project_id=project_id) if one.id == room_id), None)
    name = await estate.owner_name(tx, room.payer_id) if room.payer_id else None
    area = f"{room.area}" if room.area else None
    return Owner(room.id, room.code, area, name, found.phone_tail if found else "", found.plates if found else ())


async def check_receipt(db: Database, book: str, number: int, code: str) -> Checked | None:
    """The receipt that carries this book, number and check code; None when there is none: not genuine."""
    plain = code.upper().replace("-", "")
    if len(plain) != 8 or any(char not in _CROCKFORD for char in plain) or not 0 < number < 2**63:
        return None
    bits = 0
    for char in plain:
        bits = bits << 5 | _CROCKFORD.index(char)
    return await store_desk.by_code(db, book, number, bits.to_bytes(5))
