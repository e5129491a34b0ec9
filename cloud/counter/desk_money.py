"""What somebody typed at the counter and what it comes to: lines, money to be held, tenders. Pure; amounts in fen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from cloud.counter.collecting import CollectRequest
from cloud.counter.domain import Method, Offer
from cloud.counter.extras import DepositTaken, TopUp
from cloud.counter.paying_ahead import PaidAhead
from cloud.counter.rounding import Rounding
from cloud.counter.store import Shift
from cloud.fees import service as fees
from cloud.fees.service import Line
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

_T = TypeVar("_T")
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form, as text: it comes back unchanged when something is wrong with it.

    part, parts  only so much of what is ticked, or of each line (C-04, Q-60)
    ups          purpose -> amount for a wallet (V-01), the payer's own with `up_owner`
    deposit      item, amount, object, purpose, condition (F-11)
    round        let go of what no coin pays, where the company does so (C-18)
    """

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
    part: str = ""
    parts: tuple[tuple[int, str], ...] = ()
    ups: tuple[tuple[str, str], ...] = ()
    up_owner: bool = False
    deposit: tuple[str, str, str, str, str] = ("", "", "", "", "")
    round: bool = False

    @property
    def part_of(self) -> Mapping[int, str]:
        """Line -> the amount typed beside it."""
        return dict(self.parts)

    @property
    def up_of(self) -> Mapping[str, str]:
        return dict(self.ups)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a company decided about collecting: a line's late fee before its principal (Q-60), what becomes of cents (C-18)."""

    late_first: bool = False
    rounding: Rounding = Rounding()


@dataclass(frozen=True, slots=True)
class Extra:
    """Money to be held, as typed: wallets to fill, a deposit to take."""

    top_ups: tuple[TopUp, ...] = ()
    deposits: tuple[DepositTaken, ...] = ()

    @property
    def fen(self) -> Fen:
        return sum(one.amount_fen for one in self.top_ups) + sum(one.amount_fen for one in self.deposits)


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

    def offers(self, owed: Mapping[str, Fen], most: Fen | None) -> tuple[Offer, ...]:
        """As much as the wallets may pay of what is owed by purpose (up to `most`): a purpose its own, the general one the rest
        (Q-65).
        """
        rest = dict(owed)
        left = sum(rest.values()) if most is None else min(most, sum(rest.values()))
        found = []
        for ref, purpose, balance in sorted(self.wallets, key=lambda one: one[1] == "general"):
            fen = min(balance, left, left if purpose == "general" else rest.get(purpose, 0))
            if fen > 0:
                found.append(Offer("wallet", fen, ref))
                rest[purpose] = rest.get(purpose, 0) - fen
                left -= fen
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Paying:
    """What is paid of the ticked lines: how many, principal and late fee, what the whole of them is, and by wallet purpose."""

    count: int
    principal_fen: Fen
    late_fee_fen: Fen
    due_fen: Fen
    owed: Mapping[str, Fen]

    @property
    def fen(self) -> Fen:
        return self.principal_fen + self.late_fee_fen


@dataclass(frozen=True, slots=True)
class Sums:
    """What all that comes to, and what goes back to the payer (negative: what is missing).

    round_fen  what the company lets go of; `kept_fen`: what of the change goes to the general wallet (C-18)
    """

    paying: Paying
    change_fen: Fen | None
    ahead_fen: Fen = 0
    extra: Extra = Extra()
    round_fen: Fen = 0
    kept_fen: Fen = 0
    could_round_fen: Fen = 0

    @property
    def count(self) -> int:
        return self.paying.count

    @property
    def total_fen(self) -> Fen:
        return self.paying.fen + self.ahead_fen + self.extra.fen - self.round_fen

    @property
    def left_fen(self) -> Fen:
        """What stays open of the ticked lines."""
        return self.paying.due_fen - self.paying.fen


_NOTHING, _USUAL = Held(), Policy()


def sums(lines: Sequence[Line], typed: Typed, held: Held = _NOTHING, ahead_fen: Fen = 0, policy: Policy = _USUAL) -> Sums:
    """Never raises: what is half typed counts in full, and there is no change yet. `ahead_fen`: what is paid ahead with them."""
    try:
        paid = paying(lines, typed, policy)
    except Refused:
        paid = _whole(_ticked(lines, typed))
    more = _tolerant(lambda: extra(typed)) or Extra()
    due = paid.fen + ahead_fen + more.fen
    could = policy.rounding.off(due) if typed.way in ("cash", "mixed") and paid.fen == paid.due_fen else 0
    payable = due - could if typed.round else due
    change: Fen | None = None
    kept = 0
    if typed.way in ("cash", "mixed"):
        found = _tolerant(lambda: offers(typed, payable, paid.owed, held))
        if found is not None:
            kept = 0 if typed.keep else policy.rounding.kept(payable, found)
            change = sum(offer.tendered_fen for offer in found) - payable - kept
    return Sums(paid, change, ahead_fen, more, due - payable, kept, could)


