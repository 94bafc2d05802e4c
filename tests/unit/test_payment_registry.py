"""One line a provider, and whatever lists providers reads it (P4, P5); money between our units and theirs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import StartupError
from core.languages import LANGUAGES
from core.payments.amounts import to_major, to_minor
from core.payments.composition import chosen, gateways, old_gateways, old_settings, open_provider, played_at
from core.payments.gateway import PaymentGateway
from core.payments.provider_package import Limits, Played, environment, played_keys
from core.payments.registry import PLAYED, PROVIDERS, shops_fault_codes, title_in, window_language
from core.settings import Settings

ROOT = Path(__file__).parents[2]
#: Where a provider's name may stand: its own package, its own play, and the registry. `composition` understands for one
#: release how the first one was chosen when it was the only one.
OWN = (*(f"core/payments/{name}/" for name in PROVIDERS), "web/paysim/", "core/payments/registry.py")
FIRST = {"core/payments/composition.py": {"toss"}}

#: The modules of a provider that there is not.
FURTHER = {
    "__init__": "",
    "settings": """
from pydantic import SecretStr
from core.settings_group import Group, setting
class ProviderSettings(Group):
    # Further
    further_url: str = setting("", "its API")
    further_secret: SecretStr = setting(SecretStr(""), "its key")
    further_old_url: str = setting("", "its API before")
    further_old_secret: SecretStr = setting(SecretStr(""), "its key before")
""",
    "codes": "MISCONFIGURED = frozenset({'NO_KEY'})",
    "composition": """
def open_gateway(settings, limits, played):
    return settings.further_secret.get_secret_value()
def open_old_gateway(settings, limits):
    return settings.further_old_secret.get_secret_value()
