"""From rules and a stay to a quote: table by class, passes, coupons, rounding, prepayment. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from protocols.errors import Refused
from protocols.money import Fen
from protocols.tariff import explain
from protocols.tariff.coupons import minutes_off, take_off
from protocols.tariff.pieces import Minute, minute_of, subtract_days
from protocols.tariff.pricing import Part, bill
from protocols.tariff.quotes import CouponUse, Quote, Row
from protocols.tariff.rules import PrepayRules, RoundTo, Table, TariffRules
from protocols.tariff.stay import Calendar, Coupon, PassDays, Stay, check_clocks, whole_minutes
from protocols.time import civil


def quote(rules: TariffRules, stay: Stay, *, calendar: Calendar | None = None) -> Quote:
    """The price of one stay by one tariff version.

    Refused: the codes of Q-94 (`stay.check_clocks`), `no_calendar` where day tables need one, `no_prepay` for a prepaid stay
    under rules that do not say what then, `prepaid_before_entry`.
    """
    ahead = check_clocks(stay)
    bill_of = Terms.of(rules, stay, calendar)
    minutes = whole_minutes(stay.entry, stay.exit)
    priced = bill_of.settled(stay, minute_of(stay.entry), minutes, free=True, paid_before=0)
    return bill_of.quote(stay, minutes, priced, ahead=ahead)


@dataclass(frozen=True, slots=True)
class Priced:
    """What is due with its rows; `gross_fen` is the price without coupons, `paid_fen` what was paid before."""

    due_fen: Fen
    paid_fen: Fen
    gross_fen: Fen
    rows: tuple[Row, ...]
    coupons: tuple[CouponUse, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """The table that governs one vehicle, with the calendar and the rules around it."""

    rules: TariffRules
    table: Table
    table_name: str | None
    class_known: bool
    calendar: Calendar | None

    @classmethod
    def of(cls, rules: TariffRules, stay: Stay, calendar: Calendar | None) -> Terms:
        return cls(rules, *rules.table_for(stay.vehicle_class), calendar)

    def settled(self, stay: Stay, entry: Minute, minutes: int, *, free: bool, paid_before: Fen) -> Priced:
        """What is due at the exit of a stay of `minutes` laid from `entry`, after what was paid before (Q-84, Q-88)."""
        paid = paid_before + (stay.prepaid.paid_fen if stay.prepaid else 0)
        if stay.prepaid is None:
            return self._difference(stay, entry, minutes, free=free, paid=paid)
        terms = _prepay_terms(self.rules, stay)
        late = whole_minutes(stay.prepaid.at, stay.exit)
        if late <= terms.free_exit_minutes:
            return Priced(0, paid, paid, (explain.left_in_time(stay.prepaid, terms.free_exit_minutes),), ())
        if terms.overstay == "difference":
            return self._difference(stay, entry, minutes, free=free, paid=paid)
        restart = minute_of(stay.prepaid.at)
        fresh = self._fee(restart, late, stay.passes, (), free=bool(terms.restart_free))
        rows = (explain.left_late(stay.prepaid, terms.free_exit_minutes), *fresh.rows)
        return Priced(fresh.due_fen, paid, paid + fresh.due_fen, rows, ())

    def _difference(self, stay: Stay, entry: Minute, minutes: int, *, free: bool, paid: Fen) -> Priced:
        whole = self._fee(entry, minutes, stay.passes, stay.coupons, free=free)
        if not paid:
            return whole
        rows = (*whole.rows, explain.paid_before(paid, whole.due_fen))
        return Priced(max(0, whole.due_fen - paid), paid, whole.gross_fen, rows, whole.coupons)

    def _fee(self, entry: Minute, minutes: int, passes: Sequence[PassDays], coupons: Sequence[Coupon], *, free: bool) -> Priced:
        """The whole fee of a stay after coupons and rounding (Q-80, Q-95)."""
        gross = self._laid(entry, minutes, passes, free=free)
        rounded = _rounded(gross.fen, self.table.round_to)
        part, uses = gross, list[CouponUse]()
        if minutes_off(coupons):
            part, uses = self._shortened(entry, minutes, passes, coupons, gross, free=free)
        uses += take_off(part, coupons)
        if self.table.round_to is not None:
            part.add(explain.rounding(part.fen, _rounded(part.fen, self.table.round_to)))
        return Priced(part.fen, 0, rounded, tuple(part.rows), tuple(uses))

    def _shortened(
        self, entry: Minute, minutes: int, passes: Sequence[PassDays], coupons: Sequence[Coupon], gross: Part, *, free: bool
    ) -> tuple[Part, list[CouponUse]]:
        """The fee as if the exit were earlier, one minutes coupon after the other so that each knows what it took off."""
        part, laid = Part(), gross
        uses, before, left = [], gross.fen, minutes
        if gross.rows[0].kind == "free":
            part.add(gross.rows[0])
        for coupon in coupons:
            if coupon.kind == "minutes":
                left = max(0, left - coupon.minutes)
                laid = self._laid(entry, left, passes, free=free)
                uses.append(CouponUse(coupon.kind, coupon.ref, before - laid.fen))
                before = laid.fen
                part.add(explain.shortened(coupon.minutes, entry + left, left))
        if part.rows[0].kind == "free" and laid.fen:
            laid.rows.remove(laid.rows[0])  # beyond the free time with and without the coupon: said once, for the real stay
        part.join(laid)
        return part, uses

    def _laid(self, entry: Minute, minutes: int, passes: Sequence[PassDays], *, free: bool) -> Part:
        """The fee before coupons, days under a pass taken out; after a pass begins a new stay (Q-86)."""
        if not minutes:
            return bill(self.table, self.calendar, entry, 0, free=free)
        part = Part()
        at, end = entry, entry + minutes
        for start, stop in subtract_days(entry, end, [(days.first_day, days.last_day) for days in passes]):
            if start > at:
                part.add(explain.covered(at, start))
            granted = free if start == entry else bool(self.table.free_after_pass)
            part.join(bill(self.table, self.calendar, start, stop - start, free=granted))
            at = stop
        if at < end:
            part.add(explain.covered(at, end))
        return part

    def quote(self, stay: Stay, minutes: int, priced: Priced, *, ahead: bool, notes: tuple[Row, ...] = ()) -> Quote:
        """Wrap what was priced, with the total as last row."""
        entry, leave = civil(stay.entry), civil(stay.exit)
        reasons = (() if self.class_known else ("unknown_class",)) + (("clock_ahead",) if ahead else ())
        return Quote(
            tariff=self.rules.id,
            version=self.rules.version,
            table=self.table_name,
            entry=entry.replace(microsecond=entry.microsecond // 1000 * 1000),
            exit=leave.replace(microsecond=leave.microsecond // 1000 * 1000),
            minutes=minutes,
            dropped_s=(leave - entry) % timedelta(minutes=1) // timedelta(seconds=1),
            fee_fen=priced.paid_fen + priced.due_fen,
            due_fen=priced.due_fen,
            paid_fen=priced.paid_fen,
            gross_fen=priced.gross_fen,
            rows=(*self._class_row(stay), *notes, *priced.rows, explain.total(priced.rows, priced.due_fen)),
            coupons=priced.coupons,
            reasons=reasons,
        )

    def _class_row(self, stay: Stay) -> tuple[Row, ...]:
        if self.class_known:
            return ()
        return (Row("note", "车型", f"认不出车型 {stay.vehicle_class or '（空）'}，按最小车型 {self.table_name} 收，待核对"),)


def _prepay_terms(rules: TariffRules, stay: Stay) -> PrepayRules:
    if rules.prepay is None:
        zh = "收费规则没有写提前付款后怎么算"
        raise Refused("no_prepay", zh, "the rules do not say what a prepayment means", field="prepay")
    if stay.prepaid is not None and civil(stay.prepaid.at) < civil(stay.entry):
        raise Refused("prepaid_before_entry", "付款时间早于进场时间", "the payment lies before the entry", field="prepaid")
    return rules.prepay


def _rounded(fen: Fen, rule: RoundTo | None) -> Fen:
    """To a multiple in the tariff's direction (Q-95)."""
    if rule is None:
        return fen
    doubled = {"down": 0, "half_up": rule.fen, "up": 2 * rule.fen - 1}[rule.direction]
    return (2 * fen + doubled) // (2 * rule.fen) * rule.fen
