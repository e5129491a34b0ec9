"""Lists as every page shows them (UI.md 7): filter, sort, page and columns in the address, export of what is filtered.

A page declares its table once, parses the address into a `View`, and hands that to its own store, which knows the SQL:

    TABLE = Table(
        "owners", "业主房产", "/owners", "户",
        columns=(
            Column("room", "房号", sort=True),                       # the first one is the object, links, and cannot be left out
            Column("name", "业主"),
            Column("owed_fen", "欠费（元）", "money", sort=True),
            Column("phone", "电话", shown=False),                    # offered in 选列
        ),
        filters=(Filter("q", "房号或姓名", always=True), Filter("least", "欠费 ≥", "money")),
        sort="room",
    )

    @router.get("/owners")
    async def owners(request: Request, user: Reader) -> Response:
        async with request.app.state.hub.db.tx(user.scope) as tx:
            where = await scope_of(request, user, tx)
            view = TABLE.view(request.query_params, await chosen_columns(tx, user, TABLE.name))
            rows = await store.owners(tx, where.ids, view, view.limit + 1)
            page = TABLE.page(view, rows, await store.owners_total(tx, where.ids, view))
        return render(request, "estate/owners.html", **console(user, where, "/owners"), table=TABLE, view=view, page=page)

The store reads `view.filters` (only what is set and valid), `view.sort`, `view.descending` and `view.after`: None, or the values
of (sort column, key) in the last row of the page before, so `(sort, key) > (%s, %s)` goes on behind it. It may map `view.sort` to
SQL through a dictionary of its own; only names of sortable columns come through. The template:

    {% import "shared/parts.html" as p %} ...
    {{ p.filters(table, view, csrf) }}
    {% call(row, column) p.rows(table, view, page) %}
    {% if column.key == "room" %}<a href="/owners/{{ row.id }}">{{ row.room }}</a>{% else %}{{ p.value(row, column) }}{% endif %}
    {% endcall %}

cloud/reports/pages_receipts.py is the model. Nothing here knows SQL.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from urllib.parse import urlencode

from protocols.errors import Refused
from protocols.money import parse_yuan, yuan

PAGE = 50
LONGEST = 60
_FORMAT = 1
Row = Mapping[str, Any]
Kind = Literal["text", "money", "number", "quantity", "percent", "date", "time", "flag"]
FilterKind = Literal["text", "choice", "date", "money", "number"]
_TYPES: Mapping[Kind, Callable[[str], object]] = {
    "text": str,
    "money": int,
    "number": int,
    "quantity": Decimal,
    "percent": Decimal,
    "date": date.fromisoformat,
    "time": datetime.fromisoformat,
    "flag": lambda text: text == "True",
}
RIGHT: Collection[Kind] = ("money", "number", "quantity", "percent")


@dataclass(frozen=True, slots=True)
class Column:
    """`key` is the row's key and the name in `?cols=`, `?sort=`. Money in fen, quantities and percents Decimal.

    shown    by default; the others are offered in 选列
    total    whether the totals row has a sum for it (`Totals.sums[key]`)
    export   what the spreadsheet gets when it is not the row's value (a word for a code)
    phone    on a card at 390 px: its title, its amount, a fact, or not there; by default the first is the title, the last money
             column the amount, and two more are facts
    """

    key: str
    title: str
    kind: Kind = "text"
    sort: bool = False
    shown: bool = True
    total: bool = False
    unit: str = ""
    export: Callable[[Row], object] | None = field(default=None, compare=False)
    phone: Literal["", "title", "amount", "fact", "none"] = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition: `choices` are code -> word for the kind choice. `always`: its chip shows before it is set.

    need    the list always has it (a date): it cannot be taken away, only changed
    hidden  only a link sets it (a shift, a person); it shows as a chip once it is set. `word` says its value there
    """

    key: str
    title: str
    kind: FilterKind = "text"
    choices: Mapping[str, str] = field(default_factory=dict)
    always: bool = False
    need: bool = False
    hidden: bool = False
    unit: str = ""

    def read(self, text: str) -> object:
        """The value of what stands in the address. Refused with a sentence for what is none."""
        if self.kind == "choice":
            if text not in self.choices:
                raise Refused("bad_filter", f"{self.title}没有这一种", f"no such {self.key}", field=self.key)
            return text
        if self.kind == "money":
            return parse_yuan(text, field=self.key)
        if self.kind == "date":
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise Refused("bad_date", "日期写成 2026-11-24 这样", "not a date", field=self.key) from None
        if self.kind == "number":
            if not (text.isascii() and text.isdigit() and len(text) <= 18):
                raise Refused("bad_number", f"{self.title}要写数字", "not a number", field=self.key)
            return int(text)
        if len(text) > LONGEST:
            raise Refused("too_long", f"{self.title}最多 {LONGEST} 个字", "too long", field=self.key)
        return text

    def word(self, value: object) -> str:
        """How a set value reads on its chip and in an export's header."""
        if self.kind == "choice":
            return self.choices[str(value)]
        text = yuan(value) if self.kind == "money" and isinstance(value, int) else str(value)
        return f"{text} {self.unit}" if self.unit else text


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the whole filter, not of the page: how many rows, and the sums (fen or Decimal) by column key."""

    count: int
    sums: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """50 rows at most; `next` continues behind them: a text for `?after=`."""

    rows: Sequence[Row]
    totals: Totals
    next: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What an address asks a table for. `typed` is everything as it stood there, also what is wrong; `errors` says what is."""

    table: Table
    at: str
    filters: Mapping[str, Any]
    sort: str
    descending: bool
    after: tuple[Any, ...] | None
    columns: tuple[Column, ...]
    typed: Mapping[str, str]
    errors: Mapping[str, str]
    limit: int = PAGE

    def get(self, key: str, default: Any = None) -> Any:
        return self.filters.get(key, default)

    @property
    def filtered(self) -> bool:
        """Whether there is a condition that could be taken away."""
        return bool(self.optional())

    def link(self, **changes: str | None) -> str:
        """The page's address with these changes; back on the first page unless `after` is among them."""
        kept = {name: value for name, value in self.typed.items() if name != "after"} | changes
        query = urlencode({name: value for name, value in kept.items() if value})
        return f"{self.table.url}?{query}" if query else self.table.url

    def export_link(self) -> str:
        return self.link().replace(self.table.url, f"{self.table.url}.xlsx", 1)

    def order_link(self, column: Column) -> str:
        """Sorts by a column: downwards first for figures, a second click turns it round."""
        down = not self.descending if column.key == self.sort else column.kind in (*RIGHT, "date", "time")
        return self.link(sort=("-" if down else "") + column.key)

    def said(self) -> list[tuple[Filter, str]]:
        """The conditions that are set, with their words."""
        return [(one, one.word(self.filters[one.key])) for one in self.table.filters if one.key in self.filters]

    def optional(self) -> list[tuple[Filter, str]]:
        return [(one, word) for one, word in self.said() if not one.need]

    def hidden(self, *without: str) -> list[tuple[str, str]]:
        """What a form must carry so that its own fields are the only change."""
        return [(name, value) for name, value in self.typed.items() if value and name not in (*without, "after")]


