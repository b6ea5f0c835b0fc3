#!/usr/bin/env python3
"""Writes the Grafana dashboards beside it, so that panels look alike and thresholds are those of the alerts.

    dashboards/generate.py            writes overview.json, platform.json, workers.json and runbook.json
    dashboards/generate.py --check    fails if they are not what it would write

It needs nothing but Python 3. `rate` stands for Grafana's own interval, SCRAPED for the processes that were
chosen, STORE for the numbers about the whole store, which each process reports alike.
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ALERTS = (HERE.parent / "deploy/prometheus/alerts.yml").read_text()
# Each section with the alerts that its heading names; the first is what stands before them all.
SECTIONS = (HERE.parent / "docs/operations/runbook.md").read_text().split("\n## ")
# Beside the dashboards, where it can be read while nothing of Ferry is up.
RUNBOOK = "/d/ferry-runbook"
SCRAPED = 'namespace=~"$namespace",instance=~"$instance"'
STORE = 'namespace=~"$namespace"'
ACCOUNT = 'account=~"$account"'
INTERVAL = "[$__rate_interval]"


def limit(alert):
    """The threshold of an alert: the first number that its expression compares with."""
    rule = re.search(rf"- alert: {alert}\n(.*?)(?=- alert: |\Z)", ALERTS, re.S).group(1)
    expression = rule.split("for:")[0]
    return float(re.search(r"[<>]=? ([0-9.]+)", expression).group(1))


def section(alert):
    """Where the runbook says what to do about an alert; alerts.yml links there too."""
    number = next(at for at, text in enumerate(SECTIONS) if alert in text.split("\n")[0].split())
    return f"{RUNBOOK}?viewPanel={number + 1}"


def rate(metric, labels, by, factor=""):
    return f"sum by ({by}) (rate({metric}{{{labels}}}{INTERVAL})){factor}"


def quantile(share, metric, labels, by=""):
    by = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{{{labels}}}{INTERVAL})))"


def of_store(metric, by="", labels=""):
    labels = ",".join(filter(None, [STORE, labels]))
    return f"max by ({by}) ({metric}{{{labels}}})" if by else f"max({metric}{{{labels}}})"


def summed(metric, by="", labels=""):
    """Of all chosen accounts together: each process reports each account, so once from one of them."""
    one = of_store(metric, f"namespace, account, {by}" if by else "namespace, account", ",".join(filter(None, [ACCOUNT, labels])))
    return f"sum by ({by}) ({one})" if by else f"sum({one})"


def panel(title, text, unit, queries, alert=None, low=False, kind="timeseries", width=8, height=8, stack=False, related=(), **more):
    """`alert` gives the threshold and a link, `related` ones only links. `low`: small values are the bad ones."""
    steps = [{"color": "green" if not (alert and low) else "red", "value": None}]
    if alert:
        # Grafana colors from the threshold on; an alert fires above it.
        bad = limit(alert)
        steps.append({"color": "green" if low else "red", "value": bad or 1e-9})
    custom = {"fillOpacity": 10, "showPoints": "never"}
    if alert and limit(alert):
        custom["thresholdsStyle"] = {"mode": "line"}
    if stack:
        custom |= {"fillOpacity": 30, "stacking": {"mode": "normal", "group": "A"}}
    made = {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "min": 0,
                "color": {"mode": "thresholds" if kind == "stat" else "palette-classic"},
                "thresholds": {"mode": "absolute", "steps": steps},
                **({"custom": custom} if kind == "timeseries" else {}),
                **more,
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
        if kind == "timeseries"
        else {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "textMode": "auto"},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "expr": query,
                "legendFormat": legend,
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                # Example traces, where there are any.
                **({"exemplar": True} if "histogram_quantile" in query else {}),
            }
            for number, (query, legend) in enumerate(queries)
        ],
        "gridPos": {"w": width, "h": height},
    }
    made["links"] = [
        {"title": f"Runbook: {name}", "url": section(name), "targetBlank": True}
        for name in [*filter(None, [alert]), *related]
    ]
    return made


def stat(title, text, unit, query, alert=None, low=False, legend="", **more):
    return panel(title, text, unit, [(query, legend)], alert, low, kind="stat", width=4, height=4, **more)


def words(*pairs):
    """Words in place of numbers."""
    options = {str(value): {"text": word, "index": at} for at, (value, word) in enumerate(pairs)}
    return [{"type": "value", "options": options}]


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "multi": True,
        # What has no such label matches too.
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def annotation(name, color, query, title):
    return {
        "name": name,
        "enable": True,
        "iconColor": color,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "expr": query,
        "titleFormat": title,
        "step": "60s",
    }


def page(text):
    """A section of the runbook: links lead to dashboards, not to files."""
    heading, _, body = text.partition("\n")
    body = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", body)
    for uid, name in (("overview", "Overview"), ("platform", "Platform"), ("workers", "Workers and store")):
        body = body.replace(f"*{name}*", f"[{name}](d/ferry-{uid})")
    return {
        "type": "text",
        "title": heading.lstrip("# "),
        "options": {"mode": "markdown", "content": body.strip()},
        "gridPos": {"w": 12, "h": 9},
    }


def dashboard(uid, title, text, panels):
    x = y = tallest = 0
    for number, made in enumerate(panels):
        place = made["gridPos"]
        if x + place["w"] > 24:
            x, y, tallest = 0, y + tallest, 0
        made["id"] = number + 1
        made["gridPos"] = {"x": x, "y": y, **place}
        x, tallest = x + place["w"], max(tallest, place["h"])
    others = {
        "type": "dashboards",
        "title": "Ferry",
        "tags": ["ferry"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }
    runbook = {"type": "link", "title": "Runbook", "url": RUNBOOK, "targetBlank": True, "icon": "doc"}
    return {
        "uid": uid,
        "title": title,
        "description": text,
        "tags": ["ferry"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [others, runbook],
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}},
                variable("namespace", "Namespace", "label_values(ferry_build_info, namespace)"),
                variable("instance", "Process", f"label_values(ferry_build_info{{{STORE}}}, instance)"),
                variable("account", "Account", f"label_values(ferry_queue_steps{{{STORE}}}, account)"),
            ]
        },
        "annotations": {
            "list": [
                # A new pod is a new series, which has not changed.
                annotation("Starts and deploys", "blue", f"time() - process_start_time_seconds{{{SCRAPED}}} < 120 and on (instance) ferry_build_info{{{SCRAPED}}}", "{{instance}} started"),
                annotation("Pauses", "orange", f"max by (namespace, account) (delta(ferry_account_paused{{{STORE},{ACCOUNT}}}[2m])) > 0", "{{account}} is paused"),
            ]
        },
        "panels": panels,
    }


BREAKER = words((0, "closed"), (0.5, "half-open"), (1, "open"))
STOPPED = [
    (of_store("ferry_account_paused", "account", ACCOUNT), "{{account}} paused"),
    (of_store("ferry_account_throttled", "account", ACCOUNT), "{{account}} throttled"),
    (of_store("ferry_account_breaker_state", "account", ACCOUNT), "{{account}} breaker open"),
]
FINISHED = f"sum(rate(ferry_submissions_finished_total{{{SCRAPED},outcome!=\"cancelled\"}}{INTERVAL}))"
DECIDED = f"sum(rate(ferry_submissions_finished_total{{{SCRAPED},outcome=~\"completed|rejected\"}}{INTERVAL}))"
FAILED = f"sum(rate(ferry_submissions_finished_total{{{SCRAPED},outcome=\"failed\"}}{INTERVAL}))"

OVERVIEW = [
    row("State"),
    stat("Processes", "Processes that are up and scraped.", "none", f"count(ferry_build_info{{{SCRAPED}}})"),
    stat("Decided", "Share of the final submissions that the Platform decided about. A rejection with feedback is a decision, not a failure.", "percentunit", f"{DECIDED} / {FINISHED}"),
    stat("Failed", "Share of the final submissions that Ferry gave up. The alert is about the last hour.", "percentunit", f"{FAILED} / {FINISHED}", "FerryFailuresFast"),
    stat("Oldest ready step", "Age of the oldest ready step. Paused accounts are left out.", "s", of_store("ferry_queue_oldest_ready_seconds", labels=ACCOUNT), "FerryQueueLatency"),
    stat("Held", "Submissions that wait for an operator's decision.", "none", summed("ferry_queue_submissions", labels='state="held"'), "FerryHeldSubmissions"),
    stat("Estimated drain time", "Time for all unfinished submissions at the pace of the last minutes; infinite if there is no progress.", "s", of_store("ferry_queue_drain_estimate_seconds")),
    stat("Paused accounts", "Accounts that run no step until an operator resumes them.", "none", f"sum({of_store('ferry_account_paused', 'account', ACCOUNT)})", "FerryAccountPaused"),
    stat("Platform", "Worst circuit breaker of all accounts.", "none", of_store("ferry_account_breaker_state", labels=ACCOUNT), "FerryPlatformDown", mappings=BREAKER),
    stat("Store", "Durability of the store, by its own check.", "none", f"min(ferry_store_durable{{{STORE}}})", "FerryStoreNotDurable", low=True, mappings=words((0, "not durable"), (1, "durable"))),
    stat("Age of queue metrics", "Time since the queue was last read.", "s", f"time() - {of_store('ferry_queue_metrics_timestamp_seconds')}", "FerryQueueMetricsStale"),
    stat("Worker slots", "Steps that may run at once, of all workers.", "none", f"sum(ferry_worker_slots{{{SCRAPED}}})", "FerryNoWorker", low=True),
    stat("Runnable now", "Ready steps of accounts that are not blocked: more workers would help.", "none", of_store("ferry_queue_runnable_steps")),
    panel("In and out", "Uploads begun, and submissions that became final, by outcome; and submissions that these processes accepted.", "ops", [
        (rate("ferry_submissions_finished_total", SCRAPED, "outcome"), "{{outcome}}"),
        (f"sum(rate(ferry_transitions_total{{{SCRAPED},from=\"queued\",to=\"uploading\"}}{INTERVAL}))", "uploads begun"),
        (f"sum(rate(ferry_submissions_received_total{{{SCRAPED},result=\"accepted\"}}{INTERVAL}))", "accepted here"),
    ]),
    panel("End-to-end latency", "Time from acceptance to the final state. Half took less than p50.", "s", [
        (quantile(0.5, "ferry_submission_duration_seconds", SCRAPED), "p50"),
        (quantile(0.95, "ferry_submission_duration_seconds", SCRAPED), "p95"),
    ]),
    panel("Submissions", "All submissions that are not final, by state.", "none", [(summed("ferry_queue_submissions", "state", 'state!~"completed|rejected|failed|cancelled"'), "{{state}}")], stack=True),
    row("Queue"),
    panel("Steps by state", "What the steps wait for: a worker (ready), their time (scheduled), the Platform (running), a decision (held), `ferry resume` (paused).", "none", [(summed("ferry_queue_steps", "state"), "{{state}}")], stack=True),
    panel("Oldest ready step, by kind", "Age of the oldest ready step of each kind.", "s", [(of_store("ferry_queue_oldest_ready_seconds", "step", ACCOUNT), "{{step}}")], "FerryQueueLatency"),
    panel("Step lag (p99)", "Time from due to claimed, by kind of step. Of uploads this is the backlog; the alert looks at the others.", "s", [(quantile(0.99, "ferry_step_lag_seconds", SCRAPED, "step"), "{{step}}")], "FerryStepLag"),
    panel("Time of a step (p95)", "Time from the claim of a step to its commit: mostly the Platform's own time.", "s", [(quantile(0.95, "ferry_step_duration_seconds", SCRAPED, "step"), "{{step}}")], width=12),
    panel("State changes", "State changes of submissions, by the new state.", "ops", [(rate("ferry_transitions_total", SCRAPED, "to"), "{{to}}")], related=["FerryNoProgress"], width=12),
    row("Causes"),
    panel("Steps by reason", "Runs of steps that left a reason. A throttled step runs again and is no error.", "ops", [(rate("ferry_step_runs_total", f'{SCRAPED},result!="ok"', "result"), "{{result}}")], related=["FerryFailuresFast", "FerryFailuresSlow"]),
    panel("The Platform's responses", "Requests by class; all but ok.", "ops", [(rate("ferry_platform_requests_total", f'{SCRAPED},{ACCOUNT},class!="ok"', "class"), "{{class}}")]),
    panel("Blocked accounts", "1 while an account is paused or throttled, or its circuit breaker is open; 0.5 while it is half-open.", "none", STOPPED, "FerryPlatformDown", width=6),
]

PLATFORM = [
    row("Requests"),
    panel("Duration by endpoint (p95)", "Time from a request to the end of its response.", "s", [(quantile(0.95, "ferry_platform_request_duration_seconds", SCRAPED, "endpoint"), "{{endpoint}}")]),
    panel("Duration of all requests", "Time from a request to the end of its response, of all endpoints.", "s", [(quantile(share, "ferry_platform_request_duration_seconds", SCRAPED), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)]),
    panel("Requests by endpoint", "All requests, by endpoint.", "reqps", [(rate("ferry_platform_requests_total", f"{SCRAPED},{ACCOUNT}", "endpoint"), "{{endpoint}}")], stack=True),
    panel("Requests by result", "no_connection: network, DNS, TLS. no_response: timeouts and resets. server_error: 5xx, 408, 425. throttled: 429, and 503 with Retry-After.", "reqps", [(rate("ferry_platform_requests_total", f"{SCRAPED},{ACCOUNT}", "class"), "{{class}}")], stack=True, width=12),
    panel("Share of failed requests", "By account. Requests that the Platform rejects count too, such as an upload with a dataset name that it has.", "percentunit", [(f'{rate("ferry_platform_requests_total", f"{SCRAPED},{ACCOUNT},class!=" + chr(34) + "ok" + chr(34), "account")} / {rate("ferry_platform_requests_total", f"{SCRAPED},{ACCOUNT}", "account")}', "{{account}}")], width=12),
    row("Throttling and blocked accounts"),
    panel("Learned rate", "Requests in a second that an account makes at most, because the Platform responds 429 to more; 0 if no 429 has shown that.", "reqps", [(of_store("ferry_account_learned_requests_per_second", "account", ACCOUNT), "{{account}}")], width=6),
    panel("Throttled requests", "429, and 503 with Retry-After.", "reqps", [(rate("ferry_platform_requests_total", f'{SCRAPED},{ACCOUNT},class="throttled"', "account"), "{{account}}")], width=6),
    panel("Retry-After", "Delays that the Platform requested.", "s", [(quantile(share, "ferry_platform_retry_after_seconds", SCRAPED), f"p{share * 100:g}") for share in (0.5, 0.95)], width=6),
    panel("Blocked accounts", "1 while an account is paused or throttled, or its circuit breaker is open; 0.5 while it is half-open.", "none", STOPPED, "FerryPlatformDown", width=6),
    row("Access tokens"),
    panel("Access tokens", "Attempts to get one, by result. `denied` pauses the account.", "ops", [(rate("ferry_token_refreshes_total", f"{SCRAPED},{ACCOUNT}", "account, result"), "{{account}} {{result}}")], related=["FerryTokenRefreshFailing"], width=12),
    panel("Time left of the access token", "By account, of the process whose token lasts longest. It is renewed before it ends; an idle account lets it end.", "s", [(f"clamp_min(max by (account) (ferry_token_expiry_timestamp_seconds{{{SCRAPED},{ACCOUNT}}}) - time(), 0)", "{{account}}")], width=12),
    row("Datasets"),
    panel("Polls of a submission", "Polls until a submission was final.", "none", [(quantile(share, "ferry_polls_per_submission", SCRAPED), f"p{share * 100:g}") for share in (0.5, 0.95)]),
    panel("Unknown status words", "Polls that returned a word that is not configured; the log names each once. Add it to `status_failed` or `status_success` if it is final.", "ops", [(f"sum(rate(ferry_unknown_status_total{{{SCRAPED}}}{INTERVAL}))", "unknown")]),
    panel("Ambiguous uploads", "Uploads that may have arrived: another attempt follows, or an operator decides.", "ops", [(f'sum(rate(ferry_step_runs_total{{{SCRAPED},step="upload",result="ambiguous"}}{INTERVAL}))', "ambiguous"), (f'sum(rate(ferry_step_runs_total{{{SCRAPED},step="upload",result="already_exists"}}{INTERVAL}))', "already there")]),
    panel("Sizes (p95)", "Of datasets that were uploaded, and of results and feedback that were fetched.", "bytes", [(quantile(0.95, "ferry_payload_bytes", f'{SCRAPED},direction!="accepted"', "direction"), "{{direction}}")], width=12),
    panel("Throughput", "Bytes of datasets, results and feedback.", "Bps", [(rate("ferry_payload_bytes_sum", SCRAPED, "direction"), "{{direction}}")], width=12),
]

WORKERS = [
    row("Workers"),
    panel("Slots", "Steps that run, and steps that may run at once, by kind.", "none", [(f"sum by (step) (ferry_worker_busy_slots{{{SCRAPED}}})", "{{step}} busy"), (f"sum by (step) (ferry_worker_slots{{{SCRAPED}}})", "{{step}} slots")]),
    panel("Busy slots by process", "The share of slots that are busy. All busy: more workers, or a higher `concurrency`.", "percentunit", [(f"sum by (instance) (ferry_worker_busy_slots{{{SCRAPED}}}) / sum by (instance) (ferry_worker_slots{{{SCRAPED}}})", "{{instance}}")], max=1),
    panel("Steps", "Steps that ended, by kind.", "ops", [(rate("ferry_step_runs_total", SCRAPED, "step"), "{{step}}")]),
    panel("Leases rescued", "Steps that were rescued because their lease expired. A worker that stops releases its steps.", "none", [(f"sum by (instance) (increase(ferry_leases_rescued_total{{{SCRAPED}}}{INTERVAL}))", "{{instance}}")], "FerryWorkerLost"),
    panel("Commit conflicts", "Stale commits: another worker owned the step by then. Rare after a process was suspended; otherwise a sign of too short a `lease`.", "none", [(f"sum by (instance) (increase(ferry_commit_conflicts_total{{{SCRAPED}}}{INTERVAL}))", "{{instance}}")]),
    panel("Versions", "Processes by version: two at once are a deploy.", "none", [(f"count by (version) (ferry_build_info{{{SCRAPED}}})", "{{version}}")]),
    row("Store"),
    panel("Duration by operation (p99)", "Durations of store operations.", "s", [(quantile(0.99, "ferry_store_operation_duration_seconds", SCRAPED, "operation"), "{{operation}}")]),
    panel("Operations", "Store operations; claims and commits take many steps at once.", "ops", [(rate("ferry_store_operation_duration_seconds_count", SCRAPED, "operation"), "{{operation}}")]),
    panel("Errors by kind", "`unavailable` is an outage of the store; the others come from the request.", "ops", [(rate("ferry_store_errors_total", SCRAPED, "kind"), "{{kind}}")]),
    panel("Steps by kind and state", "All steps of the store.", "none", [(summed("ferry_queue_steps", "step, state"), "{{step}} {{state}}")], stack=True),
    panel("Submissions received", "Submission requests that these processes received, by source and result. `ferry submit` runs in a process that is not scraped.", "ops", [(rate("ferry_submissions_received_total", SCRAPED, "source, result"), "{{source}} {{result}}")]),
    panel("Durability, and age of queue metrics", "1 if the durability check passed; and the time since the queue was last read, in minutes.", "none", [(f"min(ferry_store_durable{{{STORE}}})", "durable"), (f"(time() - {of_store('ferry_queue_metrics_timestamp_seconds')}) / 60", "minutes old")], "FerryStoreNotDurable", low=True),
    panel("Data lost", "Losses of data that processes detected in their store, and whether an operator has still to acknowledge one.", "none", [(f"sum by (instance) (ferry_store_data_loss_total{{{SCRAPED}}})", "{{instance}} losses"), (f"max(ferry_store_data_loss_unacknowledged{{{SCRAPED}}})", "not acknowledged")], "FerryStoreLostData"),
    row("Redis, as Ferry sees it; empty with an SQLite store"),
    panel("Memory of Redis", "Memory that the server uses, and `maxmemory`, if it has one. A full store accepts nothing.", "bytes", [(of_store("ferry_redis_memory_bytes"), "used"), (of_store("ferry_redis_memory_limit_bytes"), "maxmemory")], related=["FerryStoreNotDurable"]),
    panel("Append-only file", "Its size. It drops when Redis rewrites the file; 0 if there is none, or the last write to it failed.", "bytes", [(of_store("ferry_redis_aof_bytes"), "size")], related=["FerryStoreNotDurable"]),
    panel("Replicas", "Connected replicas, and bytes by which the last of them is behind.", "none", [(of_store("ferry_redis_replicas"), "replicas"), (of_store("ferry_redis_replica_lag_bytes"), "bytes behind")]),
    row("HTTP API and webhooks"),
    panel("Responses", "Responses of the HTTP API, by the first digit of their status; scrapes and probes are among them.", "reqps", [(rate("ferry_http_requests_total", SCRAPED, "class"), "{{class}}")], stack=True, width=6),
    panel("Duration by route (p95)", "Time from a request to the head of its response, with the delay of `wait`.", "s", [(quantile(0.95, "ferry_http_request_duration_seconds", SCRAPED, "route"), "{{route}}")], width=6),
    panel("Requests in flight", "Requests in flight, of the `max_concurrent_requests` at once; probes and scrapes are left out.", "none", [(f"sum by (instance) (ferry_http_requests_in_flight{{{SCRAPED}}})", "{{instance}}")], width=6),
    panel("Webhooks", "Delivery attempts, by result. A failed delivery is retried and does not change the submission.", "ops", [(rate("ferry_webhook_deliveries_total", SCRAPED, "result"), "{{result}}")], related=["FerryWebhooksFailing"], width=6),
    panel("Webhooks abandoned", "Webhooks that failed at their last attempt, in an hour.", "none", [(f"sum(increase(ferry_webhooks_abandoned_total{{{SCRAPED}}}[1h]))", "abandoned")], "FerryWebhooksAbandoned", width=6),
    panel("Certificate", "Time for which the certificate of each server is valid.", "s", [(f"ferry_certificate_expires_timestamp_seconds{{{SCRAPED}}} - time()", "{{instance}}")], "FerryCertificateExpires", low=True, width=6),
    row("Processes"),
    panel("CPU", "Cores that each process uses.", "none", [(f"rate(process_cpu_seconds_total{{{SCRAPED}}}{INTERVAL}) and ferry_build_info{{{SCRAPED}}}".replace(" and ferry", " and on (instance) ferry"), "{{instance}}")]),
    panel("Memory", "Resident memory of each process; it does not grow with the backlog.", "bytes", [(f"process_resident_memory_bytes{{{SCRAPED}}} and on (instance) ferry_build_info{{{SCRAPED}}}", "{{instance}}")]),
    panel("Open files", "Of each process, and how many it may open.", "none", [(f"process_open_fds{{{SCRAPED}}} and on (instance) ferry_build_info{{{SCRAPED}}}", "{{instance}}")]),
]

DASHBOARDS = {
    "overview.json": dashboard("ferry-overview", "Ferry: Overview", "Whether all is fine, what waits, and why.", OVERVIEW),
    "platform.json": dashboard("ferry-platform", "Ferry: Platform", "Responses of the Platform, and their time.", PLATFORM),
    "workers.json": dashboard("ferry-workers", "Ferry: Workers and store", "Slots, rescued leases, operations of the store, and processes.", WORKERS),
    # It asks nothing.
    "runbook.json": dashboard("ferry-runbook", "Ferry: Runbook", "What each alert means, what to check, and what to do.", [page(text) for text in SECTIONS])
    | {"templating": {"list": []}, "annotations": {"list": []}},
}


def main():
    stale = []
    for name, made in DASHBOARDS.items():
        path, text = HERE / name, json.dumps(made, indent=1) + "\n"
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"not up to date, run dashboards/generate.py: {', '.join(stale)}")


if __name__ == "__main__":
    main()