def _tolerant(work: Callable[[], _T]) -> _T | None:
    try:
        return work()
    except Refused:
        return None


def _ticked(lines: Sequence[Line], typed: Typed) -> list[Line]:
    return [line for line in lines if line.id in typed.ticked]


def paying(lines: Sequence[Line], typed: Typed, policy: Policy) -> Paying:
    """What is paid of the ticked lines: all, a part in the company's order, or as the payer says (C-04, Q-60).

    Refused as `_told` and `fees.allocate`.
    """
    chosen = _ticked(lines, typed)
    part, told = _told(typed, {line.id: line.due_fen for line in chosen})
    if told:
        shares = [share for line in chosen for share in fees.allocate([line], told[line.id])]
    elif part is not None:
        shares = fees.allocate(chosen, part, by="late_first" if policy.late_first else "principal_first")
    else:
        return _whole(chosen)
    owed: dict[str, Fen] = {}
    for share in shares:
        owed[share.line.item.wallet_purpose] = owed.get(share.line.item.wallet_purpose, 0) + share.amount_fen
    late = sum(share.late_fee_fen for share in shares)
    return Paying(len(shares), sum(owed.values()) - late, late, sum(line.due_fen for line in chosen), owed)


def _whole(chosen: Sequence[Line]) -> Paying:
    owed: dict[str, Fen] = {}
    for line in chosen:
        owed[line.item.wallet_purpose] = owed.get(line.item.wallet_purpose, 0) + line.due_fen
    due = sum(owed.values())
    late = sum(line.due_fen - line.principal_left for line in chosen if line.due_fen > 0)
    return Paying(len(chosen), due - late, late, due, owed)


def _told(typed: Typed, due: Mapping[int, Fen]) -> tuple[Fen | None, dict[int, Fen]]:
    """(part of all, or None; line -> fen) as typed, for lines with what each owes. All that is owed is no part.

    A line without an amount beside it is paid whole where another has one. Refused `bad_amount`, `two_ways`.
    """
    part = parse_yuan(typed.part, field="part") if typed.part.strip() else None
    beside = {line: text for line, text in typed.parts if line in due and text.strip()}
    found = {line: parse_yuan(beside[line], field=f"part_{line}") if line in beside else fen for line, fen in due.items()}
    for line, fen in found.items():
        if beside and not 0 < fen <= due[line]:
            zh = f"逐项收的金额要在 0.01 到这项应收的 {yuan(due[line])} 之间；不收的不要勾选"
            raise Refused("bad_amount", zh, f"line {line} takes 1 to {due[line]} fen", field=f"part_{line}")
    if beside and part is not None:
        raise Refused("two_ways", "“只收”和逐项的金额只填一种", "either a part of all or amounts by line", field="part")
    if part is not None and not 0 < part <= sum(due.values()):
        zh = f"只收的金额要在 0.01 到应收的 {yuan(sum(due.values()))} 之间；多收的转预存，或写在预存里"
        raise Refused("bad_amount", zh, "a part is above 0 and at most what is due", field="part")
    return None if part == sum(due.values()) else part, {} if found == dict(due) else found


def extra(typed: Typed) -> Extra:
    """What is to be held. Refused `bad_amount`, `bad_purpose`, `no_deposit_item`."""
    ups = []
    for purpose, text in typed.ups:
        if not text.strip():
            continue
        fen = _above(parse_yuan(text, field=f"up_{purpose}"), f"up_{purpose}")
        if purpose not in PURPOSES:
            raise Refused("bad_purpose", "没有这种预存用途", f"no purpose {purpose}", field="up_general")
        ups.append(TopUp(purpose, fen, typed.up_owner))
    item, amount, object_, purpose, condition = (text.strip() for text in typed.deposit)
    if not amount:
        return Extra(tuple(ups))
    fen = _above(parse_yuan(amount, field="deposit_amount"), "deposit_amount")
    if not item:
        raise Refused("no_deposit_item", "收哪一种押金", "a deposit needs its item", field="deposit_item")
    return Extra(tuple(ups), (DepositTaken(item, fen, purpose or "押金", condition, object_),))


