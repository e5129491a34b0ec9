"""What a report is, as data, and what comes out of it (R-01). Pure: no database, no clock. Amounts in fen.

A **subject** is a view whose rows are the smallest amounts that are counted, with the fields that may be asked of it. A
**report** is a question to a subject: a list of its rows, a table of sums, or a balance that moved (opening, movements by act,
closing). A new report is one small file in `cloud/reports/defs/`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from cloud.shared.tables import RIGHT, Column, Kind
from protocols.errors import Refused
from protocols.money import Fen, yuan

Group = Literal["归属", "时间", "类别", "数值"]
GRAINS: Mapping[str, str] = {"day": "日", "week": "周", "month": "月", "year": "年"}
SPANS: Mapping[str, str] = {"past": "往期", "now": "本期", "ahead": "预收"}
"""By the first day of the period that a bill is for: before, inside or after the days of the report."""
PHASES: Mapping[str, str] = {"before": "期初以前", "in": "本期内"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a subject: `key` is the view's column. Of the group 数值 are what is summed up; `words`: code -> word.

    count  counted apart instead of summed (receipts by their number); `conditions` may be set on every other field
    """

    key: str
    title: str
    kind: Kind = "text"
    group: Group = "类别"
    words: Mapping[str, str] = field(default_factory=dict)
    count: bool = False

    @property
    def measure(self) -> bool:
        return self.group == "数值"


@dataclass(frozen=True, slots=True)
class Subject:
    """`day`: the column that dates a row; `basis` says in the header what that date is.

    order  the columns that make a row's place unique behind its day
    bound  rows carry the ledger entry they came with (`entry_id`), so that an old state can be asked for
    """

    key: str
    title: str
    view: str
    day: str
    basis: str
    word: str
    fields: tuple[Field, ...]
    order: tuple[str, ...]
    bound: bool = True
    link: Callable[[Mapping[str, Any]], str] | None = None

    def get(self, key: str) -> Field:
        """A field or one of the fields every subject has. Refused `no_field`."""
        found = next((one for one in (*self.fields, *COMMON) if one.key == key), None)
        if found is None:
            raise Refused("no_field", f"{self.title}里没有“{key}”这个字段", f"no field {key}", field=key)
        return found

    def has(self, key: str) -> bool:
        return any(one.key == key for one in (*self.fields, *COMMON))


COMMON = (
    Field("company", "子公司", group="归属"),
    Field("project", "项目", group="归属"),
    Field("day", "日", "date", "时间"),
    Field("week", "周", "date", "时间"),
    Field("month", "月", group="时间"),
    Field("year", "年", group="时间"),
    Field("phase", "期初还是本期", group="时间", words=PHASES),
    Field("span", "费用所属", group="时间", words=SPANS),
)
"""What every subject has; `span` only where rows have a `period_from`."""
HIDDEN = ("phase", "span")


@dataclass(frozen=True, slots=True)
class Flow:
    """A balance that moved: `act` is the field that says how, `classes` the columns between opening and closing.

    classes  (key, title, acts, spans or none): each act belongs to one class; what no class names stands under 其他
    sign     what turns the view's amount into what is shown: -1 where the view counts down
    account  the ledger root whose balance the closing must equal, `ledger_sign` times it; none: compared with nothing
    """

    act: str
    amount: str
    classes: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...]
    opening: str
    closing: str
    account: str = ""
    ledger_sign: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """A question as data. `no`: its number in REQUIREMENTS; `answers`: what it answers, in one sentence.

    list    `columns` of single rows
    table   `rows` x `across` of `values`; `grain`: rows begin with a day, week, month or year as asked
    flow    `rows` of a balance that moved, see `Flow`; `open_only` leaves out what stood and stands at 0
    made    `make` puts it together by itself
    fixed   conditions that always hold; `conditions`: fields that may be asked for; `drill`: the list behind its figures
    as_of   asks for one day: what stands then
    """

    code: str
    no: str
    title: str
    group: str
    answers: str
    subject: str
    kind: Literal["list", "table", "flow", "made"]
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    across: str = ""
    values: tuple[str, ...] = ()
    grain: str = ""
    flow: Flow | None = None
    make: Callable[[Any, Any], Awaitable[Sheet]] | None = None
    fixed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    drill: str = ""
    as_of: bool = False
    open_only: bool = False
    notes: tuple[str, ...] = ()
    permission: str = "report.money"
    extra: Callable[[Mapping[str, Any], date], Mapping[str, Any]] | None = None
    extra_columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """An identity compared to the fen: what it says, and by how much it does not hold."""

    text: str
    differs_fen: Fen

    @property
    def ok(self) -> bool:
        return self.differs_fen == 0


