"""The hub's composition root: which slices are mounted, who handles which event of a box, who is told that an order was paid."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse

from cloud.access import api as access_api
from cloud.access import api_approvals, api_people, pages_approvals, pages_audit, pages_org, pages_settings
from cloud.access import pages as access_pages
from cloud.access.service import Handler as ApprovalHandler
from cloud.access.service import audit, keep_house, page_user, principal_of, require, waiting_for
from cloud.arrears import api as arrears_api
from cloud.arrears import pages as arrears_pages
from cloud.arrears import pages_dunning, pages_warning
from cloud.arrears import service as arrears
from cloud.controls import api as controls_api
from cloud.controls import owner_telling, pages_told, proving
from cloud.controls import pages as controls_pages
from cloud.controls import service as controls
from cloud.controls.engine import watch as watch_controls
from cloud.controls.registry import CONTROLS
from cloud.counter import api as counter_api
from cloud.counter import pages as counter_pages
from cloud.counter import pages_owner, pages_search, routes_acts, routes_cash
from cloud.counter import service as counter
from cloud.estate import import_job
from cloud.estate import service as estate
from cloud.estate.api import estate_router
from cloud.estate.api_imports import imports_router
from cloud.estate.api_owners import owners_router
from cloud.estate.api_rooms import rooms_router
from cloud.estate.cases import Cases
from cloud.estate.pages import EXPORT as OWNERS_EXPORT
from cloud.estate.pages import estate_pages
from cloud.estate.pages_becoming import becoming_pages
from cloud.estate.pages_forms import form_pages
from cloud.estate.pages_import import import_pages
from cloud.estate.pages_projects import project_pages
from cloud.estate.pages_same import same_pages
from cloud.fees import api as fees_api
from cloud.fees import (
    api_billing,
    api_standards,
    pages_assign,
    pages_charges,
    pages_contracts,
    pages_ending,
    pages_facts,
    pages_fees,
    pages_filing,
    pages_items,
    pages_lines,
    pages_standard,
    pages_terms,
)
from cloud.fees import service as fees
from cloud.fees.store import items as fee_items
from cloud.fees.store_charged import charged
from cloud.fleet.api import fleet_router
from cloud.fleet.link import FleetLink
from cloud.fleet.service import BoxEvent, Handler, Handlers
from cloud.ledger import service as ledger
from cloud.metering import api as metering_api
from cloud.metering import service as metering
from cloud.notices import pages as notices_pages
from cloud.notices import service as notices
from cloud.parking import api as parking_api
from cloud.parking import service as parking
from cloud.payments import api as payments_api
from cloud.payments.service import PaidHandlers
from cloud.proof import public_close_key, verify
from cloud.publishing import publish_bills
from cloud.reports import api_reports, pages_receipts, pages_reports, pages_sites
from cloud.reports import exporting as reports_exporting
from cloud.reports import pages as reports_pages
from cloud.shared import exports as shared_exports
from cloud.shared import http, jobs, pages, people
from cloud.shared.clock import Clock, SystemClock
from cloud.shared.console import Count, Counter, shell_router, text_cookie
from cloud.shared.db import Database, Tx
from cloud.shared.exports import Export, exports_router
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.once import Once
from cloud.shared.openapi import openapi_router
from cloud.shared.pages_jobs import jobs_router
from cloud.shared.settings import Settings
from cloud.shared.static_files import KeptFiles
from cloud.wallets import api as wallets_api
from cloud.wallets import api_deposits, pages_deposits
from cloud.wallets import pages as wallets_pages
from cloud.wallets import service as wallets
from protocols.uplink.events import Payment

router = APIRouter(include_in_schema=False)

# The counter first: routes are tried in order, and it is the busiest.
_ROUTERS = (
    counter_api.router,
    access_api.router,
    access_pages.router,
    api_approvals.router,
    pages_approvals.router,
    api_people.router,
    pages_org.router,
    pages_audit.router,
    pages_settings.router,
    fees_api.router,
    api_standards.router,
    api_billing.router,
    pages_charges.router,
    pages_lines.router,
    pages_fees.router,
    pages_standard.router,
    pages_assign.router,
    pages_items.router,
    pages_contracts.api,
    pages_contracts.router,
    pages_ending.api,
    pages_ending.router,
    pages_facts.api,
    pages_facts.router,
    pages_terms.router,
    pages_filing.api,
    pages_filing.router,
    payments_api.router,
    parking_api.router,
    metering_api.router,
    counter_pages.router,
    pages_owner.router,
    pages_search.router,
    pages_search.api,
    routes_cash.router,
    routes_acts.router,
    wallets_api.router,
    api_deposits.router,
    wallets_pages.router,
    pages_deposits.router,
    arrears_api.router,
    arrears_pages.router,
    pages_dunning.router,
    pages_warning.router,
    reports_pages.router,
    pages_receipts.router,
    pages_reports.router,
    api_reports.router,
    pages_sites.router,
    controls_pages.router,
    pages_told.router,
    controls_api.router,
)


def make_hub(settings: Settings, db: Database, clock: Clock | None = None) -> Hub:
    """A process of the hub: its live feed, its MQTT worker (when there is a broker), who is told of paid orders."""
    hub = Hub(settings, db, Live(db.dsn), clock or SystemClock())
    if settings.broker:
        hub.fleet = FleetLink(db, hub.clock, hub.live, settings.broker, settings.keys, event_handlers())
    hub.paid_handlers = paid_handlers(hub.fleet)
    hub.menu_counts = menu_counts(hub)
    hub.job_runners = job_runners()
    hub.approval_handlers = approval_handlers()
    hub.channels = notices.channels(settings.messages)
    hub.scans = {arrears.PREFIX: arrears.scanned}
    hub.notice_checks = notice_checks()
    return hub


def background(hub: Hub) -> list[Coroutine[Any, Any, None]]:
    """What runs beside the answering of requests, each until it is cancelled."""
    found = [
        hub.live.run(),
        metering.keep_ahead(hub.db, hub.clock.now),
        keep_house(hub.db, hub.clock.now),
        wallets.run(hub.db, hub.clock.now),
        estate.keep_payers(hub.db, hub.clock.now),
    ]
    found.append(counter.keep_closing(hub.db, hub.settings.keys, hub.clock.now))
    found.append(arrears.keep_warning(hub.db, hub.clock.now))
    found.append(notices.keep_sending(hub.db, hub.channels, hub.notice_checks, hub.clock.now))
    found.append(jobs.work(hub))
    found += _controls(hub)
    return [*found, hub.fleet.run()] if hub.fleet is not None else found


def _controls(hub: Hub) -> list[Coroutine[Any, Any, None]]:
    """The rules with what owners are told of (G-10); beside them, for it takes long, the proof of every night (G-16)."""

    async def told(at: datetime) -> object:
        return await owner_telling.tell(hub.db, hub.settings.told_url if hub.settings.public_url else "", at)

    async def proved(at: datetime) -> object:
        return await proving.nightly(hub.db, partial(verify, hub.db, close_key=public_close_key(hub.settings.keys)), at)

    return [watch_controls(hub.db, CONTROLS, hub.clock.now, told), watch_controls(hub.db, (), hub.clock.now, proved)]


def create_app(hub: Hub) -> FastAPI:
    """The console: pages and JSON of every slice."""
    app = FastAPI(title="Gatehouse", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub = hub
    app.add_middleware(Once, who=_who)
    http.install(app)
    app.include_router(exports_router(exports(), page_user, audit))
    shell = (shell_router(page_user), jobs_router(page_user, require), openapi_router(require))
    cases = Cases(audit, charged, items=_item_names, owed=_owed)
    forms = (
        import_pages(page_user, audit),
        same_pages(page_user, cases),
        becoming_pages(page_user, cases),
        project_pages(page_user, cases),
        form_pages(page_user, cases),
        estate_pages(page_user, cases),
    )
    owners = (rooms_router(require, cases), owners_router(require, cases), imports_router(require, audit), *forms)
    told = (notices_pages.notice_pages(page_user),)
    for one in (*_ROUTERS, router, estate_router(require, audit), *owners, *told, fleet_router(require), *shell):
        app.include_router(one)
    # Only what holds no secret is compressed: a token beside what a stranger can put into a page would leak by its length.
    app.mount("/static", GZipMiddleware(KeptFiles(directory=pages.STATIC), minimum_size=1000, compresslevel=6))
    return app


async def _item_names(tx: Tx, company_id: int) -> dict[str, str]:
    found = [item for _, item in (await fee_items(tx, company_id)).values()]
    return {one.code: one.name for one in sorted(found, key=lambda one: (one.print_order, one.code))}


async def _owed(tx: Tx, project_id: int, room_id: int, day: date) -> tuple[int, int]:
    lines = await fees.open_lines(tx, project_id, room_id, day)
    return len(lines), sum(one.due_fen for one in lines)


async def _who(hub: Hub, request: Request) -> int | None:
    user = await principal_of(hub, request, None)
    return None if user is None else user.user_id


def event_handlers() -> Handlers:
    """Who handles what a box reports, in order. Kinds that are not here are stored and that is all."""
    kinds: dict[str, Sequence[Handler]] = {
        "passage": [parking.on_passage],
        "fee_due": [parking.on_fee_due],
        "stroke": [parking.on_stroke],
        "lane_note": [parking.on_note],
        "payment": [parking.on_payment, _book_lane_cash],
        "readings": [metering.on_readings],
    }
    return Handlers(kinds, _suspend_lane_cash, ledger.heads, apart=frozenset({"stroke", "lane_note"}))


def paid_handlers(link: FleetLink | None) -> PaidHandlers:
    """purpose of an order -> who is told that it was paid: the books first, then whoever opens an arm."""
    return {parking.PURPOSE: (counter.post_order_paid, parking.paid_handler(link))}


def approval_handlers() -> Mapping[str, ApprovalHandler]:
    """kind of an approval -> what carries it out, in the transaction of the decision."""
    return {
        "shift.variance": counter.carry_variance,
        "slip.difference": counter.carry_variance,
        counter.OPENING: counter.opening_approved,
        counter.TRANSFER: counter.transfer_approved,
        counter.VOID: counter.void_approved,
        counter.MOVE: counter.move_approved,
        counter.LATE: counter.late_entry_approved,
        fees.WAIVER: fees.waiver_approved,
        fees.ADJUST: fees.adjustment_approved,
        fees.PUBLISH: fees.publish_approved,
        fees.BACKDATE: fees.publish_approved,
        fees.BY_HAND: fees.by_hand_approved,
        fees.NEW_ITEM: fees.by_hand_approved,
        fees.EXCEPTION: fees.exception_approved,
        fees.DISPUTE: fees.dispute_approved,
        fees.END_CONTRACT: fees.end_approved,
        counter.REFUND: counter.refund_approved,
        counter.ORIGINAL: counter.refund_approved,
        "wallet.transfer": wallets.transfer_approved,
        "deposit.deduct": wallets.deduct_approved,
        "deposit.offset": wallets.offset_approved,
    }


def exports() -> dict[str, Export]:
    """Lists that can be taken as a file."""
    found = (
        pages_receipts.EXPORT, OWNERS_EXPORT, wallets_pages.EXPORT, pages_deposits.EXPORT, pages_charges.EXPORT,
        pages_assign.EXPORT, notices_pages.EXPORT, arrears_pages.EXPORT,
        pages_dunning.EXPORT,
    )  # fmt: skip
    return {one.table.name: one for one in found}


def notice_checks() -> dict[str, notices.Check]:
    """kind of a message -> what is asked in the moment before it goes (W-03)."""
    return {wallets.LOW: wallets.still_low, **dict.fromkeys(arrears.WARNINGS, arrears.still_true)}


def job_runners() -> dict[str, jobs.Runner]:
    """kind of a job -> what does it."""
    return {
        shared_exports.KIND: shared_exports.runner(exports()),
        arrears.DUNNING: arrears.runner,
        fees.DRAFT_JOB: fees.draft_runner,
        fees.PUBLISH_JOB: publish_bills,
        import_job.KIND: import_job.runner(audit),
        reports_exporting.KIND: reports_exporting.runner,
    }


def menu_counts(hub: Hub) -> dict[str, tuple[str, Counter]]:
    """address of a page -> the permission it needs, and what counts how much waits there (UI.md 3)."""

    async def approvals(tx: Tx, user: Any) -> Count:
        return Count(await waiting_for(tx, user, hub.clock.now()))

    async def alarms(tx: Tx, user: Any) -> Count:
        return Count(await controls.waiting(tx), red=True)

    return {"/approvals": ("approval.read", approvals), "/cash": ("cash.read", alarms)}


async def _book_lane_cash(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Cash a guard took at a lane: each payment its own receipt and entry (K-26)."""
    for event in events:
        assert isinstance(event.body, Payment)
        await counter.post_lane_cash(
            tx, project_id=event.project_id, box=event.box, payment=event.body, at=event.at, arrived_at=event.received_at
        )


async def _suspend_lane_cash(tx: Tx, event: BoxEvent, reason: str) -> None:
    """Money in an event that was refused: to suspense, so that HQ's sum is right (DESIGN 2.4)."""
    assert isinstance(event.body, Payment)
    await counter.suspend_lane_cash(
        tx,
        project_id=event.project_id,
        box=event.box,
        payment=event.body,
        at=event.at,
        arrived_at=event.received_at,
        reason=reason,
    )


@router.get("/")
async def home(request: Request) -> Response:
    """The first page the person may read; to log in when there is none (UI.md 3)."""
    user = await principal_of(request.app.state.hub, request, None)
    if user is None:
        return RedirectResponse("/login", 303)
    answer = RedirectResponse(pages.home_of(user), 303)
    async with request.app.state.hub.db.tx(user.scope) as tx:
        text_cookie(answer, await people.text_size(tx, user))
    return answer
