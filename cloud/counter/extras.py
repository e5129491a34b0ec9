"""What a receipt takes beside open lines: money into wallets, deposits, and wallets as a tender (C-02, C-03, F-11, V-01)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cloud.counter.domain import Offer, ReceiptLine
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from protocols.errors import Refused
from protocols.money import MAX_FEN, Fen, yuan


@dataclass(frozen=True, slots=True)
class TopUp:
    """Money for a wallet of the room, or of its payer (`owner`), by purpose ('general', 'water', ...)."""

    purpose: str
    amount_fen: Fen
    owner: bool = False


@dataclass(frozen=True, slots=True)
class DepositTaken:
    """A deposit taken with the receipt: item by code, what for, when it is given back; `object`: the room where it is empty."""

    item: str
    amount_fen: Fen
    purpose: str
    condition: str = ""
    object: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose money is held: the room, as printed, and who pays for it; `source`: the entry that moves it."""

    project_id: int
    room_id: int | None
    object: str
    payer_id: int | None
    source: str
    at: datetime
    by: str


@dataclass(slots=True)
class Held:
    """Lines of the receipt and postings of its entry for what is held from now on."""

    lines: list[ReceiptLine] = field(default_factory=list)
    postings: list[ledger.Posting] = field(default_factory=list)

    def add(self, item: str, name: str, place: Place, text: str, fen: Fen, posting: ledger.Posting) -> None:
        self.lines.append(ReceiptLine(None, item, name, place.object, None, None, text, fen, 0))
        self.postings.append(posting)


def due(top_ups: Sequence[TopUp], deposits: Sequence[DepositTaken]) -> Fen:
    """What they come to. Refused `bad_amount` for nothing or less, `bad_top_up` for a wallet named twice."""
    for fen in (*(one.amount_fen for one in top_ups), *(one.amount_fen for one in deposits)):
        if not 0 < fen <= MAX_FEN:
            raise Refused("bad_amount", "金额要大于 0", "an amount must be above 0", field="amount_fen")
    if len({(one.purpose, one.owner) for one in top_ups}) < len(top_ups):
        raise Refused("bad_top_up", "同一个预存户只写一行", "a wallet is filled once a receipt", field="top_ups")
    return sum(one.amount_fen for one in top_ups) + sum(one.amount_fen for one in deposits)


def with_excess(top_ups: Sequence[TopUp], excess: Fen) -> list[TopUp]:
    """The excess of a payment goes to the room's general wallet (Q-60)."""
    found = list(top_ups)
    if not excess:
        return found
    for number, one in enumerate(found):
        if (one.purpose, one.owner) == ("general", False):
            found[number] = TopUp("general", one.amount_fen + excess)
            return found
    return [*found, TopUp("general", excess)]


async def lock_wallets(tx: Tx, project_id: int, room_id: int, top_ups: Sequence[TopUp], *, kept: bool) -> None:
    """Lock what a payment may move, in the order that everybody keeps; `kept`: the general wallet will be filled too."""
    make = {(one.owner, one.purpose) for one in top_ups if one.purpose in wallets.PURPOSES}
    await wallets.lock_wallets_of_room(tx, project_id, room_id, make | ({(False, "general")} if kept else set()))


async def hold(
    tx: Tx, place: Place, top_ups: Sequence[TopUp], deposits: Sequence[DepositTaken], spent: Sequence[ledger.Posting] = ()
) -> Held:
    """Fill the wallets and take the deposits. `spent`: what this receipt takes out of wallets.

    Refused `no_holder` without a room or payer, `wallet_both_ways` for a wallet that also pays, and those of wallets.
    """
    held = Held()
    for up in sorted(top_ups, key=lambda one: (one.owner, one.purpose)):
        if place.room_id is None or (up.owner and place.payer_id is None):
            raise Refused("no_holder", "预存要写明房间或业主", "a wallet needs a room or an owner", field="top_ups")
        room, owner = (None, place.payer_id) if up.owner else (place.room_id, None)
        wallet = await wallets.wallet(tx, place.project_id, room_id=room, owner_id=owner, purpose=up.purpose)
        if any(one.ref == f"wallet:{wallet.id}" for one in spent):
            zh = f"{wallet.name}正在付款，同一笔里不能又往里存；请少用一些预存，或者找零"
            raise Refused("wallet_both_ways", zh, f"wallet {wallet.id} pays and is filled by one receipt", field="top_ups")
        posting = await wallets.credit(tx, wallet.id, up.amount_fen, kind="top_up", source=place.source, at=place.at, by=place.by)
        held.add(f"prepayment:{up.purpose}", wallet.name, place, "转入预存，可抵以后的费用", up.amount_fen, posting)
    for one in deposits:
        where = replace(place, object=one.object or place.object)
        new = wallets.NewDeposit(
            one.item, where.object, one.amount_fen, one.purpose, place.room_id, place.payer_id, one.condition
        )
        deposit, posting = await wallets.take(tx, place.project_id, new, source=place.source, at=place.at, by=place.by)
        held.add(f"deposit:{one.item}", deposit.item_name, where, f"{one.purpose} {deposit.no}", one.amount_fen, posting)
    return held


async def spend(tx: Tx, place: Place, offers: Sequence[Offer], shares: Sequence[fees.Share]) -> list[ledger.Posting]:
    """Take what is paid from wallets: the room's or its payer's, and a purpose wallet only for its own items (Q-65).

    Refused `bad_wallet`, `wallet_purpose` (more than its lines come to), `wallet_short`.
    """
    paid = [offer for offer in offers if offer.method == "wallet"]
    if not paid:
        return []
    mine = {}
    if place.room_id is not None:
        mine = {f"wallet:{one.id}": one for one in await wallets.wallets_of_room(tx, place.project_id, place.room_id)}
    if any(offer.reference not in mine for offer in paid) or len({offer.reference for offer in paid}) < len(paid):
        raise Refused(
            "bad_wallet", "这个预存户不是这户的，或写了两次", "not a wallet of this room, or named twice", field="reference"
        )
    owed: dict[str, Fen] = {}
    for share in shares:
        owed[share.line.item.wallet_purpose] = owed.get(share.line.item.wallet_purpose, 0) + share.amount_fen
    left = sum(owed.values())
    # Purpose wallets first: what they cannot pay is left for the general ones.
    for offer in sorted(paid, key=lambda one: mine[str(one.reference)].purpose == "general"):
        purpose = mine[str(offer.reference)].purpose
        most = left if purpose == "general" else min(left, owed.get(purpose, 0))
        if offer.tendered_fen > most:
            name = mine[str(offer.reference)].name
            zh = f"{name}最多能付 {yuan(most)} 元：只能付所选费用里它管的部分"
            raise Refused("wallet_purpose", zh, f"{offer.reference} may pay {most} fen", field="tendered_fen", most_fen=most)
        owed[purpose] = owed.get(purpose, 0) - offer.tendered_fen
        left -= offer.tendered_fen
    postings = []
    for offer in sorted(paid, key=lambda one: mine[str(one.reference)].id):
        wallet = mine[str(offer.reference)]
        postings.append(
            await wallets.debit(tx, wallet.id, offer.tendered_fen, kind="deduct", source=place.source, at=place.at, by=place.by)
        )
    return postings
