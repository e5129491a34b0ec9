"""What somebody typed into a form (UI.md 8): read field by field, each error kept at its field, nothing typed is lost.

    form = Form(await request.form())
    price = form.decimal("price", places=6, need=True)
    start = form.day("start", need=True)
    if form.ok:
        try:
            async with hub.db.tx(user.scope) as tx:
                await fees.publish(tx, price=price, start=start, key=form.key, ...)
            return RedirectResponse("/fees", 303)
        except Refused as problem:
            form.refuse(problem)                       # under the field it names, else on top
    return render(request, "fees/edit.html", status=422, **console(user, where, "/fees"), form=form)

The same class shows an empty form (`Form()`) and one filled from a draft or a row (`Form(values)`). `key` makes a second click
the first one's answer (C-06): it is made with the empty form and comes back with each try.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from starlette.datastructures import FormData

from protocols.errors import Refused
from protocols.money import Fen, parse_yuan, yuan

_KEY = re.compile(r"^[A-Za-z0-9_-]{8,64}$")
LONGEST = 200


class Form:
    """`values`: what was typed, as text; `errors`: field -> sentence; `names`: the fields asked for, in order."""

    def __init__(self, sent: FormData | Mapping[str, object] | None = None) -> None:
        pairs = sent.multi_items() if isinstance(sent, FormData) else (sent or {}).items()
        self.values: dict[str, str] = {}
        self._all: dict[str, list[str]] = {}
        for name, value in pairs:
            if value is None or not isinstance(value, str | int | Decimal | date):
                continue
            self.values[name] = str(value)
            self._all.setdefault(name, []).append(str(value))
        self.errors: dict[str, str] = {}
        self.names: list[str] = []
        sent_key = self.values.get("key", "")
        self.key = sent_key if _KEY.match(sent_key) else secrets.token_urlsafe(18)

    @property
    def ok(self) -> bool:
        return not self.errors

    def kept(self, name: str, usual: object = None) -> str:
        """What a field shows: what was typed, else `usual`. A field that is shown takes its error to itself."""
        if name not in self.names:
            self.names.append(name)
        return self.values.get(name, "" if usual is None else str(usual))

    def wrong(self, name: str, sentence: str) -> None:
        """The first error of a field stands."""
        self.errors.setdefault(name, sentence)

    def refuse(self, problem: Refused) -> None:
        """What a use case refused, at the field it names; without one it stands on top of the form."""
        self.wrong(problem.field or "", problem.zh)

    def text(self, name: str, *, need: bool = False, longest: int = LONGEST, what: str = "") -> str:
        """Without blanks around; '' when nothing is there. `what` names the field in the sentence."""
        found = self._raw(name)
        if need and not found:
            self.wrong(name, f"{what or '这里'}要填")
        if len(found) > longest:
            self.wrong(name, f"最多 {longest} 个字，现在是 {len(found)} 个")
        return found

    def money(self, name: str, *, need: bool = False, least: Fen | None = 0, most: Fen | None = None) -> Fen | None:
        """Yuan as typed ('1,234.5') -> fen; None when empty or wrong."""
        found = self._raw(name)
        if not found:
            if need:
                self.wrong(name, "金额要填")
            return None
        try:
            fen = parse_yuan(found.replace(",", ""), field=name)
        except Refused as problem:
            self.wrong(name, problem.zh)
            return None
        if least is not None and fen < least:
            self.wrong(name, "金额不能是负数" if least == 0 else f"不能少于 {yuan(least)} 元")
        if most is not None and fen > most:
            self.wrong(name, f"不能超过 {yuan(most)} 元")
        return fen

    def decimal(
        self,
        name: str,
        *,
        places: int = 6,
        need: bool = False,
        least: Decimal | int | None = None,
        most: Decimal | int | None = None,
    ) -> Decimal | None:
        """A price or quantity with at most `places` decimals; None when empty or wrong."""
        found = self._raw(name).replace(",", "")
        if not found:
            if need:
                self.wrong(name, "数字要填")
            return None
        try:
            value = Decimal(found)
        except InvalidOperation:
            self.wrong(name, f"“{found[:20]}”不是数字")
            return None
        if not value.is_finite() or abs(value) >= Decimal(10) ** 12:
            self.wrong(name, "数字太大")
            return None
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > places:
            self.wrong(name, f"最多 {places} 位小数，现在是 {-exponent} 位")
        if least is not None and value < least:
            self.wrong(name, f"不能小于 {least}")
        if most is not None and value > most:
            self.wrong(name, f"不能大于 {most}")
        return value

    def number(self, name: str, *, need: bool = False, least: int = 0, most: int = 2**31 - 1) -> int | None:
        """A whole number; None when empty or wrong."""
        found = self._raw(name)
        if not found:
            if need:
                self.wrong(name, "数字要填")
            return None
        if not re.fullmatch(r"-?\d{1,12}", found, re.ASCII):
            self.wrong(name, "要写整数")
            return None
        value = int(found)
        if not least <= value <= most:
            self.wrong(name, f"要在 {least} 到 {most} 之间")
        return value

    def day(self, name: str, *, need: bool = False, first: date | None = None, last: date | None = None) -> date | None:
        found = self._raw(name)
        if not found:
            if need:
                self.wrong(name, "日期要填")
            return None
        try:
            value = date.fromisoformat(found)
        except ValueError:
            self.wrong(name, "日期写成 2026-11-24 这样")
            return None
        if first is not None and value < first:
            self.wrong(name, f"不能早于 {first}")
        if last is not None and value > last:
            self.wrong(name, f"不能晚于 {last}")
        return value

    def choice(self, name: str, choices: Collection[str], *, need: bool = True) -> str:
        """One of the codes; '' when nothing was chosen."""
        found = self._raw(name)
        if found and found not in choices or need and not found:
            self.wrong(name, "请选一个")
            return ""
        return found

    def ticked(self, name: str) -> bool:
        return self._raw(name) in ("1", "on", "True")

    def many(self, name: str) -> list[str]:
        """All values of a field that may stand several times."""
        return self._all.get(name, [])

    def confirmed(self, expected: str) -> bool:
        """Whether what had to be typed was typed (Y-18); blanks and thousands marks do not matter."""
        same = self._raw("typed").replace(",", "") == expected.replace(",", "")
        if not same:
            self.wrong("typed", f"请照着输入 {expected}")
        return same

    def _raw(self, name: str) -> str:
        if name not in self.names:
            self.names.append(name)
        return self.values.get(name, "").strip().replace("\0", "")
