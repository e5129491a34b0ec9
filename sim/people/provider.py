"""A payment provider: takes a payer's money for an order and tells the hub with a signed notice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocols.money import Fen
from protocols.time import iso
from protocols.uplink import signing
from protocols.uplink.envelope import compact

MERCHANT = "sim-merchant"


@dataclass
class Provider:
    """`paid` is the provider's own book: order -> fen. Notices are sent until the hub takes one, and one in ten comes twice."""

    notify_url: str
    client: httpx.AsyncClient
    now: Callable[[], datetime]
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    paid: dict[str, Fen] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def public_hex(self) -> str:
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def notice(self, order: str, amount: Fen, number: int) -> bytes:
        """The signed notice of a payment, as it goes over the wire."""
        body = {
            "order": order,
            "amount_fen": amount,
            "merchant": MERCHANT,
            "state": "paid",
            "provider_no": f"SIM{number:010d}",
            "at": iso(self.now()),
        }
        return signing.sign(signing.NOTICE, compact(body), self.key)

    async def pay(self, order: str, amount: Fen) -> bool:
        """Take the money and notify the hub. True when the hub took the notice."""
        number = next(self._numbers)
        self.paid[order] = amount
        message = self.notice(order, amount, number)
        taken = await self._notify(message)
        if number % 10 == 0:
            await self._notify(message)
        return taken

    async def _notify(self, message: bytes) -> bool:
        for _ in range(5):
            try:
                answer = await self.client.post(
                    self.notify_url, content=message, headers={"content-type": "application/json"}, timeout=5
                )
            except httpx.HTTPError:
                continue
            if answer.status_code == 204:
                return True
        return False