def _above(fen: Fen, field: str) -> Fen:
    if fen <= 0:
        raise Refused("bad_amount", "金额要大于 0", "an amount must be above 0", field=field)
    return fen


def offers(typed: Typed, total: Fen, owed: Mapping[str, Fen], held: Held = _NOTHING) -> tuple[Offer, ...]:
    """The tenders that were meant: cash left empty is exact, the rest of a mixed one is cash. `owed`: by wallet purpose.

    Refused `bad_amount`, `bad_way`, `wallet_short`.
    """
    if typed.way == "cash":
        return (Offer("cash", _amount(typed.tendered, total, "tendered")),)
    if typed.way == "wallet":
        found = held.offers(owed, None)
        paid = sum(one.tendered_fen for one in found)
        if paid < total:
            zh = f"预存只够付 {yuan(paid)} 元，还差 {yuan(total - paid)} 元；请选“混合”"
            raise Refused("wallet_short", zh, f"wallets pay {paid} fen", field="way")
        return found
    if typed.way == "mixed":
        return _mixed(typed, total, owed, held)
    if typed.way not in WAYS:
        raise Refused("bad_way", "请选收款方式", f"no way {typed.way}", field="way")
    return (Offer(cast(Method, typed.way), total, typed.reference.strip() or None),)


def _mixed(typed: Typed, total: Fen, owed: Mapping[str, Fen], held: Held) -> tuple[Offer, ...]:
    if typed.other == "wallet":
        asked = _amount(typed.other_amount, 0, "other_amount")
        found = held.offers(owed, asked or None)
        paid = sum(one.tendered_fen for one in found)
        if not paid or paid < asked:
            raise Refused("wallet_short", f"预存最多能付 {yuan(paid)} 元", f"wallets pay {paid} fen", field="other_amount")
        cash = _amount(typed.tendered, total - paid, "tendered")
        return (*found, Offer("cash", cash)) if cash > 0 else found
    other = _amount(typed.other_amount, 0, "other_amount")
    if other <= 0 or typed.other not in WAYS or typed.other in ("cash", "mixed"):
        raise Refused("bad_amount", "混合支付：先填非现金的方式和金额", "the other amount is needed", field="other_amount")
    cash = _amount(typed.tendered, total - other, "tendered")
    second = Offer(cast(Method, typed.other), other, typed.reference.strip() or None)
    return (second, Offer("cash", cash)) if cash > 0 else (second,)


def _amount(text: str, empty: Fen, field: str) -> Fen:
    return parse_yuan(text, field=field) if text.strip() else empty


def request(
    shift: Shift, room_id: int, typed: Typed, seen: Mapping[int, Fen], ahead: Mapping[int, Fen], lines: Sequence[Line],
    held: Held, policy: Policy, round_fen: Fen = 0,
) -> CollectRequest:  # fmt: skip
    """What the form asks for. `seen`: what the screen said each line costs, `ahead` each assignment's periods, `round_fen` what
    would be let go of; the server compares. Refused `nothing_ticked`, `bad_key`, as `paying`, `extra` and `offers`.
    """
    wanted = tuple(PaidAhead(one, periods, ahead.get(one, 0)) for one, periods in typed.ahead if periods)
    more = extra(typed)
    if not typed.ticked and not wanted and not more.fen:
        raise Refused("nothing_ticked", "还没有勾选要收的费用", "no line is ticked", field="line")
    if not _KEY.fullmatch(typed.key):
        raise Refused("bad_key", "这一页不完整，请重新打开这户", "the form carries no idempotency key", field="key")
    due = {line: seen.get(line, 0) for line in typed.ticked}
    # From what the form says alone, so that the same form again is the same request (C-06) whatever has been paid meanwhile.
    part, chosen = _told(typed, due)
    now = sum(chosen.values()) if chosen else part if part is not None else sum(due.values())
    paid = _tolerant(lambda: paying(lines, typed, policy))
    off = round_fen if typed.round and typed.way in ("cash", "mixed") else 0
    payable = now + sum(one.expected_fen for one in wanted) + more.fen - off
    return CollectRequest(
        project_id=shift.project_id,
        room_id=room_id,
        line_ids=tuple(sorted(typed.ticked)),
        offers=offers(typed, payable, paid.owed if paid else {}, held),
        expected_total_fen=sum(due.values()),
        key=typed.key,
        shift_id=shift.id,
        terminal=shift.terminal,
        part_fen=part,
        chosen=tuple(sorted(chosen.items())),
        top_ups=more.top_ups,
        deposits=more.deposits,
        keep_excess=typed.keep,
        round_fen=off,
        payer_name=typed.payer.strip(),
        ahead=wanted,
    )
