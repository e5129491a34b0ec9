"""What anybody can tell headquarters without a log-in: I paid, and it does not show (G-10). The project hears nothing of it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud.controls import store_people
from cloud.shared.forms import Form
from cloud.shared.pages import render

router = APIRouter(include_in_schema=False)


@router.get("/told")
async def told(request: Request) -> HTMLResponse:
    return render(request, "controls/told.html", form=Form({}), done=False)


@router.post("/told")
async def say(request: Request) -> HTMLResponse:
    """Kept as it was typed; a few an hour from one address. What cannot be taken is said with the way on."""
    hub = request.app.state.hub
    form = Form(await request.form())
    said = {
        "project": form.text("project", longest=60),
        "room": form.text("room", need=True, longest=40),
        "amount_fen": form.money("amount", least=1),
        "receipt": form.text("receipt", longest=40),
        "phone": form.text("phone", need=True, longest=20),
        "text": form.text("text", need=True, longest=300),
    }
    for name, least, word in (("phone", 5, "请留一个能找到您的电话"), ("text", 2, "请写几句经过")):
        if name not in form.errors and len(str(said[name])) < least:
            form.errors[name] = word
    if form.ok:
        address = request.client.host if request.client else ""
        if await store_people.say(hub.db, said, address, hub.clock.now()):
            return render(request, "controls/told.html", form=Form({}), done=True)
        form.errors["text"] = "这里一小时内已经报过几次，请稍后再报，或打物业公司总部的电话"
    return render(request, "controls/told.html", status=422, form=form, done=False)
