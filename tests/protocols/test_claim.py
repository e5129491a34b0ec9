"""The claim exchange: both sides know the code, nobody in between learns or replaces anything (B-01)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import claim
from protocols.errors import Refused

GRANT = claim.ClaimGrant(
    box="north-01", certificate="cert", ca="ca", document_keys=["00"], brokers=["127.0.0.1:8883"], hub_url="https://127.0.0.1"
)


@given(st.binary(min_size=16, max_size=16))
def test_a_code_survives_how_people_type_it(random: bytes) -> None:
    code = claim.new_code(random)
    assert len(code) == 19
    assert claim.normalise(code) == claim.normalise(f" {code.lower().replace('-', ' ')} ")
    assert claim.secret(code) == claim.secret(code.lower())


@pytest.mark.parametrize("code", ["", "ABCD", "ABCD-EFGH-JKLM-NPQ0", "ABCD-EFGH-JKLM-NPQI", "甲" * 16])
def test_what_cannot_be_a_code_is_refused(code: str) -> None:
    with pytest.raises(Refused, match="bad_claim_code"):
        claim.normalise(code)


def test_a_request_and_its_answer() -> None:
    code = claim.new_code(bytes(range(16)))
    message = claim.ClaimRequest.model_validate_json(claim.request(code, "csr"))
    assert message.lookup == claim.lookup(code)
    claim.check_request(message, claim.secret(code))
    answer = json.dumps(claim.answer(GRANT, claim.secret(code))).encode()
    assert claim.open_answer(code, answer) == GRANT


def test_the_code_itself_never_travels() -> None:
    code = claim.new_code(bytes(range(16)))
    assert claim.normalise(code).encode() not in claim.request(code, "csr")


def test_another_certificate_request_under_the_same_proof_is_refused() -> None:
    code = claim.new_code(bytes(16))
    message = claim.ClaimRequest.model_validate_json(claim.request(code, "csr")).model_copy(update={"csr": "mine"})
    with pytest.raises(Refused, match="bad_claim_proof"):
        claim.check_request(message, claim.secret(code))


def test_an_answer_by_somebody_else_is_refused() -> None:
    code, other = claim.new_code(bytes(16)), claim.new_code(bytes(range(16)))
    forged = json.dumps(claim.answer(GRANT, claim.secret(other))).encode()
    with pytest.raises(Refused, match="bad_claim_answer"):
        claim.open_answer(code, forged)
    with pytest.raises(Refused, match="bad_claim_answer"):
        claim.open_answer(code, b"<html>")


def test_the_box_proof_cannot_be_sent_back_as_the_hubs() -> None:
    code = claim.new_code(bytes(16))
    text = GRANT.model_dump_json()
    mirrored = json.dumps({"grant": text, "proof": claim.proof(claim.secret(code), "box", text.encode())}).encode()
    with pytest.raises(Refused, match="bad_claim_answer"):
        claim.open_answer(code, mirrored)
