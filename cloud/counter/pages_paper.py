"""The paper a counter prints on: chosen once at a terminal, which remembers it (C-09)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.counter.desk_form import number, text
from cloud.counter.paper_words import PAPERS
from cloud.counter.printing import PAPER_COOKIE
from protocols.errors import Refused

router = APIRouter(include_in_schema=False)

Cashier = Annotated[Principal, Depends(page_user("counter.collect"))]
_YEAR = 365 * 86400


@router.post("/desk/paper")
async def paper(request: Request, user: Cashier) -> Response:
    """What this terminal prints on from now on; nothing chosen: what the company uses. Refused `bad_paper`."""
    form = await request.form()
    wanted = text(form, "paper")
    if wanted and wanted not in PAPERS:
        raise Refused("bad_paper", f"没有这种纸：{wanted}", f"no paper {wanted}", field="paper")
    answer = RedirectResponse(f"/desk?done={number(form, 'done')}" if text(form, "done") else "/desk", 303)
    if wanted:
        answer.set_cookie(PAPER_COOKIE, wanted, max_age=_YEAR, httponly=True, samesite="lax")
    else:
        answer.delete_cookie(PAPER_COOKIE)
    return answer
