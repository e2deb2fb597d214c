"""How the feed is doing: as JSON for the page, as Prometheus text for a monitor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imconvert import __version__
from imconvert.errors import ImconvertError
from imconvert.serve.clerk import Clerk
from imconvert.serve.feed import Feed

RATE_OVER = 60_000
"""Milliseconds over which the rate is taken."""

_TITLES = {"shard": "output", "bulk": "handed over", "spool": "spool"}


def facts(clerk: Clerk, now: int) -> dict[str, Any]:
    """The status at `now` (ms)."""
    feed = clerk.feed
    sent = feed.state.windows
    last = sent[-1] if sent else None
    records, size = feed.backlog()
    recent = sum(window.records for window in sent if window.at > now - RATE_OVER)
    trouble = clerk.trouble
    return {
        "version": __version__,
        "state": "trouble" if trouble else "starting" if clerk.behind else "serving",
        "why": trouble.text() if trouble else None,
        "why_zh": trouble.text("zh") if trouble else None,
        "delivered_until_ms": last.until if last else None,
        "delivered_records": last.total if last else 0,
        "delivered_bytes": last.total_bytes if last else 0,
        "backlog": {"records": records, "bytes": size},
        "last_pull": _pull(feed),
        "rate_records_per_s": round(recent * 1000 / RATE_OVER, 2),
        "next_window": _next(feed),
        "held": clerk.taker.held,
        "sources": _sources(feed),
        "ingested_records": clerk.receiver.ingested,
        "rejected_records": clerk.receiver.rejected,
        "known_keys": len(clerk.index),
        "unconfirmed": clerk.taker.judge.unconfirmed,
    }


def _pull(feed: Feed) -> dict[str, Any] | None:
    if not feed.state.windows:
        return None
    last = feed.state.windows[-1]
    return {"at_ms": last.at, "records": last.records, "bytes": last.bytes, "seconds": round(last.seconds, 3)}


def _next(feed: Feed) -> dict[str, Any] | None:
    try:
        window = feed.upcoming()
    except ImconvertError:
        return None
    return {"from_ms": window.first, "until_ms": window.last, "records": window.records} if window.records else None


def _sources(feed: Feed) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for file in feed.state.files:
        name = str(Path(file.path).parent)
        source = found.setdefault(
            (name, file.kind),
            {"name": name, "kind": _TITLES[file.kind], "files": 0, "records": 0, "left_out": 0, "first_ms": 0,
             "last_ms": 0},
        )  # fmt: skip
        source["files"] += 1
        source["records"] += max(file.lines, file.records)
        source["left_out"] += file.left_out
        source["first_ms"] = min(filter(None, (source["first_ms"], file.first)), default=0)
        source["last_ms"] = max(source["last_ms"], file.last)
    return list(found.values())


def metrics(found: dict[str, Any], requests: dict[tuple[str, int], int]) -> bytes:
    """The same for Prometheus, and the requests by what was asked for and status."""
    last = found["last_pull"] or {"at_ms": 0}
    values = [
        ("imconvert_feed_up", "gauge", "1 unless the feed is in trouble", int(found["state"] != "trouble")),
        ("imconvert_feed_delivered_records_total", "counter", "Records delivered", found["delivered_records"]),
        ("imconvert_feed_delivered_bytes_total", "counter", "Bytes of these records", found["delivered_bytes"]),
        ("imconvert_feed_backlog_records", "gauge", "Records not delivered yet", found["backlog"]["records"]),
        ("imconvert_feed_backlog_bytes", "gauge", "Bytes not delivered yet", found["backlog"]["bytes"]),
        ("imconvert_feed_ingested_records_total", "counter", "Records taken in since the start",
         found["ingested_records"]),
        ("imconvert_feed_rejected_records_total", "counter", "Records refused since the start",
         found["rejected_records"]),
        ("imconvert_feed_held_records", "gauge", "Records held back", found["held"]),
        ("imconvert_feed_known_keys", "gauge", "Keys in the index", found["known_keys"]),
        ("imconvert_feed_unconfirmed_records_total", "counter",
         "Records left out or held whose earlier line could not be read to compare the keys", found["unconfirmed"]),
        ("imconvert_feed_proxied_pulls_total", "counter", "Pulls that came through a proxy since the start",
         found["proxied_pulls"]),
        ("imconvert_feed_last_delivery_timestamp_seconds", "gauge", "When a window was last delivered",
         last["at_ms"] / 1000),
        ("imconvert_feed_delivered_until_timestamp_seconds", "gauge", "Time of the last record delivered",
         (found["delivered_until_ms"] or 0) / 1000),
    ]  # fmt: skip
    lines = []
    for name, kind, text, value in values:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {value}"]
    name = "imconvert_http_requests_total"
    lines += [f"# HELP {name} Requests by what was asked for and status", f"# TYPE {name} counter"]
    lines += [
        f'{name}{{what="{what}",status="{status}"}} {count}' for (what, status), count in sorted(requests.items())
    ]
    return "\n".join([*lines, ""]).encode()
