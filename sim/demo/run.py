"""`make demo`: start everything, say where to look and how to log in, let the sites live until Ctrl-C."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sim.demo import story
from sim.demo.play import Play
from sim.demo.seed import ADMIN, PASSWORD, PIN
from sim.demo.stage import Stage
from sim.demo.traffic import SiteTraffic

ROLES = {
    "hq_finance": "总部财务",
    "hq_auditor": "总部稽核",
    "sub_manager": "子公司经理",
    "project_manager": "项目经理",
    "technician": "实施",
    "cashier": "收费员",
    "guard": "保安",
}
GAP_S = (3.0, 12.0)
STAYS_S = (30.0, 240.0)
COUNTER_S = (15.0, 45.0)
STRANGER = 0.08
CARD = 0.3


async def run(folder: Path, seed: int, port: int) -> None:
    """Until SIGINT or SIGTERM; everything it started is gone when it returns."""
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()

    def tell(sentence: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:5.1f} s[/] {sentence}")

    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    play = Play(Stage(folder, port), seed, tell)
    life: list[asyncio.Task[None]] = []
    starting = asyncio.create_task(_start(play))
    ending = asyncio.create_task(over.wait())
    try:
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if over.is_set():
            starting.cancel()
            return
        await starting
        _welcome(console, play)
        life = [asyncio.create_task(_arrivals(traffic, seed)) for traffic in play.traffic.values()]
        life += [asyncio.create_task(_counter(play, code, seed)) for code in play.cashiers if code not in play.closed]
        await over.wait()
    finally:
        console.print("正在停止 …")
        for task in (starting, ending, *life):
            task.cancel()
        await asyncio.gather(starting, ending, *life, return_exceptions=True)
        await play.stop()


async def _start(play: Play) -> None:
    await play.open_sites()
    await play.open_counters()
    if play.fresh:
        await story.close_the_mall(play)
        play.keep()


async def _arrivals(traffic: SiteTraffic, seed: int) -> None:
    rng = random.Random(f"arrivals/{seed}/{traffic.box.name}")
    while True:
        await asyncio.sleep(rng.uniform(*GAP_S))
        lane = rng.choice(list(traffic.site.configs.values()))
        if traffic.site.lanes[lane.lane].busy:
            continue
        if lane.direction == "in":
            traffic.enter(lane.lane, stays_s=rng.uniform(*STAYS_S))
        else:
            traffic.leave(lane.lane, stranger=rng.random() < STRANGER)


async def _counter(play: Play, code: str, seed: int) -> None:
    """Now and then somebody comes to the counter; the person at the screen sees it arrive."""
    rng = random.Random(f"counter/{seed}/{code}")
    project = next(one for one in play.world.projects if one.code == code)
    spared = story.latest_payer(project).code
    for room in rng.sample(play.rooms[code], len(play.rooms[code])):
        await asyncio.sleep(rng.uniform(*COUNTER_S))
        if room != spared:
            await play.cashiers[code].collect(room, card=rng.random() < CARD)


def _welcome(console: Console, play: Play) -> None:
    console.print(f"\n控制台：[bold]{play.stage.hub_url}[/]　（只在本机；演示的消息服务没有加密，不要给客户用）\n")
    table = Table("角色", "工号", "姓名", "打开", "口令", box=None, pad_edge=False)
    homes = {
        "hq_finance": "/today",
        "hq_auditor": "/cash",
        "sub_manager": "/approvals",
        "project_manager": "/today",
        "cashier": "/desk",
    }
    for user in play.world.users:
        if user.role == "guard":
            project = next(project for project in play.world.projects if project.code == user.at)
            place = f"{play.stage.boxes[project.box or ''].panel}/panel"
            table.add_row("保安", user.number, user.name, place, PIN)
        elif user.role in ROLES:
            table.add_row(ROLES[user.role], user.number, user.name, f"{play.stage.hub_url}{homes.get(user.role, '/')}", PASSWORD)
    table.add_row("系统管理员", ADMIN[0], ADMIN[1], f"{play.stage.hub_url}/", PASSWORD)
    console.print(table)
    console.print(f"\n数据在 {play.stage.folder}，日志在 {play.stage.folder / 'logs'}。按 Ctrl-C 结束，数据保留。\n")
