"""HTTPS to the hub with the box's certificate: bodies down, thumbnails up (DESIGN 2.5, 2.7). Blocking: call it in a thread."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from protocols.errors import NotFound, Refused, Retry

TIMEOUT_S = 20
MAX_BODY = 32 * 1024 * 1024


class HubFiles:
    """`context` None: plain HTTP, for tests on one machine."""

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise Refused("bad_settings", "box.toml 有误：总部地址", f"hub url {url}")
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._tls else 80)
        self._context = context

    def get(self, path: str, size: int) -> bytes:
        """A body of known size. NotFound, Refused `hub_refused`, Retry `hub_away`."""
        if size > MAX_BODY:
            raise Refused("body_too_large", "文件太大", f"{size} bytes")
        return self._ask("GET", path, None, size + 1)

    def put(self, path: str, body: bytes, kind: str) -> None:
        """NotFound, Refused `hub_refused`, Retry `hub_away`."""
        self._ask("PUT", path, (body, kind), 10_000)

    def _ask(self, method: str, path: str, content: tuple[bytes, str] | None, most: int) -> bytes:
        connection: http.client.HTTPConnection
        if self._tls:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=self._context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        body, headers = (content[0], {"content-type": content[1]}) if content else (None, {})
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            found = answer.read(most)
        except (OSError, http.client.HTTPException) as problem:
            raise Retry("hub_away", "连不上总部", f"{method} {path}: {problem}") from None
        finally:
            connection.close()
        if answer.status == 404:
            raise NotFound("not_at_hub", "总部没有这个文件", f"{method} {path}: not found")
        if answer.status == 429 or answer.status >= 500:
            raise Retry("hub_away", "总部暂时不能应答", f"{method} {path}: {answer.status}")
        if answer.status >= 300:
            raise Refused("hub_refused", "总部拒绝了请求", f"{method} {path}: {answer.status} {found[:200]!r}")
        return found
