"""What there is to find in a fresh demo (UI.md 17): prepayments that paid a bill, deposits, a voided receipt, requests that wait,
and a mall whose day is closed, short of some coins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocols.errors import Refused
from protocols.money import Fen
from sim.demo import bills, seed
from sim.demo.world import ProjectSeed, RoomSeed

if TYPE_CHECKING:
    from sim.demo.play import Play

HOME, MALL = "fqyy", "xhl"
SHORT_FEN: Fen = 350
"""What is missing in the mall's drawer."""
_NEW_PRICE = "2.45"
_MALL_PAYERS = 14
_PREPAYING = 3
PREPAID_FEN: Fen = 100_000
_DEPOSIT_FEN: Fen = 300_000
_ACCOUNT = {"company": "hd", "code": "basic-hd", "bank": "示例银行", "tail": "0000", "holder": "华东公司"}


def latest_payer(project: ProjectSeed) -> RoomSeed:
    """Whose bills are the oldest: the room a waiver is asked for."""
    return max(project.rooms, key=lambda room: (room.months, room.area_hundredths))


def prepaying(project: ProjectSeed) -> list[RoomSeed]:
    """Who has money in a wallet for the property fee when the bills come: nobody whose older bills are open."""
    return [room for room in project.rooms if room.months == 1][:_PREPAYING] if project.kind == "residential" else []


async def prepay(play: Play) -> None:
    """Before the bills: the runs take what they may from these wallets (V-02)."""
    for project in play.world.projects:
        for room in prepaying(project):
            await play.cashiers[project.code].hold(room.code, top_ups=[{"purpose": "property", "amount_fen": PREPAID_FEN}])


async def move_money(play: Play) -> None:
    """Two deposits for renovating, and a receipt that was made out wrongly: taken back, the room owes again."""
    for project in play.world.projects:
        if project.kind == "residential":
            deposit = {"item": "renovation", "amount_fen": _DEPOSIT_FEN, "purpose": "装修", "condition": "验收合格后无息退还"}
            await play.cashiers[project.code].hold(project.rooms[-1].code, deposits=[deposit])
    cashier = play.cashiers[HOME]
    receipt = await cashier.collect(play.rooms[HOME][-2])
    second = await play.log_in(seed.SUB_MANAGER)
    try:
        assert receipt is not None, "every room owes something"
        await cashier.void(receipt, "缴款人要改刷卡，现金退回", second)
    finally:
        await second.aclose()


async def ask_for_things(play: Play) -> None:
    """A waiver of late fee and next year's price wait for somebody who may approve them."""
    project = next(one for one in play.world.projects if one.code == HOME)
    cashier, room = play.cashiers[HOME], latest_payer(project)
    lines = (await cashier.owed(room.code))[1]
    oldest = next(line for line in lines if line["late_fee_fen"])
    waiver = {
        "project": cashier.project,
        "late_fee_fen": oldest["late_fee_fen"],
        "reason": "业主反映房屋渗水报修后很久才修好，申请减免这一期的违约金",
        "key": f"demo-waiver-{oldest['id']}",
        "terminal": cashier.terminal,
    }
    await cashier.user.must("POST", f"/api/v1/fees/lines/{oldest['id']}/waiver", waiver)
    await _next_price(play, project)


async def _next_price(play: Play, project: ProjectSeed) -> None:
    project_id = play.projects[project.code]
    found = (await play.manager.get("/api/v1/fees/standards", project=project_id))["standards"]
    standard = next(one["id"] for one in found if one["code"] == f"{project.code}-property")
    terms = (await play.manager.get("/api/v1/fees/terms", project=project_id))["terms"]
    price = bills.prices(project)[0]
    term = next(one["id"] for one in terms if one["code"] == price.term)
    since = f"{play.seeded_on.year + 1}-01-01"
    await bills.draft(play.manager, standard, price.rules | {"price": _NEW_PRICE}, term, since, "业主大会表决通过，从明年起调整")


async def close_the_mall(play: Play) -> dict[str, Any]:
    """Some pay, the drawer is counted and comes short, the manager takes the cash over, the day is closed and the cash goes on
    a deposit slip that nobody has brought to the bank yet (C-31 .. C-35). The sheet of the closed day.
    """
    cashier = play.cashiers[MALL]
    for number, room in enumerate(play.rooms[MALL][:_MALL_PAYERS]):
        await cashier.collect(room, card=number % 2 == 0)
    counted = await cashier.count_out(cashier.drawer_fen - SHORT_FEN, "找零时多找了，当场没有发现")
    if counted["variance_fen"] != -SHORT_FEN:
        raise Refused("drawer_differs", "抽屉应有的现金和演示记的不一样", f"variance {counted['variance_fen']}, not {-SHORT_FEN}")
    offer = {"keep_float_fen": cashier.float_fen, "key": f"demo-offer-{counted['id']}"}
    offered = await cashier.user.must("POST", f"/api/v1/counter/counts/{counted['id']}/handover", offer)
    taken = {"amount_fen": offered["handed_fen"], "float_fen": offered["kept_fen"], "key": f"demo-confirm-{counted['id']}"}
    await play.manager.must("POST", f"/api/v1/counter/handovers/{offered['handover']}/confirm", taken)
    day = counted["business_date"]
    close = {"project": cashier.project, "day": day, "key": f"demo-close-{day}"}
    closed = await cashier.user.must("POST", "/api/v1/counter/closes", close)
    finance = await play.log_in(seed.FINANCE)
    try:
        account = await finance.must("POST", "/api/v1/counter/bank-accounts", _ACCOUNT)
    finally:
        await finance.aclose()
    slip = {"project": cashier.project, "days": [day], "account": account["id"], "key": f"demo-slip-{day}"}
    await play.manager.must("POST", "/api/v1/counter/slips", slip)
    play.closed.add(MALL)
    sheet: dict[str, Any] = closed["sheet"]
    return sheet
