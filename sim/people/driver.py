"""A driver at an exit with a phone: sees the fee on the hub's page for the lane and pays it through the provider."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from sim.people.provider import Provider


@dataclass
class Phone:
    """One phone for everybody; `base` is the hub's console address."""

    base: str
    client: httpx.AsyncClient
    provider: Provider

    async def pay_at(self, lane: str, plate: str) -> bool:
        """Pay what the lane shows for this plate. False while there is nothing to pay or the hub cannot say."""
        try:
            shown = await self.client.get(f"{self.base}/api/v1/d/lanes/{lane}", timeout=5)
            if not shown.is_success:
                return False
            due = shown.json()
            if due.get("plate") != plate or not due.get("fee_fen"):
                return False
            asked = {"stay": due["stay"], "fee_fen": due["fee_fen"]}
            order = await self.client.post(f"{self.base}/api/v1/d/lanes/{lane}/order", json=asked, timeout=5)
        except httpx.HTTPError:
            return False
        if not order.is_success:
            return False
        placed = order.json()
        return await self.provider.pay(placed["order"], placed["amount_fen"])
