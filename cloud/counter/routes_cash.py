"""All routes of cash: shifts, closes, banking; JSON and pages."""

from __future__ import annotations

from fastapi import APIRouter

from cloud.counter import api_banking, api_cash, api_closes, api_passing, pages_banking, pages_shifts

router = APIRouter()
for one in (
    api_cash.router,
    api_closes.router,
    api_banking.router,
    api_passing.router,
    pages_shifts.router,
    pages_banking.router,
):
    router.include_router(one)
