"""Where the simulated provider sends its notices."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from cloud.payments import service as payments
from protocols.errors import NotAllowed, NotFound, Refused

router = APIRouter()

_REJECTED = {
    payments.Verdict.MALFORMED: Refused("bad_notice", "支付通知格式不对", "not a payment notice"),
    payments.Verdict.WRONG_MERCHANT: NotAllowed("wrong_merchant", "支付通知不是发给我们的", "the notice is for another merchant"),
    payments.Verdict.UNKNOWN_ORDER: NotFound("order_not_found", "没有这个订单", "no such order"),
}


@router.post("/pay/simulated/notice", status_code=204)
async def notice(request: Request) -> Response:
    """204 once the notice is committed with its consequences, booked or kept aside; 401 for a forged one (C-15)."""
    hub = request.app.state.hub
    verdict = await payments.on_notice(
        hub.db, payments.simulated(hub.settings.pay_sim_key), hub.paid_handlers, await request.body(), hub.clock.now()
    )
    if verdict is payments.Verdict.FORGED:
        problem = '{"type":"about:blank","title":"签名不对","status":401,"code":"bad_signature"}'
        return Response(problem, status_code=401, media_type="application/problem+json")
    if verdict in _REJECTED:
        raise _REJECTED[verdict]
    return Response(status_code=204)
