"""Ways out that exist without a provider: a line on the console, a line in a file. SMS and WeChat come as further ones."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from cloud.notices.domain_outbox import BY_HAND, CHANNELS, Channel, Outgoing, Sent
from protocols.errors import Retry


class ConsoleChannel:
    """One line a message where the hub was started."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    async def send(self, message: Outgoing) -> Sent:
        print(f"[{CHANNELS[message.channel]}] {message.to.name} {message.to.phone} {message.text}", file=self._out or sys.stdout)
        return Sent(f"console:{message.id}")


class FileChannel:
    """One JSON line a message, added at the end of a file. Retry `messages_file` when it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, message: Outgoing) -> Sent:
        line = json.dumps(asdict(message), ensure_ascii=False) + "\n"
        try:
            await asyncio.to_thread(self._write, line)
        except OSError as problem:
            raise Retry("messages_file", "消息文件写不进去", f"cannot write {self._path}: {problem}") from problem
        return Sent(f"file:{message.id}")

    def _write(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as out:
            out.write(line)


def channels(setting: str | None) -> Mapping[str, Channel]:
    """By GATEHOUSE_MESSAGES: 'console', a file's path, or nothing: then messages wait until there is a way out."""
    if not setting:
        return {}
    one: Channel = ConsoleChannel() if setting == "console" else FileChannel(Path(setting))
    return {name: one for name in CHANNELS if name not in BY_HAND}
