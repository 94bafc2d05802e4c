"""What is the shop's to mend (P9), from what the latest attempts ended with."""

from __future__ import annotations

from core.payments.faults import LATEST, Ended, Fault, faults


def ended(visitor: str = "v", **changes: object) -> Ended:
    fields = {"provider": "toss", "code": None, "approved": False, "ours": False, "brought": False} | changes
    return Ended(visitor=visitor, **fields)  # type: ignore[arg-type]


GOOD = ended(approved=True)
OURS = ended(ours=True, code="UNAUTHORIZED_KEY")


def wrong(visitor: str) -> Ended:
    return ended(visitor, brought=True, code="NOT_FOUND_PAYMENT_SESSION")


def test_one_is_enough_until_a_payment_goes_through_again() -> None:
    assert faults([OURS, GOOD, GOOD]) == [Fault("toss", "UNAUTHORIZED_KEY", 1, 3)]
    assert faults([OURS, OURS, GOOD]) == [Fault("toss", "UNAUTHORIZED_KEY", 2, 3)]
    assert faults([GOOD, OURS, OURS]) == []
    assert faults([]) == []


def test_forged_keys_of_a_few_visitors_raise_nothing() -> None:
    assert faults([wrong("a")] * 20) == []
    assert faults([wrong(name) for name in "abcd"]) == []
    # Five of them, but far from half of what is paid.
    assert faults([*(wrong(name) for name in "abcde"), *[GOOD] * 15]) == []


def test_many_visitors_and_half_of_all_is_us() -> None:
    refused = [wrong(name) for name in "abcdefghij"]
    assert faults([*refused, *[GOOD] * 10]) == [Fault("toss", "NOT_FOUND_PAYMENT_SESSION", 10, 20)]
    assert faults([*refused[:9], *[GOOD] * 11]) == []
    # Only the latest count.
    assert faults([*[GOOD] * LATEST, *refused]) == []
    # One that was forged first and paid in the end is none.
    paid = [ended(name, brought=True, approved=True) for name in "abcdefghij"]
    assert faults([*paid, *[GOOD] * 10]) == []


def test_each_provider_for_itself() -> None:
    kcp = ended(provider="kcp", ours=True, code="8017")
    assert [one.provider for one in faults([kcp, GOOD, OURS])] == ["kcp"]
    assert [one.provider for one in faults([kcp, OURS])] == ["kcp", "toss"]
