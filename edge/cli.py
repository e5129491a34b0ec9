"""`gatehouse-edge`: run the box, say what it has recorded, move a damaged store aside."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protocols.errors import GatehouseError


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="gatehouse-edge", description="门房：现场盒子")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("run", "运行盒子，就绪时打印一行 JSON"),
        ("status", "盒子记录到哪里了（运行时和停机后都能查）"),
        ("set-aside", "移开损坏的事件库；盒子下次启动会新建一个"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("--config", type=Path, required=True, help="box.toml")
        if name == "status":
            command.add_argument("--json", action="store_true", help="JSON")
    asked = parser.parse_args(argv)
    try:
        return {"run": _run, "status": _status, "set-aside": _set_aside}[asked.command](asked)
    except GatehouseError as problem:
        print(f"{problem.zh}\n{problem}", file=sys.stderr)
        return 1


_NOT_ON_A_BOX = ("greenlet", "rich", "watchfiles", "uvloop", "httptools")
"""Libraries that others load when they happen to be installed (structlog, uvicorn): 8 MB that a box has no use for."""

_M_ARENA_MAX = -8
"""malloc.h, mallopt(3)."""


def _run(asked: argparse.Namespace) -> int:
    _spare_memory()
    import asyncio
    import signal
    from concurrent.futures import ThreadPoolExecutor

    from edge.app import Box
    from edge.settings import load

    _log_to_stderr()
    settings = load(asked.config)

    def ready(panel: str, camera: str) -> None:
        print(json.dumps({"ready": True, "panel": panel, "camera": camera}), flush=True)

    async def whole() -> None:
        box = Box(settings)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, box.stopping.set)
        await box.run(ready)

    asyncio.run(whole())
    return 0


def _spare_memory() -> None:
    """Before anything large is loaded: 60 MB are all a box may take (B-10)."""
    import ctypes
    import os

    for name in _NOT_ON_A_BOX:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None makes an import fail, as on a box
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if sys.platform == "linux":
        # One arena: else each thread of glibc's malloc keeps its own freed memory.
        getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)(_M_ARENA_MAX, 1)


def _log_to_stderr() -> None:
    """One line an event; the service manager's journal keeps and rotates them (B-09)."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _status(asked: argparse.Namespace) -> int:
    from edge.settings import load
    from edge.storage.store import read_status

    found: dict[str, Any] = dict(read_status(load(asked.config).box.data))
    if asked.json:
        print(json.dumps(found))
        return 0
    print(f"盒子 {found.pop('box')}")
    for stream, one in found.items():
        waiting = one["seq"] - one["acked"]
        print(f"{stream}: 共 {one['seq']} 条，总部已收 {one['acked']} 条，待传 {waiting} 条，最后一条 {one['hash'][:16]}")
    return 0


def _set_aside(asked: argparse.Namespace) -> int:
    from edge.settings import load
    from edge.storage.schema import set_aside

    print(f"旧的事件库在 {set_aside(load(asked.config).box.data)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
