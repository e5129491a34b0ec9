"""`gatehouse-hub serve`: console, box listener, message worker and live feed in one process, and the database below them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import logging
import signal
import socket
import sys
from collections.abc import Iterator

import structlog
import uvicorn

from cloud.access.service import first_run_code
from cloud.app import background, create_app, make_hub
from cloud.cli import Access, database, run
from cloud.fleet.box_api import BoxListener
from cloud.shared.db import APP
from cloud.shared.hub import Hub
from cloud.shared.migrate import migrate
from cloud.shared.server import SUPERUSER, Server
from cloud.shared.settings import Settings, address
from protocols.errors import Refused, Stop

log = structlog.get_logger()

_LOOK_SECONDS = 0.25
_OTHER_SECONDS = 20.0


def serve(settings: Settings) -> int:
    """Until SIGTERM or Ctrl-C. Refused `port_busy`; Stop `already_running`, and those of migrating and opening."""
    _logs()
    with _bound(settings.listen, "GATEHOUSE_LISTEN") as console:
        if settings.dsn:
            if settings.admin_dsn:
                migrate(settings.admin_dsn, settings.dsn)
            return run(_serve(settings, Access(settings.dsn), console, None))
        server = Server(settings.data)
        # A command may be at work on the same folder; another hub stays.
        place = server.start(wait=_OTHER_SECONDS, stays=True)
        if place is None:
            raise Stop(
                "already_running", f"{settings.data} 已经有一个总部程序在运行", f"a hub is already running on {settings.data}"
            )
        try:
            migrate(place.dsn(SUPERUSER))
            return run(_serve(settings, Access(place.dsn(APP)), console, server))
        finally:
            server.stop()


async def _serve(settings: Settings, access: Access, console: socket.socket, server: Server | None) -> int:
    async with database(access) as db:
        hub = make_hub(settings, db)
        try:
            boxes = BoxListener(hub)
        except OSError as problem:
            raise _busy(settings.box_listen, "GATEHOUSE_BOX_LISTEN", problem) from None
        front = _Console(hub)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in background(hub)]
            if server is not None:
                tasks.append(group.create_task(_keep_alive(server)))
            serving = [group.create_task(boxes.run()), group.create_task(front.serve([console]))]
            await front.up.wait()
            _leave_what_stays()
            ready = {"ready": True, "console": _url(console), "boxes": boxes.url}
            code = await first_run_code(db, settings.keys)
            if code is not None:
                ready["first_run"] = f"{_url(console)}/first-run?code={code}"
            print(json.dumps(ready), flush=True)
            await stop.wait()
            front.should_exit = True
            boxes.stop()
            await asyncio.wait(serving, timeout=10)
            for task in (*tasks, *serving):
                task.cancel()
    return 0


def _leave_what_stays() -> None:
    """The garbage collector need not look again and again at what lives as long as the hub; a batch of events makes thousands of
    objects, and looking over all of them each 700 took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _keep_alive(server: Server) -> None:
    """A database server that died is started again where it was; meanwhile callers get Retry."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if server.revive():
            log.error("database_restarted")


class _Console(uvicorn.Server):
    """The console's server. Signals are ours: the database goes down after the last answer, not before."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(hub),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=3,
            )
        )
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextlib.contextmanager
def _bound(listen: str, setting: str) -> Iterator[socket.socket]:
    host, port = address(listen)
    try:
        found = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)
    except OSError as problem:
        raise _busy(listen, setting, problem) from None
    with found:
        yield found


def _busy(listen: str, setting: str, problem: OSError) -> Refused:
    if problem.errno == errno.EADDRINUSE:
        zh, en = f"端口 {listen} 已经有别的程序在用，换一个：设置 {setting}", f"{listen} is in use; choose another: {setting}"
        return Refused("port_busy", zh, en, field=setting)
    reason = problem.strerror or str(problem)
    return Refused("cannot_listen", f"不能在 {listen} 上监听：{reason}", f"cannot listen on {listen}: {reason}", field=setting)


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _logs() -> None:
    """One JSON object a line on standard error; standard output says when the hub is ready."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