@dataclass(frozen=True, slots=True)
class Table:
    """A list: its name (for kept columns and file names), title, address, what a row is called (户, 笔, 张).

    sort  the column sorted by when nothing is asked, '-key' downwards; `key` is the row's own key, which makes the order total
    """

    name: str
    title: str
    url: str
    word: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    sort: str = ""
    key: str = "id"
    key_kind: Kind = "number"
    exports: bool = True

    def column(self, key: str) -> Column:
        return next(one for one in self.columns if one.key == key)

    def view(self, query: Mapping[str, str], chosen: Sequence[str] | None = None) -> View:
        """What an address asks for. A condition that is wrong is left out and named in `errors`; Refused `bad_cursor` for a
        place to go on that no page of ours gave out.
        """
        typed, filters, errors = {}, {}, {}
        for one in self.filters:
            text = (query.get(one.key) or "").strip()
            if not text:
                continue
            typed[one.key] = text
            try:
                filters[one.key] = one.read(text)
            except Refused as problem:
                errors[one.key] = problem.zh
        for name in ("at", "sort", "cols", "after"):
            if query.get(name):
                typed[name] = query[name]
        sort, descending = self._order(typed.get("sort", ""))
        listed = typed["cols"].split(",") if typed.get("cols") else chosen
        after = self._read_cursor(typed["after"], sort, descending) if typed.get("after") else None
        at = typed.get("at", "")
        return View(self, at, filters, sort, descending, after, self.shown(listed), typed, errors)

    def shown(self, chosen: Sequence[str] | None) -> tuple[Column, ...]:
        """The columns somebody chose, in their order, the object first; the usual ones when nothing is chosen."""
        named = {one.key: one for one in self.columns}
        found = [named[key] for key in dict.fromkeys(chosen or ()) if key in named and key != self.columns[0].key]
        if not found:
            return tuple(one for one in self.columns if one.shown)
        return (self.columns[0], *found)

    def page(self, view: View, rows: Sequence[Row], totals: Totals) -> Page:
        """Of at most `view.limit` + 1 rows all but the last, and where the list goes on."""
        more = self.cursor(view, rows[view.limit - 1]) if len(rows) > view.limit else ""
        return Page(rows[: view.limit], totals, more)

    def after(self, view: View, place: str) -> View:
        """The same view behind a place that `cursor` gave out."""
        return replace(view, after=self._read_cursor(place, view.sort, view.descending))

    def cursor(self, view: View, row: Row) -> str:
        """The place behind a row, for `?after=`."""
        values = [row[view.sort], row[self.key]] if view.sort else [row[self.key]]
        order = ("-" if view.descending else "") + view.sort
        kept = [None if value is None else value.isoformat() if isinstance(value, date) else str(value) for value in values]
        text = json.dumps([_FORMAT, order, *kept], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _order(self, text: str) -> tuple[str, bool]:
        names = {one.key for one in self.columns if one.sort}
        wanted = text if text.removeprefix("-") in names else self.sort
        return wanted.removeprefix("-"), wanted.startswith("-")

    def _read_cursor(self, text: str, sort: str, descending: bool) -> tuple[Any, ...]:
        kinds = [self._kind(sort), self.key_kind] if sort else [self.key_kind]
        try:
            made, order, *values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if made != _FORMAT or order != ("-" if descending else "") + sort or len(values) != len(kinds):
                raise ValueError("a place in another order")
            found = tuple(None if one is None else _TYPES[kind](str(one)) for kind, one in zip(kinds, values, strict=True))
        except (ValueError, TypeError, InvalidOperation):
            raise Refused("bad_cursor", "这个地址不完整，请从第一页看起", "not a place to go on", field="after") from None
        if any(_out_of_range(one) for one in found):
            raise Refused("bad_cursor", "这个地址不完整，请从第一页看起", "not a place to go on", field="after")
        return found

    def _kind(self, sort: str) -> Kind:
        return next((one.kind for one in self.columns if one.key == sort), "text")


def _out_of_range(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) >= 2**62
    if isinstance(value, datetime):
        return value.tzinfo is None
    if isinstance(value, Decimal):
        return not value.is_finite()
    return isinstance(value, str) and "\0" in value


def phone_of(view: View) -> Mapping[str, str]:
    """key -> what a column is on a card at 390 px: title, amount, fact or none (UI.md 7: title, amount, two facts)."""
    columns = view.columns
    found = {one.key: one.phone for one in columns if one.phone}
    if columns and "title" not in found.values():
        found.setdefault(columns[0].key, "title")
    money = [one.key for one in columns if one.kind == "money" and one.key not in found]
    if money and "amount" not in found.values():
        found[money[-1]] = "amount"
    left = 2 - sum(one == "fact" for one in found.values())
    for one in columns:
        if one.key not in found:
            found[one.key] = "fact" if left > 0 else "none"
            left -= 1
    return found


def rows_of(rows: Iterable[Row], totals: Totals | None = None) -> Page:
    """A short list that is shown whole."""
    found = list(rows)
    return Page(found, totals or Totals(len(found)))
