"""All routes of cash: shifts, closes, banking; JSON and pages."""

from __future__ import annotations

from fastapi import APIRouter

from cloud.counter import api_banking, api_cash, api_closes, api_passing, api_recon, pages_banking, pages_recon, pages_shifts

router = APIRouter()
for one in (
    api_cash.router,
    api_closes.router,
    api_banking.router,
    api_passing.router,
    api_recon.router,
    pages_shifts.router,
    pages_banking.router,
    pages_recon.router,
):
    router.include_router(one)
