"""The page shell: templates, the formats of UI.md 5, what a menu shows. Knows no slice; a viewer is whoever is logged in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup, escape

from cloud.shared.menu import GO, MENU, MenuItem, home_of, menu_of
from cloud.shared.people import TEXT_COOKIE, TEXT_SIZES
from cloud.shared.tables import phone_of
from cloud.shared.words import STATES, TENDERS
from protocols import plate
from protocols.errors import Refused
from protocols.money import Fen, yuan
from protocols.time import civil

__all__ = ["MENU", "MenuItem", "console", "environment", "home_of", "icon", "menu_of", "render", "static", "status"]

CLOUD = Path(__file__).parent.parent
STATIC = CLOUD / "shared" / "static"

ROLES = {
    "hq_finance": "总部财务",
    "hq_auditor": "总部稽核",
    "hq_admin": "系统管理员",
    "sub_manager": "子公司经理",
    "project_manager": "项目经理",
    "cashier": "收费员",
    "meter_reader": "抄表员",
    "guard": "岗亭",
    "service": "客服",
    "technician": "实施",
}
_WEEKDAYS = "一二三四五六日"
_PLATES = {
    plate.Colour.GREEN: ("green", "绿牌"),
    plate.Colour.YELLOW_GREEN: ("green", "黄绿牌"),
    plate.Colour.YELLOW: ("yellow", "黄牌"),
    plate.Colour.WHITE: ("white", "白牌"),
    plate.Colour.BLACK: ("black", "黑牌"),
    plate.Colour.BLUE: ("", "蓝牌"),
}


class Viewer(Protocol):
    """What the shell needs of the person who looks."""

    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def roles(self) -> Collection[str]: ...
    @property
    def permissions(self) -> Collection[str]: ...
    @property
    def csrf(self) -> str: ...


def render(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A template of `<slice>/templates`, named '<slice>/<file>', as an answer that no cache keeps."""
    hub = getattr(request.app.state, "hub", None)
    demo = hub is not None and hub.settings.demo
    size = request.cookies.get(TEXT_COOKIE, "")
    known = {"demo": demo, "text_size": size if size in TEXT_SIZES else ""}
    html = environment().get_template(name).render(request=request, **known, **context)
    return HTMLResponse(html, status, {"cache-control": "no-store"})


def console(user: Viewer, scope: Any, here: str) -> dict[str, Any]:
    """What the shell of every console page needs: who looks, where (`places.scope_of`), and which menu entry is lit."""
    return {"user": user, "csrf": user.csrf, "scope": scope, "here": here}


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asks, not a program."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def problem_page(request: Request, status: int, title: str, text: str, trace: str) -> HTMLResponse:
    """An error as a page: what happened, the way on, the number to report in groups of four (N-10)."""
    number = "-".join(trace[start : start + 4].upper() for start in range(0, len(trace), 4))
    context = {"code": status, "title": title, "text": text, "trace": number if status >= 500 else "", "again": status >= 500}
    return render(request, "shared/problem.html", status=status, **context)


@cache
def environment() -> Environment:
    folders = {path.parent.name: FileSystemLoader(path) for path in sorted(CLOUD.glob("*/templates"))}
    env = Environment(
        loader=PrefixLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    formats: Mapping[str, Callable[..., object]] = {
        "yuan": yuan,
        "cell": cell,
        "big": big,
        "clock": clock,
        "short": short,
        "full": full,
        "day": day,
        "plate": plate_chip,
        "object": lambda row: plate_chip((row["object"] or "").removeprefix(f"{row['item_name']} ")),
        "tender": lambda name: TENDERS.get(name, name),
        "role": lambda name: ROLES.get(name, name),
        "stay": lambda row: stay((row["at"] - row["entered_at"]).total_seconds()),
        "last_day": lambda end: end - timedelta(days=1),
        "quantity": quantity,
    }
    env.filters.update(formats)
    env.globals.update(static=static, icon=icon, menu_of=menu_of, go=GO, status=status, phone_of=phone_of, text_sizes=TEXT_SIZES)
    env.globals.update(find_url="/search", find_words="房号、姓名、电话、车牌、收据号")
    return env


def static(name: str) -> str:
    """A served file with the mark of its content, so that browsers may keep it for ever."""
    return f"/static/{name}?v={_mark(name)}"


@cache
def _mark(name: str) -> str:
    path = STATIC / name
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.exists() else "0"


def icon(name: str, tone: str = "") -> Markup:
    """An icon of the sprite; always beside a word."""
    sprite = static("vendor/icons.svg")
    return Markup('<svg class="gi {}" aria-hidden="true"><use href="{}#{}"/></svg>').format(tone, sprite, name)


def status(thing: str, state: str, n: int | None = None) -> Markup:
    """A state as a chip, by the table of UI.md 6: `status("charge", "overdue", 12)`. KeyError for a state it does not know."""
    word = STATES[thing][state]
    mark = icon(word.icon) if word.icon else Markup("")
    return Markup('<span class="st {}">{}{}</span>').format(word.tone, mark, word.text.format(n=n))


def quantity(value: Decimal | int | None) -> str:
    """'8,126.44': as stored, without trailing zeros."""
    if value is None:
        return ""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cell(fen: Fen | None) -> Markup:
    """An amount in a table: zero is a dash, nothing known is blank, negative is red with a true minus."""
    if fen is None:
        return Markup("")
    if fen == 0:
        return Markup('<span class="zero">–</span>')
    return Markup('<span class="neg">{}</span>').format(yuan(fen)) if fen < 0 else escape(yuan(fen))


def big(fen: Fen) -> Markup:
    """A figure of a page's head: '¥217,052' and smaller cents."""
    whole, cents = yuan(abs(fen)).split(".")
    return Markup('{}¥{}<span class="cents">.{}</span>').format("−" if fen < 0 else "", whole, cents)


def clock(instant: datetime | None) -> str:
    """'09:47:32'."""
    return f"{civil(instant):%H:%M:%S}" if instant else ""


def short(instant: datetime | None, today: date | None = None) -> str:
    """'09:47' today, else '11-23 09:47'."""
    if instant is None:
        return ""
    local = civil(instant)
    return f"{local:%H:%M}" if local.date() == today else f"{local:%m-%d %H:%M}"


def full(instant: datetime) -> str:
    """'2026-11-24 09:47:32'."""
    return f"{civil(instant):%Y-%m-%d %H:%M:%S}"


def day(value: date) -> str:
    """'2026-11-24 星期二'."""
    return f"{value:%Y-%m-%d} 星期{_WEEKDAYS[value.weekday()]}"


def stay(seconds: float) -> str:
    """'2 小时 14 分'."""
    hours, minutes = divmod(max(int(seconds), 0) // 60, 60)
    return f"{hours} 小时 {minutes} 分" if hours else f"{minutes} 分"


def plate_chip(text: str | None) -> Markup:
    """A plate on its colour, with a dot; what is no plate stays plain text."""
    if not text:
        return Markup('<span class="mut">无牌</span>')
    try:
        known = plate.parse(text)
    except Refused:
        return escape(text)
    tone, word = _PLATES.get(known.colour, ("white", "车牌"))
    return Markup('<span class="plate {}" title="{}">{}</span>').format(tone, word, known.shown)
