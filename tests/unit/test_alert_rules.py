"""Alert rules and dashboard (S30): each rule fires when it should, alone, and is silent on a healthy sale; every figure
that they name is one that the product exports."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

import web.app
import web.worker_endpoint  # noqa: F401 - with these two come all modules that measure
from tests.debian_tools import ROOT, tool
from tests.waits import PATIENCE
from web.metrics import _Figures

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "onsale.json"
RUNBOOK = ROOT / "docs" / "runbook.md"

Series = Mapping[str, str]

# One sample each 30 s for 46 minutes, and the rules looked at each minute: oftener shows nothing else, and costs
# promtool as many times the work.
STEP, LOOK = 30, 60
FLAT = "x92"


def steady(value: float) -> str:
    return f"{value}+0{FLAT}"


def growing(a_second: float) -> str:
    return f"0+{a_second * STEP}{FLAT}"


#: The clock, as a job that has just succeeded writes it.
NOW = f"0+{STEP}{FLAT}"

WEB1, WEB2 = 'job="onsale-web",instance="web1:8080"', 'job="onsale-web",instance="web2:8080"'
WORKER = 'job="onsale-worker",instance="worker:8081"'

#: A sale that goes well, as Prometheus sees it.
HEALTHY: Series = {
    f"up{{{WEB1}}}": steady(1),
    f"up{{{WEB2}}}": steady(1),
    f"up{{{WORKER}}}": steady(1),
    f'onsale_http_requests_total{{{WEB1},route="/x",status="200"}}': growing(100),
    f'onsale_http_requests_total{{{WEB1},route="/x",status="503"}}': growing(1),
    f'onsale_http_requests_total{{{WEB1},route="/actuator/health",status="503"}}': growing(50),
    f'onsale_http_request_duration_seconds_bucket{{{WEB1},le="0.1"}}': growing(100),
    f'onsale_http_request_duration_seconds_bucket{{{WEB1},le="2.5"}}': growing(101),
    f'onsale_http_request_duration_seconds_bucket{{{WEB1},le="+Inf"}}': growing(101),
    f'onsale_fanout_seconds_bucket{{{WEB1},le="0.05"}}': growing(20),
    f'onsale_fanout_seconds_bucket{{{WEB1},le="+Inf"}}': growing(20),
    f"onsale_channels_closed_slow_total{{{WEB1}}}": growing(0.1),
    f'onsale_task_failures_total{{{WEB1},task="relay"}}': steady(0),
    f'onsale_queue_waiting{{{WEB1},event="gala"}}': steady(5000),
    f'onsale_queue_waiting{{{WEB2},event="gala"}}': steady(5000),
    f'onsale_active_visitors{{{WEB1},event="gala"}}': steady(99),
    f'onsale_active_limit{{{WEB1},event="gala"}}': steady(100),
    f'onsale_seats{{{WEB1},event="gala",state="available"}}': steady(40),
    f'onsale_seats{{{WEB1},event="gala",state="held"}}': steady(0),
    f'onsale_visitors_admitted_total{{{WEB2},event="gala"}}': growing(2),
    # A paused sale, where nobody is let in.
    f'onsale_queue_waiting{{{WEB1},event="paused"}}': steady(10),
    f'onsale_active_visitors{{{WEB1},event="paused"}}': steady(0),
    f'onsale_active_limit{{{WEB1},event="paused"}}': steady(0),
    # The lease moved: the one that had it before stands still.
    f'onsale_job_last_success_timestamp_seconds{{{WEB1},exported_job="sweep"}}': steady(3),
    f'onsale_job_last_success_timestamp_seconds{{{WORKER},exported_job="sweep"}}': NOW,
    f'onsale_job_last_success_timestamp_seconds{{{WORKER},exported_job="reconcile"}}': NOW,
    f'onsale_job_late{{{WEB1},exported_job="sweep"}}': steady(0),
    f'onsale_job_late{{{WORKER},exported_job="payments"}}': steady(0),
    f'onsale_payment_timeouts_total{{{WEB1},provider="toss"}}': growing(0.05),
    f'onsale_payment_circuit_state{{{WEB1},provider="toss",state="CLOSED"}}': steady(1),
    f'onsale_payment_circuit_state{{{WEB1},provider="toss",state="OPEN"}}': steady(0),
    f'onsale_payment_circuit_state{{{WEB1},provider="toss",state="FORCED_OPEN"}}': steady(0),
    f'onsale_payment_circuit_shared{{{WEB1},provider="toss"}}': steady(1),
    f"onsale_payments_oldest_seconds{{{WEB1}}}": steady(30),
    f'onsale_refunds_total{{{WEB1},result="again"}}': steady(2),
    f"onsale_refunds_need_person{{{WEB1}}}": steady(0),
    f'onsale_store_up{{{WEB1},store="database"}}': steady(1),
    f'onsale_store_up{{{WEB2},store="database"}}': steady(1),
    f'onsale_store_up{{{WEB1},store="redis"}}': steady(1),
    f'onsale_store_up{{{WEB2},store="redis"}}': steady(1),
    f"onsale_database_pool_in_use{{{WEB1}}}": steady(8),
    f"onsale_database_pool_size{{{WEB1}}}": steady(10),
    f'onsale_redis_memory_used_bytes{{{WEB1},node="redis"}}': steady(700),
    f'onsale_redis_memory_max_bytes{{{WEB1},node="redis"}}': steady(1000),
    f'onsale_redis_noeviction{{{WEB1},node="redis"}}': steady(1),
    f'onsale_redis_evicted_keys_total{{{WEB1},node="redis"}}': steady(7),
    f"onsale_subscription_drops_total{{{WEB1}}}": steady(3),
    f"onsale_outbox_oldest_seconds{{{WEB1}}}": steady(2),
    f'onsale_consumer_lag_messages{{{WORKER},consumer="email"}}': steady(900),
    f"onsale_dead_letters_open{{{WEB1}}}": steady(0),
    f'onsale_event_delivery_seconds_bucket{{{WORKER},consumer="email",le="10"}}': growing(3),
    f'onsale_event_delivery_seconds_bucket{{{WORKER},consumer="email",le="300"}}': growing(3),
    f'onsale_event_delivery_seconds_bucket{{{WORKER},consumer="email",le="+Inf"}}': growing(3),
    f'onsale_reconcile_repairs_total{{{WORKER},kind="lost"}}': steady(4),
    f"onsale_locks_without_ttl_deleted_total{{{WORKER}}}": steady(1),
    f'onsale_seat_lock_acquisitions_total{{{WEB1},result="taken"}}': growing(97),
    f'onsale_seat_lock_acquisitions_total{{{WEB1},result="busy"}}': growing(3),
    f"onsale_results_untold_total{{{WEB1}}}": steady(5),
}

GONE = "_x92"
#: Zero for eight minutes, then one.
LATELY = f"0x16 1{FLAT}"
#: What looks back further than a quarter of an hour; each minute more costs promtool as much as the one before.
SLOW = ("ReconcileNotRunning", "RepairsSpike")

#: alert -> what is different from a healthy sale; further alerts that fire with it follow after a comma.
CASES: Mapping[str, Series] = {
    "OnsaleDown, ProcessDown": {f"up{{{WEB1}}}": steady(0), f"up{{{WEB2}}}": steady(0)},
    "OnsaleDown": {f"up{{{WEB1}}}": GONE, f"up{{{WEB2}}}": GONE},
    "ProcessDown": {f"up{{{WORKER}}}": steady(0)},
    "ErrorRate": {f'onsale_http_requests_total{{{WEB1},route="/x",status="500"}}': growing(2)},
    "SlowAnswers": {f'onsale_http_request_duration_seconds_bucket{{{WEB1},le="0.1"}}': growing(90)},
    "SlowFanout": {
        f'onsale_fanout_seconds_bucket{{{WEB1},le="0.05"}}': growing(10),
        f'onsale_fanout_seconds_bucket{{{WEB1},le="0.25"}}': growing(20),
    },
    "SlowBrowsersClosed": {f"onsale_channels_closed_slow_total{{{WEB1}}}": growing(2)},
    "TaskFailed": {f'onsale_task_failures_total{{{WEB1},task="relay"}}': LATELY},
    "QueueStuck": {f'onsale_visitors_admitted_total{{{WEB2},event="gala"}}': steady(100)},
    "SweepNotRunning": {f'onsale_job_last_success_timestamp_seconds{{{WORKER},exported_job="sweep"}}': steady(60)},
    "SweepNotRunning, ": {
        f'onsale_job_last_success_timestamp_seconds{{{WEB1},exported_job="sweep"}}': GONE,
        f'onsale_job_last_success_timestamp_seconds{{{WORKER},exported_job="sweep"}}': GONE,
    },
    "JobLate": {f'onsale_job_late{{{WORKER},exported_job="janitor"}}': LATELY},
    "PaymentsNotFinished, JobLate": {f'onsale_job_late{{{WEB1},exported_job="payments"}}': LATELY},
    "PaymentTimeouts": {f'onsale_payment_timeouts_total{{{WEB2},provider="toss"}}': growing(0.06)},
    "PaymentCircuitOpen": {f'onsale_payment_circuit_state{{{WEB2},provider="toss",state="OPEN"}}': steady(1)},
    "PaymentCircuitOpen, ": {f'onsale_payment_circuit_state{{{WEB2},provider="kcp",state="FORCED_OPEN"}}': steady(1)},
    "PaymentCircuitNotShared": {f'onsale_payment_circuit_shared{{{WEB2},provider="toss"}}': steady(0)},
    "PaymentsUnfinished": {f"onsale_payments_oldest_seconds{{{WEB2}}}": steady(901)},
    "RefundsRefused": {f'onsale_refunds_total{{{WEB1},result="again"}}': growing(0.05)},
    "RefundsRefused, ": {f'onsale_refunds_total{{{WEB1},result="refused"}}': growing(0.05)},
    "RefundNeedsPerson": {f"onsale_refunds_need_person{{{WEB2}}}": steady(1)},
    "DatabaseDown": {
        f'onsale_store_up{{{WEB1},store="database"}}': steady(0),
        f'onsale_store_up{{{WEB2},store="database"}}': steady(0),
    },
    "RedisDown": {
        f'onsale_store_up{{{WEB1},store="redis"}}': steady(0),
        f'onsale_store_up{{{WEB2},store="redis"}}': steady(0),
    },
    "StoreUnreachableFromOne": {f'onsale_store_up{{{WEB1},store="redis"}}': steady(0)},
    "DatabasePoolFull": {f"onsale_database_pool_in_use{{{WEB1}}}": steady(10)},
    "RedisMemory": {f'onsale_redis_memory_used_bytes{{{WEB1},node="redis"}}': steady(801)},
    "RedisMayEvict": {f'onsale_redis_noeviction{{{WEB1},node="redis"}}': steady(0)},
    "RedisEvicted": {f'onsale_redis_evicted_keys_total{{{WEB1},node="redis"}}': growing(0.1)},
    "PubSubDropping": {f"onsale_subscription_drops_total{{{WEB1}}}": growing(0.05)},
    "RelayLag": {f"onsale_outbox_oldest_seconds{{{WEB2}}}": steady(61)},
    "ConsumerLag": {f'onsale_consumer_lag_messages{{{WORKER},consumer="email"}}': steady(1001)},
    "DeadLetters": {f"onsale_dead_letters_open{{{WEB2}}}": steady(1)},
    "LateEmails": {f'onsale_event_delivery_seconds_bucket{{{WORKER},consumer="email",le="10"}}': growing(2)},
    "ReconcileNotRunning": {
        f'onsale_job_last_success_timestamp_seconds{{{WORKER},exported_job="reconcile"}}': steady(200)
    },
    "RepairsSpike": {f'onsale_reconcile_repairs_total{{{WORKER},kind="lost"}}': growing(0.02)},
    "LocksWithoutTtl": {f"onsale_locks_without_ttl_deleted_total{{{WORKER}}}": LATELY},
    "SeatLockFailures": {f'onsale_seat_lock_acquisitions_total{{{WEB1},result="busy"}}': growing(6)},
    "ResultsUntold": {f"onsale_results_untold_total{{{WEB1}}}": growing(0.05)},
}

#: Nothing is wrong with these either.
QUIET: Mapping[str, Series] = {
    "nobody uses seat locks": {
        f'onsale_seat_lock_acquisitions_total{{{WEB1},result="{result}"}}': growing(0.1) for result in ("busy", "taken")
    },
    "no maxmemory is set": {
        f'onsale_redis_memory_max_bytes{{{WEB1},node="redis"}}': steady(0),
        f'onsale_redis_noeviction{{{WEB1},node="redis"}}': steady(0),
    },
    "nobody is let in because no seat is left": {
        f'onsale_visitors_admitted_total{{{WEB2},event="gala"}}': steady(100),
        f'onsale_seats{{{WEB1},event="gala",state="available"}}': steady(0),
        f'onsale_seats{{{WEB1},event="gala",state="held"}}': steady(0),
    },
    "the queue is full and nobody leaves": {
        f'onsale_active_visitors{{{WEB1},event="gala"}}': steady(100),
        f'onsale_visitors_admitted_total{{{WEB2},event="gala"}}': steady(100),
    },
    "the simulator's circuit is closed by hand": {
        f'onsale_payment_circuit_state{{{WEB1},provider="toss",state="DISABLED"}}': steady(1)
    },
}


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def promtool_test(series: Series, expected: list[str], *at: str) -> dict[str, Any]:
    """Exactly these alerts fire at each of these times."""
    return {
        "interval": f"{STEP}s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0',
                "eval_time": time,
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected)],
            }
            for time in at
        ],
    }


def run_promtool(tmp_path: Path, tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "tests.yml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": f"{LOOK}s", "tests": tests}
    file.write_text(json.dumps(document))
    command = [tool("promtool", "prometheus"), "test", "rules", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def test_each_alert_fires_when_it_should_and_alone(tmp_path: Path) -> None:
    tests = [
        promtool_test(
            {**HEALTHY, **changes}, [name for name in names.split(", ") if name], "45m" if names in SLOW else "15m"
        )
        for names, changes in CASES.items()
    ]
    done = run_promtool(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    tested = {name for names in CASES for name in names.split(", ") if name}
    assert tested == {rule["alert"] for rule in rules()}


def test_a_healthy_sale_wakes_nobody(tmp_path: Path) -> None:
    tests = [promtool_test(HEALTHY, [], "2m", "15m", "45m")]
    # What is slow looks at none of what is different in these.
    tests += [promtool_test({**HEALTHY, **changes}, [], "2m", "15m") for changes in QUIET.values()]
    done = run_promtool(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_can_fail(tmp_path: Path) -> None:
    done = run_promtool(tmp_path, [promtool_test(HEALTHY, ["DeadLetters"], "2m")])
    assert done.returncode != 0
    assert "DeadLetters" in done.stdout + done.stderr


def test_what_the_message_says(tmp_path: Path) -> None:
    labels = {"severity": "critical", "area": "payment", "provider": "toss"}
    (rule,) = (rule for rule in rules() if rule["alert"] == "PaymentTimeouts")
    expected = {
        "summary": "toss does not answer: 0.11 timeouts a second over 5 minutes",
        "description": rule["annotations"]["description"],
        "runbook": "docs/runbook.md#payment",
    }
    series = {**HEALTHY, f'onsale_payment_timeouts_total{{{WEB2},provider="toss"}}': growing(0.06)}
    test = promtool_test(series, ["PaymentTimeouts"], "15m")
    test["alert_rule_test"] = [
        {
            "eval_time": "15m",
            "alertname": "PaymentTimeouts",
            "exp_alerts": [{"exp_labels": labels, "exp_annotations": expected}],
        }
    ]
    done = run_promtool(tmp_path, [test])
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_and_alertmanager_read_their_files() -> None:
    for command in (
        [tool("promtool", "prometheus"), "check", "config", str(CONFIG)],
        [tool("amtool", "prometheus-alertmanager"), "check-config", str(ROOT / "deploy" / "alertmanager.yml")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr


def exported() -> set[str]:
    """Every name that a scrape can show."""
    figures = CollectorRegistry()
    figures.register(_Figures())
    text = (generate_latest(REGISTRY) + generate_latest(figures)).decode()
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


def expressions(node: Any) -> Iterator[str]:
    """Every PromQL text of a dashboard."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for each in node:
            yield from expressions(each)


@pytest.mark.parametrize("where", ["alerts", "dashboard"])
def test_every_figure_named_is_exported(where: str) -> None:
    if where == "alerts":
        texts = [rule["expr"] for rule in rules()]
    else:
        texts = list(expressions(json.loads(DASHBOARD.read_text())))
    named = {name for text in texts for name in re.findall(r"\bonsale_[a-z_]+", text)}
    assert len(named) > 20
    assert named <= exported(), named - exported()


def test_our_label_job_is_looked_for_where_prometheus_puts_it() -> None:
    """A scrape's own `job` label wins; ours is kept as `exported_job` unless honor_labels is set."""
    assert "honor_labels" not in CONFIG.read_text()
    texts = [rule["expr"] for rule in rules()] + list(expressions(json.loads(DASHBOARD.read_text())))
    for text in texts:
        for name, labels in re.findall(r"(onsale_job_[a-z_]+)\{([^}]*)\}", text):
            assert not re.search(r"(?<!exported_)\bjob=", labels), (name, labels)


def test_every_alert_names_a_part_of_the_runbook() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    }
    for rule in rules():
        file, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert file == "docs/runbook.md"
        assert anchor in anchors, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["description"]
