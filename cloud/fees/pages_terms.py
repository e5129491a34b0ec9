"""Pages of terms (缴费期限): how often, due when, late fee; what they mean for a bill while typing (T-01 .. T-05, Q-50)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from cloud.fees import standards, store_terms
from cloud.fees.calculator.late_fee import LateFee, Policy, late_fee
from cloud.fees.calculator.periods import Period, billing_day, due_day, endless
from cloud.fees.calculator.term import Term
from cloud.fees.pages_fees import Reader, Writer
from cloud.fees.rules_form import asked
from cloud.fees.term_form import LATE, WHEN, late_words, read_term, typed_term, words_of_term
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import look, scope_of
from protocols.errors import NotFound, Refused
from protocols.time import business_date

router = APIRouter(include_in_schema=False)

_EXAMPLE = 100_000
_PERIODS, _LATER = 3, (1, 30, 90, 365)


@dataclass(frozen=True, slots=True)
class Shown:
    """A first period with the days that hang on it."""

    period: Period
    billed: date
    due: date


@dataclass(frozen=True, slots=True)
class Owed:
    """The late fee of an example bill so many days after the due date."""

    day: date
    days: int
    fee: LateFee


@router.get("/fees/terms")
async def listed(request: Request, user: Reader) -> Response:
    """The terms of the company of a project; none is ever changed, for bills were cut by it."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        if where.only is None:
            return RedirectResponse("/fees", 303)
        found = await standards.terms(tx, where.only.company_id)
        used = await store_terms.used(tx, where.only.company_id)
    rows = [(one, dict(words_of_term(one.term)), late_words(one.term), used.get(one.id, 0)) for one in found]
    may = "standard.write" in user.permissions
    return render(request, "fees/terms.html", rows=rows, may_write=may, **console(user, where, "/fees"))


@router.get("/fees/terms/new")
async def new(request: Request, user: Writer) -> Response:
    """The form; `?from=` starts from another term."""
    return await _form(request, user, Form())


@router.post("/fees/terms/new")
async def add(request: Request, user: Writer) -> Response:
    """A term of its own; a second click gives the first (C-06)."""
    hub = request.app.state.hub
    form = Form(await request.form())
    name = form.text("name", need=True, longest=60, what="名称")
    term = read_term(form)
    if form.ok and term is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                where = await look(tx, f"p{form.number('project') or 0}")
                if where.only is None:
                    raise NotFound("project_not_found", "没有这个项目", "no project", field="project")
                company, at = where.only.company_id, f"p{where.only.id}"
                if any(one.name == name for one in await standards.terms(tx, company) if one.code != _code(form)):
                    raise Refused("name_taken", f"“{name}”已经有了，换个名称", "the name is taken", field="name")
                document = term.model_dump(mode="json", exclude_none=True)
                await standards.add_term(
                    tx, company, code=_code(form), name=name, document=document, at=hub.clock.now(), by=user.number
                )
            return RedirectResponse(f"/fees/terms?at={at}", 303)
        except NotFound:
            raise
        except Refused as problem:
            form.refuse(problem)
    return await _form(request, user, form)


@router.get("/fees/terms/try")
async def tried(request: Request, user: Reader) -> Response:
    """试算: the first periods by what stands in the form, and what a bill of 1,000 yuan grows to. Nothing is saved."""
    form = Form(dict(request.query_params))
    term = read_term(form)
    missing = len(form.errors)
    context: dict[str, Any] = {"missing": missing, "periods": [], "owed": [], "example": _EXAMPLE}
    if term is not None:
        start = business_date(request.app.state.hub.clock.now()).replace(day=20)
        context |= {"periods": periods(term, start), "start": start}
        if term.late is not None and context["periods"]:
            context["owed"] = grown(term, context["periods"][0].due)
    return render(request, "fees/term_try.html", **context)


def periods(term: Term, start: date) -> list[Shown]:
    """The first periods of an object that is charged from a day on; none for a season, whose days the standard says."""
    if term.cycle == "season":
        return []
    found = islice(endless(term, start, start), _PERIODS)
    return [Shown(Period(max(one.start, start), one.to), billing_day(term, one), due_day(term, one)) for one in found]


def grown(term: Term, due: date) -> list[Owed]:
    """An unpaid bill's late fee: on the last free day, and later and later."""
    late = term.late
    assert late is not None
    policy = Policy(late.daily_rate, late.grace_days, late.grace_mode, late.cap_rate)
    days = [late.grace_days, *(late.grace_days + more for more in _LATER)]
    shown = [(due + timedelta(days=one), one) for one in days]
    return [Owed(day, one, late_fee(_EXAMPLE, due, policy, (), day)) for day, one in shown]


def _code(form: Form) -> str:
    return f"t-{hashlib.sha256(form.key.encode()).hexdigest()[:12]}"


async def _form(request: Request, user: Any, form: Form) -> Response:
    usual: dict[str, str] = {}
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        if where.only is None and form.values.get("project"):
            where = await look(tx, f"p{form.values['project']}")
        if where.only is None:
            return RedirectResponse("/fees", 303)
        wanted = request.query_params.get("from", "")
        other = next((one for one in await standards.terms(tx, where.only.company_id) if f"{one.id}" == wanted), None)
    if other is not None:
        usual = typed_term(other.term)
    context = {"form": form, "usual": usual, "other": other, "project": where.only, "when": WHEN, "late": LATE, "asked": asked}
    status = 422 if form.errors else 200
    return render(request, "fees/term_form.html", status=status, **console(user, where, "/fees"), **context)
