"""All routes of the acts that cross slices: opening balances and what follows."""

from __future__ import annotations

from fastapi import APIRouter

from cloud.counter import (
    api_opening,
    pages_erasing,
    pages_opening,
    pages_project_closing,
    pages_refunding,
    pages_transferring,
)

router = APIRouter()
for one in (
    api_opening.router,
    pages_opening.router,
    pages_transferring.router,
    pages_refunding.router,
    pages_erasing.router,
    pages_project_closing.router,
):
    router.include_router(one)
