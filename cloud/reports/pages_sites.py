"""Sites as headquarters sees them: lanes and passages, meters, boxes, and the pictures behind them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from cloud.access.service import Principal, page_user
from cloud.fleet import service as fleet
from cloud.reports import service
from cloud.reports.domain import CATEGORIES, LANE_STATES
from cloud.reports.pages import common, view_of
from cloud.reports.store import Cursor
from cloud.shared.pages import render
from protocols.errors import Refused

router = APIRouter(include_in_schema=False)

LaneReader = Annotated[Principal, Depends(page_user("lane.read"))]
MeterReader = Annotated[Principal, Depends(page_user("meter.read"))]
BoxReader = Annotated[Principal, Depends(page_user("box.read"))]

CLOCKS = {"synced": "已对时", "holdover": "暂时没对时，走得准", "uncertain": "不可信"}
QUALITIES = {
    "good": ("自动", "ok", "router"),
    "jump": ("待复核", "bad", "alert-triangle"),
    "falling": ("待复核", "bad", "alert-triangle"),
    "back_filled": ("补传", "man", "cloud-upload"),
}
METER_KINDS = {"electric": "电", "water": "水", "hot_water": "热水", "gas": "燃气", "heat": "热", "other": "其他"}
QUANTITIES = {
    "energy": "用电量",
    "energy_total": "用电量",
    "volume": "用水量",
    "heat": "用热量",
    "flow": "流量",
    "temperature": "温度",
    "energy_combined": "组合有功",
    "energy_import": "正向有功",
    "energy_export": "反向有功",
    "power": "功率",
    "active_power": "有功功率",
    "reactive_power": "无功功率",
    "apparent_power": "视在功率",
    "power_factor": "功率因数",
    "frequency": "频率",
    "active_demand": "有功需量",
    "reactive_energy_import": "正向无功",
    "reactive_energy_export": "反向无功",
    "prepaid_balance": "剩余金额",
    "prepaid_energy": "剩余电量",
    "voltage": "电压",
    "current": "电流",
}
UNITS = {"kWh": "度", "m3": "吨"}
_PASSAGES = 50


@router.get("/lanes")
async def lanes(
    request: Request, user: LaneReader, at: str | None = None, before: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    """Lanes as they stand and the last passages, 50 a page."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where, view = await view_of(request, tx, at, None)
        rows, following = await service.passages(tx, where, _PASSAGES, _cursor(before))
        found = await service.lanes(tx, where, view.day)
    place = {"at": where.at} if where.at else {}
    context = common(user, where, view) | {
        "here": "/lanes",
        "live": "today.read" in user.permissions and not before,
        "lanes": found,
        "lane_states": LANE_STATES,
        "passages": rows,
        "categories": CATEGORIES,
        "first_page": f"/lanes?{urlencode(place)}" if before else None,
        "next_page": f"/lanes?{urlencode(place | {'before': _text(following)})}" if following else None,
    }
    return render(request, "reports/lanes.html", **context)


def _text(cursor: Cursor) -> str:
    received_at, box, epoch, seq = cursor
    return f"{received_at.isoformat()}~{box}~{epoch}~{seq}"


def _cursor(text: str) -> Cursor | None:
    """Refused `bad_cursor` for what no page of ours gave out."""
    if not text:
        return None
    try:
        received_at, box, epoch, seq = text.split("~")
        cursor = datetime.fromisoformat(received_at), box, epoch, int(seq)
    except ValueError:
        raise Refused("bad_cursor", "这个地址不完整，请从第一页看起", "not a cursor", field="before") from None
    if cursor[0].tzinfo is None or not 0 <= cursor[3] < 2**62:
        raise Refused("bad_cursor", "这个地址不完整，请从第一页看起", "not a cursor", field="before")
    return cursor


@router.get("/meters")
async def meters(
    request: Request, user: MeterReader, at: str | None = None, after: Annotated[str, Query(max_length=120)] = ""
) -> HTMLResponse:
    """What came in today by project, and the newest reading of every register, 50 a page."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where, view = await view_of(request, tx, at, None)
        today = await service.readings(tx, where, view.day)
        rows, following = await service.registers(tx, where, after)
    place = {"at": where.at} if where.at else {}
    context = common(user, where, view) | {
        "here": "/meters",
        "readings": today,
        "registers": rows,
        "qualities": QUALITIES,
        "meter_kinds": METER_KINDS,
        "quantities": QUANTITIES,
        "units": UNITS,
        "first_page": f"/meters?{urlencode(place)}" if after else None,
        "next_page": f"/meters?{urlencode(place | {'after': following})}" if following else None,
    }
    return render(request, "reports/meters.html", **context)


@router.get("/fleet")
async def boxes(request: Request, user: BoxReader, at: str | None = None) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where, view = await view_of(request, tx, at, None)
        found = await service.boxes(tx, where, view.now)
    context = common(user, where, view) | {"here": "/fleet", "boxes": found, "clocks": CLOCKS}
    return render(request, "reports/fleet.html", **context)


@router.get("/pictures/{sha256}")
async def picture(sha256: str, request: Request, user: LaneReader) -> Response:
    """A thumbnail of a box in scope; the look is logged. NotFound `no_picture`. A browser may keep what never changes."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        path, media = await fleet.find_picture(tx, hub.settings.data, sha256, user_id=user.user_id, at=hub.clock.now())
    return FileResponse(path, media_type=media, headers={"cache-control": "private, max-age=86400, immutable"})
