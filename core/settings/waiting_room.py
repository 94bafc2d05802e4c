"""What a place in the queue costs, and how buyers wait, come in and stay."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from core.settings_group import Group, setting


class WaitingRoomSettings(Group):
    # What a place costs
    network_ipv4_bits: int = setting(
        24, "IPv4 addresses alike in so many bits are one network", unit="bits", row="F4", ge=8, le=32
    )
    network_ipv6_bits: int = setting(
        48, "IPv6 addresses alike in so many bits are one network", unit="bits", row="F4", ge=16, le=64
    )
    proof_free_places: int = setting(
        8, "live places of a network that need no proof of work", unit="places", row="F4", ge=0
    )
    proof_step_places: int = setting(
        32,
        "up to so many places of a network cost the same; each further so many cost twice as much",
        unit="places",
        row="F4",
        ge=1,
    )
    proof_doublings: int = setting(
        6, "how often the cost doubles, at most: 6 is 64 times", unit="times", row="F4", ge=0, le=12
    )
    proof_tries: int = setting(
        600,
        "work of the first proof: half so many tries on average, each of 2,000 rounds of PBKDF2",
        unit="tries",
        row="F4",
        ge=1,
        le=1_000_000,
    )
    proof_seconds: float = setting(
        600, "a proof of work is good for so long after it was asked for", unit="s", row="F4", gt=0
    )
    captcha_verify_url: str = setting(
        "",
        "a captcha besides: its siteverify address (Turnstile, hCaptcha and reCAPTCHA speak the same form). Empty: none",
        row="F4",
    )
    captcha_secret: SecretStr = setting(SecretStr(""), "the captcha's secret", row="F4")
    captcha_site_key: str = setting("", "the captcha's site key, for the page", row="F4")
    captcha_script: str = setting(
        "", "the captcha's script; empty: that of the service that siteverify belongs to", row="F4"
    )

    # Waiting room
    active_limit: int = setting(100, "active visitors when an event names no limit", unit="visitors", row="S8", ge=1)
    beacon_url: str = setting(
        "",
        "drand chain whose value goes into each draw that is announced from now on, such as https://api.drand.sh/CHAIN-HASH; a draw waits for the one that was named with it. Empty: none",
        row="F2",
    )
    active_limit_mode: Literal["fixed", "computed", "load"] = setting(
        "fixed",
        "`fixed`: each event's own limit; `computed`: at most what the machines bear by the arithmetic of S10; `load`: that "
        "times a share that follows CPU, memory, database pool and payment",
        row="S10",
    )
    capacity_per_core: float = setting(20, "active visitors that one core bears", unit="visitors", row="S10", gt=0)
    capacity_safety: float = setting(2, "what the computed limit is divided by", row="S10", ge=1)
    capacity_per_connection: float = setting(
        10, "active visitors that one database connection bears", unit="visitors", row="S10", gt=0
    )
    limits_seconds: float = setting(5, "pause between two looks at the load", unit="s", row="S10", gt=0)
    beat_seconds: float = setting(10, "pause between two heartbeats of a browser", unit="s", row="S9", gt=0)
    active_grace_seconds: float = setting(
        30, "without a beat for this long an active visitor is out", unit="s", row="S9", gt=0
    )
    waiting_grace_seconds: float = setting(
        120,
        "without a beat for this long a waiting visitor loses the queue entry (the ticket keeps the place)",
        unit="s",
        row="S9",
        gt=0,
    )
    absent_seconds: float = setting(
        600,
        "who comes back within so much time in which the service answered has the old place; later it is behind those who "
        "stayed",
        unit="s",
        row="F6",
        gt=0,
    )
    pong_seconds: float = setting(
        120,
        "for this long after a page's last own message its browser's answers to pings count as beats",
        unit="s",
        row="R2",
        ge=0,
    )
    session_seconds: float = setting(600, "an active visitor's session, at most", unit="s", row="S9", gt=0)
    session_after_purchase_seconds: float = setting(
        120,
        "what is left of the session after a purchase, at most: who has bought makes room",
        unit="s",
        row="S8",
        ge=0,
    )
    session_warning_seconds: float = setting(60, "warning before a session ends", unit="s", ge=0)
    stop_seconds: float = setting(
        600,
        "for so long, at most, the clocks of sessions and holds stand while PostgreSQL, Redis or payment is away",
        unit="s",
        row="R4",
        ge=0,
        le=600,
    )
    sweep_seconds: float = setting(1, "pause between two sweeps", unit="s", row="S8", gt=0)
    ticket_hours: float = setting(24, "how long a signed queue ticket is good for", unit="h", gt=0)
