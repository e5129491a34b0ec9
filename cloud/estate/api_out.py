"""How rooms, owners and projects read as JSON. Days are half-open unless a name says `last`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from cloud.estate.cases import shown
from cloud.estate.domain_owners import OwnerRecord, Payer, Phone, Relation, Transfer, mask_phone
from cloud.estate.domain_tree import ProjectRecord, RoomRecord


def owner_out(one: OwnerRecord) -> dict[str, Any]:
    """Phones masked (O-05): `/contacts` has them in full for those who may change owners."""
    phones = [_phone_out(phone) | {"phone": mask_phone(phone.phone)} for phone in one.values.phones]
    return {
        "id": one.id,
        "project": one.project_id,
        **shown(one.values),
        "tags": list(one.values.tags),
        "emergency_phone": mask_phone(one.values.emergency_phone),
        "phones": phones,
        "identity_masked": one.identity_masked,
        "status": one.status,
        "merged_into": one.merged_into,
        "names_before": list(one.names),
        "version": one.version,
    }


def contacts_out(one: OwnerRecord) -> dict[str, Any]:
    return {
        "id": one.id,
        "phones": [_phone_out(phone) for phone in one.values.phones],
        "emergency_name": one.values.emergency_name,
        "emergency_phone": one.values.emergency_phone,
    }


def room_out(one: RoomRecord) -> dict[str, Any]:
    """Without people: see /people and /payers."""
    values = one.values
    numbers = {name: getattr(values, name) for name in ("floor", "headcount", "handover_on", "move_in_on", "charge_from")}
    return {
        "id": one.id,
        "project": one.project_id,
        **shown(values),
        **numbers,
        **{name: _decimal(getattr(values, name)) for name in ("area", "inside_area", "apportion_area")},
        "status": one.status,
        "since": one.since,
        "closed_on": one.closed_on,
        "version": one.version,
    }


def project_out(one: ProjectRecord) -> dict[str, Any]:
    names = ("id", "company_id", "company_name", "code", "name", "kind", "legal_entity", "payee", "province", "city", "district",
             "address", "households", "contract_from", "opening_day", "status", "price_basis", "filing_no", "contact",
             "contact_phone", "version")  # fmt: skip
    accounts = [
        {name: getattr(account, name) for name in ("id", "bank", "number", "holder", "purpose", "open")}
        for account in one.accounts
    ]
    return {
        **{name: getattr(one, name) for name in names},
        "managed_area": _decimal(one.managed_area),
        "contract_last": None if one.contract_to is None else one.contract_to - timedelta(days=1),
        "accounts": accounts,
    }


def relation_out(one: Relation) -> dict[str, Any]:
    """`to_day`: the first day it no longer is."""
    return {
        "id": one.id,
        "room": one.room_id,
        "room_code": one.room_code,
        "owner": one.owner_id,
        "name": one.name,
        "relation": one.relation,
        "share": _decimal(one.share),
        "from_day": one.from_day,
        "to_day": one.to_day,
    }


def payer_out(one: Payer) -> dict[str, Any]:
    return {
        "item": one.item_code,
        "owner": one.owner_id,
        "name": one.name,
        "from_day": one.from_day,
        "to_day": one.to_day,
    }


def transfer_out(one: Transfer) -> dict[str, Any]:
    names = ("id", "from_day", "arrears", "wallets", "deposits", "consent", "reason")
    return {
        **{name: getattr(one, name) for name in names},
        "room": one.room_id,
        "old_owner": one.old_owner_id,
        "new_owner": one.new_owner_id,
    }


def _phone_out(one: Phone) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("phone", "label", "sms", "wechat", "call", "wrong")}


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"