""",
}
USES_FURTHER = """
import sys
import core.payments
core.payments.__path__.append(sys.argv[1])
from core.payments import registry
from core.payments.provider_package import ProviderPackage
registry.PROVIDERS["further"] = ProviderPackage("further", "Further", ("further_secret",), titles={"de": "Weiter"})
from core.payments.composition import gateways, old_gateways
from core.settings import Settings
from core.settings_docs import document
settings = Settings.load(payment="further")
print(*gateways(settings), *old_gateways(settings))
print(registry.title_in("en", "further"), registry.title_in("de", "further"), *registry.shops_fault_codes("further"))
print(document().count("| `ONSALE_FURTHER_SECRET` |"))
"""


def test_no_other_module_names_a_provider() -> None:
    """P4: a further provider is one package and one line."""
    quoted = re.compile(rf"""["']({"|".join(PROVIDERS)})["']""")
    found = {
        str(path.relative_to(ROOT)): set(quoted.findall(path.read_text()))
        for room in ("core", "realtime", "web", "cli")
        for path in (ROOT / room).rglob("*.py")
    }
    listed = {path: names for path, names in found.items() if names and not path.startswith(OWN)}
    assert listed == FIRST


def test_no_other_file_lists_the_providers() -> None:
    """P4: what names all of them is a place that somebody who adds one has to know of, unless it is written by a
    program, tells of what was, or is about those that the simulator plays.
    """
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    generated = {"docs/settings.md"}
    asked_of_a_further_one = {"core/payments/registry.py", "docs/going-live.md"}
    about_these = {"CHANGELOG.md", "docs/payments.md", "docs/requirements.md"}
    listing = {
        path
        for path in tracked
        if not path.startswith(("tests/", "web/paysim/", "static/dist/"))
        and (ROOT / path).is_file()
        and all(name.encode() in (ROOT / path).read_bytes().lower() for name in PROVIDERS)
    }
    assert listing == generated | asked_of_a_further_one | about_these


def test_a_further_provider_is_one_package_and_one_line(tmp_path: Path) -> None:
    """P4: nothing else of the program has to know of it: its settings, its adapter, its names and its codes."""
    package = tmp_path / "further"
    package.mkdir()
    for name, text in FURTHER.items():
        (package / f"{name}.py").write_text(text)
    env = os.environ | {"ONSALE_FURTHER_SECRET": "of-the-shop", "ONSALE_FURTHER_OLD_SECRET": "before"}
    said = subprocess.run(
        [sys.executable, "-c", USES_FURTHER, str(tmp_path)], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == ["of-the-shop", "before", "Further", "Weiter", "NO_KEY", "1"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_has_its_place(provider: str) -> None:
    """Settings, a name in each language, tests of its own, a section of the page that says how to go live."""
    fields = [name for name in Settings.model_fields if name.startswith(f"{provider}_")]
    assert {f"{provider}_url"} <= set(fields)
    assert set(PROVIDERS[provider].needed) <= set(fields)
    assert re.search(rf"\b{provider}\b", Settings.model_fields["payment"].description or ""), (
        "as a choice of ONSALE_PAYMENT"
    )
    assert all(title_in(code, provider) for code in LANGUAGES)
    assert set(PROVIDERS[provider].titles) <= set(LANGUAGES)
    assert isinstance(shops_fault_codes(provider), frozenset)
    assert (ROOT / "tests" / "integration" / f"test_payment_{provider}.py").exists()
    guide = (ROOT / "docs" / "going-live.md").read_text()
    for field in PROVIDERS[provider].needed:
        assert f"`ONSALE_{field.upper()}`" in guide
    assert f"/webhooks/{provider}" in guide or provider == "kcp"
    assert PROVIDERS[provider].title in guide
    for name in ("SDKs", "documents", "never"):
        assert name in guide
    adapter = (ROOT / "core" / "payments" / provider / "adapter_http.py").read_text()
    assert "Only read in documents" in adapter, "an adapter tells which of its claims were never seen"


def test_a_providers_codes_of_our_own_faults_are_known_by_its_name() -> None:
    """P9: and what is no provider (any more) has none."""
    assert "UNAUTHORIZED_KEY" in shops_fault_codes("toss")
    assert "UNAUTHORIZED" in shops_fault_codes("portone")
    assert shops_fault_codes("none") == frozenset()


@pytest.mark.parametrize(
    ("payment", "names", "played"),
    [
        ("", (), False),
        ("toss", ("toss",), False),
        (" kcp , toss,kcp ", ("kcp", "toss"), False),
        ("simulator", ("toss",), True),
        ("simulator:", ("toss",), True),
        ("simulator:kcp", ("kcp",), True),
        ("simulator: toss, kcp", ("toss", "kcp"), True),
    ],
)
def test_what_is_chosen(payment: str, names: tuple[str, ...], played: bool) -> None:
    choice = chosen(Settings(payment=payment))
    assert (choice.names, choice.played) == (names, played)


@pytest.mark.parametrize(
    ("payment", "says"),
    [
        ("paypal", "there is no provider 'paypal'"),
        ("toss,simulator", "one or the other"),
        ("simulator:toss,simulator", "one or the other"),
        ("toss:kcp", "only `simulator:` takes names"),
        ("simulator:paypal", "there is no provider 'paypal'"),
    ],
)
def test_what_cannot_be_chosen(payment: str, says: str) -> None:
    with pytest.raises(StartupError, match=says):
        chosen(Settings(payment=payment))


def test_what_the_simulator_does_not_play() -> None:
    """A further provider begins without."""
    further = replace(PROVIDERS["toss"], name="further", title="Further Pay", played=False)
    with pytest.raises(StartupError, match="the simulator does not play Further Pay"):
        open_provider(further, Settings(), Limits(1, 1, 1), Played("http://a", "/a", "/a/s.js", "ck", "sk"))


def test_a_real_provider_without_its_keys_does_not_start() -> None:
    for provider, package in PROVIDERS.items():
        empty: dict[str, Any] = dict.fromkeys(package.needed, "")
        with pytest.raises(StartupError, match=r"ONSALE_PAYMENT names \w+, but ONSALE_\w+ is empty"):
            gateways(Settings(payment=provider, **empty))


def test_what_was_set_before_is_understood() -> None:
    """One release: ONSALE_PAYMENT_URL and ONSALE_PAYMENT_SECRET meant Toss Payments."""
    before: dict[str, Any] = {"toss_url": "https://api.tosspayments.com", "toss_secret": "live_sk_a"}
    settings = Settings(**before, toss_client_key="live_ck_a")
    (gateway,) = gateways(settings)
    assert (gateway.name, gateway.environment) == ("toss", environment("toss", "live", "live_sk_a"))
    assert old_gateways(settings) == []


def test_a_played_providers_keys_are_the_shops_own() -> None:
    """P5: nobody else confirms there, and no provider's keys are another's."""
    made = {played_keys(secret, provider) for secret in ("a", "b") for provider in PLAYED}
    assert len(made) == 2 * len(PLAYED)
    assert all(client.startswith("test_ck_") and secret.startswith("test_sk_") for client, secret in made)
    at = played_at(Settings(simulator_url="http://provider:8080/paysim/", simulator_page=""), "toss")
    assert (at.api, at.page) == ("http://provider:8080/paysim/toss", "/paysim/toss")


def test_every_adapter_is_a_gateway() -> None:
    """What mypy cannot see through the registry's loading by name."""
    # NHN KCP's keys are files of a certificate, which are read.
    asked = [package for name, package in PROVIDERS.items() if name != "kcp"]
    given: dict[str, Any] = {field: "test_sk_a" for package in asked for field in package.needed}
    real = gateways(Settings(payment=",".join(package.name for package in asked), **given))
    played = gateways(Settings(payment=f"simulator:{','.join(PLAYED)}"))
    wanted = [name for name in vars(PaymentGateway) if not name.startswith("_")]
    for gateway in (*real, *played):
        assert [name for name in wanted if not hasattr(gateway, name)] == []
        assert re.fullmatch(r"(live|test|played):[0-9a-f]{16}", gateway.environment)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_window_that_is_told_the_buyers_language_knows_each_of_ours(provider: str) -> None:
    """A third language was English to two of them. Which are told is in their adapters."""
    told = "window_language(" in (ROOT / "core" / "payments" / provider / "adapter_http.py").read_text()
    assert set(PROVIDERS[provider].languages) == (set(LANGUAGES) if told else set())
    for language in LANGUAGES if told else ():
        assert window_language(provider, language)


def test_payments_of_an_old_account_name_the_settings_that_finish_them() -> None:
    """P1: whichever they are; NHN KCP's keys are three, and a provider that is gone has none."""
    assert {"kcp_old_site_code", "kcp_old_certificate", "kcp_old_private_key", "kcp_old_url"} == set(
        old_settings("kcp")
    )
    for provider in PROVIDERS:
        assert f"{provider}_old_url" in old_settings(provider)
    assert old_settings("gone") == []


@pytest.mark.parametrize("provider", PLAYED)
def test_the_balancer_lets_a_browser_have_what_a_played_window_needs(provider: str) -> None:
    """PortOne's script was played, and nobody who came through the balancer got it."""
    haproxy = (ROOT / "deploy" / "haproxy.cfg").read_text()
    (pattern,) = re.findall(r"^ *acl played_window path -m reg (\S+)$", haproxy, re.MULTILINE)
    assert "\\" not in pattern, "HAProxy takes a backslash for its own"
    at = played_at(Settings(simulator_page=""), provider)
    script = PROVIDERS[provider].played_script
    needed = [
        f"{at.page}/windows",
        f"{at.page}/windows/w1/pay",
        f"{at.page}/receipts/w1",
        *([at.script] if script else []),
    ]
    assert [path for path in needed if not re.search(pattern, path)] == []
    kept = [f"{at.page}/{path}" for path in ("ledger", "rules", "behaviour", "payments", f"{script}/x", f"x/{script}")]
    assert [path for path in kept if re.search(pattern, path)] == []
    routes = (ROOT / "web" / "paysim" / "routes.py").read_text()
    assert not script or f'_route("/{provider}/{script}", ' in routes


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (15_000, "KRW", 15_000),
        (1_550, "EUR", 15.5),
        (1, "USD", 0.01),
        (1_234, "KWD", 1.234),
        # What people write has no digits; ISO 4217, our prices and the banks have.
        (150_000, "RSD", 1_500),
        (25_000, "IQD", 25),
        (150_000, "HUF", 1_500),
        (12_345, "CLF", 1.2345),
    ],
)
def test_units(minor: int, currency: str, major: float) -> None:
    """V4: a provider is asked for the amount that the buyer was shown."""
    assert to_major(minor, currency) == major
    assert to_minor(major, currency) == to_minor(str(major), currency) == minor


@pytest.mark.parametrize("value", [None, True, "", "-1", -1, "1e3", "1.5", 1.5, "x", "１", "1" * 17, float("nan"), []])
def test_what_is_no_amount_of_won(value: object) -> None:
    assert to_minor(value, "KRW") is None
