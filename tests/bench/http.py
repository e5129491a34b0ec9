"""A browser reduced to what costs nothing: one kept-alive connection, a session cookie, the CSRF token."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit


class Browser:
    """Beside a server under measurement on the same machine a full client would be measured too."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._host, self._port = parts.hostname, parts.port
        self._cookie = self._csrf = ""
        self._pipe: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def log_in(self, number: str, password: str) -> None:
        found = await self.post("/api/v1/login", {"number": number, "password": password})
        self._csrf = found["csrf"]

    async def post(self, path: str, body: object) -> Any:
        """The answer's JSON. RuntimeError for anything but 200."""
        content = json.dumps(body).encode()
        head = f"content-type: application/json\r\nx-csrf-token: {self._csrf}\r\ncontent-length: {len(content)}\r\n"
        return json.loads(await self._ask("POST", path, head, content))

    async def get(self, path: str) -> bytes:
        return await self._ask("GET", path, "", b"")

    async def events(self, path: str) -> asyncio.StreamReader:
        """A stream of server-sent events, its head already read."""
        reader, writer = self._pipe = await self._connected()
        writer.write(self._head("GET", path, ""))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.decode())
        return reader

    async def close(self) -> None:
        if self._pipe is not None:
            self._pipe[1].close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._pipe is None:
            self._pipe = await asyncio.open_connection(self._host, self._port, limit=4 * 1024 * 1024)
        return self._pipe

    def _head(self, method: str, path: str, more: str) -> bytes:
        cookie = f"cookie: {self._cookie}\r\n" if self._cookie else ""
        return f"{method} {path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\n{cookie}{more}\r\n".encode()

    async def _ask(self, method: str, path: str, more: str, content: bytes) -> bytes:
        reader, writer = await self._connected()
        writer.write(self._head(method, path, more) + content)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        if "set-cookie" in headers:
            self._cookie = headers["set-cookie"].split(";", 1)[0]
        if status.split()[1] != "200":
            raise RuntimeError(f"{method} {path}: {status} {body[:300].decode(errors='replace')}")
        return body