@dataclass(slots=True)
class Sheet:
    """A report's figures. `links`: for each row, column key -> what its cell's drill asks for. `more`: the next page's place."""

    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    sums: dict[str, Any]
    count: int
    word: str = "行"
    links: list[Mapping[str, Mapping[str, str]]] = field(default_factory=list)
    total_links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    more: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands above and below every report (R-01). `stand`: '截至台账第 520 笔' and the code that asks for it again."""

    title: str
    no: str
    place: str
    basis: str
    period: str
    conditions: tuple[str, ...]
    by: str
    at: datetime
    stand: str

    def lines(self) -> list[str]:
        said, stand = "；".join(self.conditions) or "没有", self.stand or "不来自台账，以生成时刻为准"
        return [f"范围：{self.place}", f"{self.basis}：{self.period}", f"条件：{said}", stand]


def column_of(one: Field, *, total: bool = False) -> Column:
    return Column(one.key, one.title, one.kind if not one.count else "number", total=total or one.measure)


def word_of(one: Field, value: object) -> object:
    """What a code of a field is called; other values as they are."""
    if value is None:
        return ""
    return one.words.get(str(value), value) if one.words else value


Wordy = Callable[[str, object], object]
"""(field, value) -> its word, projects and companies by their names."""


def pivot(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[Field], across: Field | None, values: Sequence[Field], word: Wordy
) -> Sheet:
    """Rows of sums, one a combination of `keys` (and `across`), as a table with a total row. Columns of `across` come with the
    greatest sum first, times in their order; last columns add them up.
    """
    labels = _labels(rows, across, values) if across else []
    columns = [Column(one.key, one.title, one.kind) for one in keys]
    if across:
        for label in labels:
            columns += [
                Column(f"{value.key}:{label}", _head(across, label, value, values, word), _kind(value), total=True)
                for value in values
            ]
    for value in values:
        title = value.title if across is None else f"{value.title}合计" if len(values) > 1 else "合计"
        columns.append(Column(value.key, title, _kind(value), total=True))
    made: dict[tuple[Any, ...], dict[str, Any]] = {}
    links: dict[tuple[Any, ...], dict[str, Mapping[str, str]]] = {}
    for row in rows:
        place = tuple(row[one.key] for one in keys)
        if place not in made:
            made[place] = {one.key: word(one.key, row[one.key]) for one in keys}
            links[place] = {}
        asked = {one.key: asked_for(row[one.key]) for one in keys}
        for value in values:
            mine = made[place]
            mine[value.key] = mine.get(value.key, 0) + row[value.key]
            if not value.count:
                links[place][value.key] = asked
            if across:
                key = f"{value.key}:{asked_for(row[across.key])}"
                mine[key] = mine.get(key, 0) + row[value.key]
                if not value.count:
                    links[place][key] = asked | {across.key: asked_for(row[across.key])}
    for mine in made.values():
        for column in columns:
            mine.setdefault(column.key, 0)
    found = list(made.values())
    sums = {one.key: sum(row[one.key] for row in found) for one in columns if one.total}
    summed = [value for value in values if not value.count]
    total_links: dict[str, Mapping[str, str]] = {value.key: {} for value in summed}
    if across:
        total_links |= {f"{value.key}:{label}": {across.key: label} for label in labels for value in summed}
    return Sheet(tuple(columns), found, sums, len(found), links=list(links.values()), total_links=total_links)


def _labels(rows: Sequence[Mapping[str, Any]], across: Field, values: Sequence[Field]) -> list[str]:
    weight: dict[str, int] = {}
    for row in rows:
        label = asked_for(row[across.key])
        weight[label] = weight.get(label, 0) + abs(int(row[values[0].key]))
    return sorted(weight) if across.group == "时间" else sorted(weight, key=lambda one: (-weight[one], one))


def _head(across: Field, label: str, value: Field, values: Sequence[Field], word: Wordy) -> str:
    name = str(word(across.key, label) or "（空）")
    return f"{name} {value.title}" if len(values) > 1 else name


def _kind(value: Field) -> Kind:
    return "number" if value.count else value.kind


def asked_for(value: object) -> str:
    """A value as an address asks for it; nothing is asked for as '-'."""
    return "-" if value is None or value == "" else value.isoformat() if isinstance(value, date) else str(value)


def flow_sheet(
    rows: Sequence[Mapping[str, Any]], report: Report, keys: Sequence[Field], word: Wordy, *, drilled: bool = True
) -> Sheet:
    """Opening + movements by class = closing, for each combination of `keys`; the sum is checked to the fen."""
    flow = report.flow
    assert flow is not None
    classes = [(key, title) for key, title, _, _ in flow.classes]
    heads = [("opening", flow.opening), *classes, ("other", "其他"), ("closing", flow.closing)]
    made: dict[tuple[Any, ...], dict[str, Any]] = {}
    links: dict[tuple[Any, ...], dict[str, Mapping[str, str]]] = {}
    for row in rows:
        place = tuple(row[one.key] for one in keys)
        if place not in made:
            made[place] = {one.key: word(one.key, row[one.key]) for one in keys} | {key: 0 for key, _ in heads}
            asked = {one.key: asked_for(row[one.key]) for one in keys}
            links[place] = _flow_links(flow, asked) if drilled else {}
        mine, fen = made[place], int(row[flow.amount])
        mine["opening" if row["phase"] == "before" else _class(flow, row)] += fen
        mine["closing"] += fen
    kept = [place for place, row in made.items() if row["closing"] or not report.open_only and any(row[key] for key, _ in heads)]
    found = [made[place] for place in kept]
    used = {key for key, _ in heads if key in ("opening", "closing") or any(row[key] for row in found)}
    used |= {key for key, _, _, _ in flow.classes}
    if report.as_of:
        used = {"closing"}
    columns = [Column(one.key, one.title, one.kind) for one in keys]
    columns += [Column(key, title, "money", total=True) for key, title in heads if key in used]
    sums = {key: sum(row[key] for row in found) for key, _ in heads if key in used}
    sheet = Sheet(tuple(columns), found, sums, len(found), links=[links[place] for place in kept])
    sheet.total_links = _flow_links(flow, {}) if drilled else {}
    if report.as_of:
        return sheet
    parts = [key for key, _ in heads[1:-1] if key in used]
    differs = sums.get("closing", 0) - sums.get("opening", 0) - sum(sums[key] for key in parts)
    said = " ".join(
        f"{'＋' if sums[key] >= 0 else '−'} {title} {yuan(abs(sums[key]))}" for key, title in heads[1:-1] if key in used
    )
    text = f"{flow.opening} {yuan(sums.get('opening', 0))} {said} ＝ {flow.closing} {yuan(sums.get('closing', 0))}"
    sheet.checks.append(Check(text, differs))
    return sheet


def _class(flow: Flow, row: Mapping[str, Any]) -> str:
    for key, _, acts, spans in flow.classes:
        if row[flow.act] in acts and (not spans or row["span"] in spans):
            return key
    return "other"


def _flow_links(flow: Flow, asked: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {"opening": {**asked, "phase": "before"}, "closing": {**asked, "phase": "all"}}
    for key, _, acts, spans in flow.classes:
        found[key] = {**asked, flow.act: ",".join(acts), **({"span": ",".join(spans)} if spans else {})}
    return found


def period_text(report: Report, first: date, last: date) -> str:
    return f"截至 {last}" if report.as_of else f"{last}" if first == last else f"{first} 至 {last}"


def right(column: Column) -> bool:
    return column.kind in RIGHT


def percent(part: Fen, whole: Fen) -> Decimal | None:
    """Of a hundred; None of nothing."""
    return None if whole == 0 else Decimal(part * 100) / Decimal(whole)
