"""The status page, in a real browser: one glance tells the truth, and nothing in the data can steer it."""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from email.utils import formatdate
from hashlib import sha256
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import browser as browsers
from support.browser import Browser, open_browser
from support.fake_feed import p2p
from support.serve_process import Server

from imconvert.serve import page

in_browser = pytest.mark.skipif(browsers.missing, reason="chromium and chromedriver are not installed")
HOSTILE = """"'><script>document.title="owned"</script><img src=x onerror="document.title='owned'">&amp;@STATUS@ {n}"""


def now() -> int:
    return int(time.time() * 1000)


def facts(**more: Any) -> dict[str, Any]:
    """A status in which all is well, changed as asked."""
    pulled = {"at_ms": now() - 30_000, "records": 4812, "bytes": 1_840_000, "seconds": 0.31}
    well = {
        "version": "9.9", "state": "serving", "why": None, "delivered_until_ms": now() - 190_000,
        "delivered_records": 990_000, "backlog": {"records": 0, "bytes": 0}, "last_pull": pulled,
        "rate_records_per_s": 0, "next_window": None, "held": 0, "ingested_records": 40_000,
        "sources": [{"name": "/data/out", "kind": "output", "records": 950_000}],
    }  # fmt: skip
    return well | more


WAITING = {"backlog": {"records": 10_000, "bytes": 4_000_000}}
AGO = {"at_ms": 0, "records": 1, "bytes": 1, "seconds": 1}

# --- without a browser ---


class Parts(HTMLParser):
    """The content of each style and script, and the attributes of the body."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: dict[str, str] = {}
        self.body: dict[str, str | None] = {}
        self.outside: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        if tag == "body":
            self.body = dict(attrs)
        self.outside += [
            value or "" for name, value in attrs if name in ("src", "href", "style") or name.startswith("on")
        ]

    def handle_data(self, data: str) -> None:
        if self._within in ("style", "script"):
            self.inline[self._within] = self.inline.get(self._within, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._within = ""


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    found = Parts(page.render(b"null").decode()).inline
    rules = dict(rule.split(" ", 1) for rule in page.policy().split("; "))
    for name in ("style", "script"):
        digest = b64encode(sha256(found[name].encode()).digest()).decode()
        assert f"'sha256-{digest}'" == rules[f"{name}-src"]
    assert "'none'" == rules["default-src"]
    assert "unsafe" not in page.policy()


def test_nothing_comes_from_elsewhere() -> None:
    text = page.render(b"null").decode()
    assert ["data:,", "status.json"] == Parts(text).outside
    assert [] == re.findall(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)


def test_the_status_is_data() -> None:
    status = json.dumps(facts(why=HOSTILE)).encode()
    body = Parts(page.render(status).decode()).body
    assert json.loads(status) == json.loads(str(body["data-status"]))
    assert page.render(status).count(b"<script>") == 1


def test_the_language_is_one_of_two() -> None:
    assert b'<html lang="zh"' in page.render(lang="zh")
    assert b'<html lang="en"' in page.render(lang='"><script>')


# --- in one ---


class Site:
    """Serves the page and a status that the test changes, under a path with a token."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = facts()
        self.code = 200
        self.down = False
        self.url = ""
        self.asked: list[str] = []

    def reply(self, path: str) -> tuple[int, str, bytes]:
        self.asked.append(path)
        if path == "/secret-token/status":
            return 200, "text/html", page.render(json.dumps(self.status).encode())
        if path == "/secret-token/status.json":
            return self.code, "application/json", json.dumps(self.status).encode()
        return 404, "text/plain", b""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, kind, body = found.reply(self.path)
            if found.down:
                self.close_connection = True
                return
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", page.policy())
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(timestamp, usegmt=True)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/secret-token/status"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def window(site: Site, chromium: Browser) -> Iterator[Browser]:
    """The page, fresh, in English, with all well; nobody complained at the end."""
    site.status, site.code, site.down = facts(), 200, False
    chromium.look()
    chromium.open(site.url)
    chromium.run("localStorage.clear()")
    chromium.complaints()
    yield chromium
    assert [line for line in chromium.complaints() if "status.json" not in line] == []


def shown(window: Browser, site: Site, status: dict[str, Any]) -> Callable[[str], str]:
    site.status = status
    window.open(site.url)
    return window.text


def wait_for(found: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


MOODS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "all delivered": ({}, "well", "Everything is delivered", "全部已交付"),
    "catching up": (WAITING | {"rate_records_per_s": 500}, "busy", "Catching up", "正在追平"),
    "between pulls": (WAITING, "busy", "10,000 records wait for the next pull", "10,000 条等待下次拉取"),
    "never pulled": (WAITING | {"last_pull": None}, "waiting", "Waiting for the first pull", "等待首次拉取"),
    "nothing there": ({"last_pull": None, "delivered_records": 0, "delivered_until_ms": None}, "waiting",
                      "Ready; there is nothing to deliver yet", "就绪，暂无可交付的数据"),
    "starting": ({"state": "starting"}, "waiting", "Starting", "正在启动"),
    "held": (WAITING | {"held": 1}, "care", "1 record held back", "1 条被扣留"),
    "silent": (WAITING | {"last_pull": AGO | {"at_ms": now() - 3 * 86_400_000}}, "care", "No pull for 3 days",
               "已有 3天没有拉取"),
    "unknown": ({"state": "draining"}, "care", "draining", "draining"),
    "trouble": ({"state": "trouble", "held": 4, "why": "IMC-6041"}, "bad", "The feed is in trouble",
                "增量接口出现故障"),
}  # fmt: skip


@in_browser
@pytest.mark.parametrize("name", MOODS)
def test_one_glance(name: str, window: Browser, site: Site) -> None:
    more, mood, english, chinese = MOODS[name]
    read = shown(window, site, facts(**more))
    assert (mood, english) == (window.run("return document.documentElement.dataset.mood"), read("verdict"))
    assert english in window.run("return document.title")
    window.run("document.getElementById('language').click()")
    assert chinese == read("verdict")
    assert window.run("return document.documentElement.lang") == "zh-CN"


@in_browser
def test_the_figures(window: Browser, site: Site) -> None:
    day = 1_772_000_000_000
    following = {"from_ms": day, "until_ms": day + 3_600_000, "records": 5000}
    status = facts(**WAITING, rate_records_per_s=12.34, next_window=following, held=2)
    read = shown(window, site, status)
    assert ("10,000", "3.8 MiB") == (read("backlog"), read("backlog-note"))
    assert read("last") in ("30 sec. ago", "31 sec. ago")
    assert read("why").startswith("Same key as another record and other content, or damaged: see held.ndjson")
    assert "4,812 records, 1.8 MiB in 0.31 seconds" == read("last-note")
    assert ("12/s", "done in about 14 minutes") == (read("rate"), read("rate-note"))
    assert "5,000 records" == read("next")
    assert re.fullmatch(r"Feb 2\d \d\d:13:20 – (Feb 2\d )?\d\d:13:20", read("next-note"))
    assert ("2", "same key, other content") == (read("held"), read("held-note"))
    assert ("40,000", "990,000 of 1,000,000 records · 99 %") == (read("ingested"), read("share"))
    assert "99" == window.run("return document.getElementById('bar').getAttribute('aria-valuenow')")
    assert re.sub(r"\s+", " ", read("sources")) == "Sources /data/out output 950,000 records"
    assert ("imconvert 9.9", "3 min. ago") == (read("version"), read("age"))


@in_browser
def test_what_is_left_out_of_a_source_is_said(window: Browser, site: Site) -> None:
    read = shown(window, site, facts(sources=[{"name": "/o", "kind": "output", "records": 90, "left_out": 7}]))
    assert re.sub(r"\s+", " ", read("sources")) == "Sources /o output 90 records, 7 left out"


@in_browser
def test_it_follows_without_being_loaded_again(window: Browser, site: Site) -> None:
    window.run("window.mark = 1")
    for left in (8000, 3000, 0):
        site.status = facts(backlog={"records": left, "bytes": left * 400}, rate_records_per_s=900)
        wait_for(lambda left=left: window.text("backlog") == f"{left:,}")  # type: ignore[misc]
    assert window.text("verdict") == "Everything is delivered"
    assert window.run("return document.querySelector('#trend polyline').getAttribute('points')")
    assert window.run("return window.mark") == 1


@in_browser
def test_it_says_when_the_feed_is_gone_and_comes_back(window: Browser, site: Site) -> None:
    site.down = True
    wait_for(lambda: window.text("verdict") == "No connection to the feed")
    assert window.text("why").startswith("What you see is as of ")
    assert window.text("share") == "990,000 of 990,000 records · 100 %"
    site.down, site.code = False, 401
    wait_for(lambda: window.text("verdict") == "The feed refuses this page")
    assert "401" in window.text("why")
    site.code = 200
    wait_for(lambda: window.text("verdict") == "Everything is delivered")


@in_browser
def test_data_never_becomes_markup(window: Browser, site: Site) -> None:
    names = [HOSTILE, {"name": HOSTILE, "kind": HOSTILE, "records": 1}]
    read = shown(window, site, facts(state="trouble", why=HOSTILE, version=HOSTILE, sources=names))
    assert HOSTILE == read("why")
    time.sleep(0.3)
    assert "owned" not in window.run("return document.title")
    assert window.run("return document.images.length + document.querySelectorAll('script').length") == 1
    assert HOSTILE in read("sources")


@in_browser
def test_it_asks_beside_itself_and_nowhere_else(window: Browser, site: Site) -> None:
    site.asked.clear()
    window.open(site.url)
    wait_for(lambda: site.asked.count("/secret-token/status.json") >= 2)
    assert {"/secret-token/status", "/secret-token/status.json"} == set(site.asked)
    names = window.run("return performance.getEntriesByType('resource').map(one => one.name)")
    assert {site.url + ".json"} == {name for name in names if not name.startswith("data:")}


@in_browser
def test_the_language_is_remembered(window: Browser, site: Site) -> None:
    window.run("document.getElementById('language').click()")
    window.open(site.url)
    assert window.text("verdict") == "全部已交付"


LUMINANCE = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function light(color) {
  canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
  const linear = c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(c => linear(c / 255));
  return .2126 * r + .7152 * g + .0722 * b;
}
const paper = light(getComputedStyle(document.documentElement).backgroundColor), low = [];
for (const one of document.querySelectorAll("h1, p, span, strong, dt, dd, small, td, caption, button, b")) {
  if (!one.innerText) continue;
  const ink = light(getComputedStyle(one).color);
  const ratio = (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
  if (ratio < 4.5) low.push(`${one.id || one.tagName} ${ratio.toFixed(2)}`);
}
return [paper, low];
"""


TOO_WIDE = """
const all = [...document.querySelectorAll("body *")].filter(one => !one.closest("svg"));
return all.filter(one => one.getBoundingClientRect().right > WIDTH + 1).map(one => one.id || one.tagName);
"""


@in_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1400])
def test_it_fits_and_can_be_read(width: int, dark: bool, window: Browser, site: Site) -> None:
    window.look(width=width, dark=dark)
    long = [{"name": "/data/" + "a-long-folder-name" * 6, "kind": "output", "records": 123_456_789}]
    huge = {"records": 1_234_567_890, "bytes": 1 << 42}
    shown(
        window,
        site,
        facts(backlog=huge, held=1_234_567, rate_records_per_s=98_765.4, sources=long, ingested_records=10**10),
    )
    assert window.run("return document.documentElement.scrollWidth") <= width
    paper, low = window.run(LUMINANCE)
    assert [] == low
    assert dark == (paper < 0.1)
    assert window.run(TOO_WIDE.replace("WIDTH", str(width))) == []


@in_browser
def test_it_can_be_used_by_keyboard_and_ear(window: Browser, site: Site) -> None:
    tree = window.devtools("Accessibility.getFullAXTree")["nodes"]
    roles = {node["role"]["value"]: node.get("name", {}).get("value") for node in tree if not node.get("ignored")}
    assert roles["button"] == "中文"
    assert roles["progressbar"] == "Delivered up to"
    assert "status" in roles or "heading" in roles


@in_browser
def test_pictures_can_be_taken(window: Browser, tmp_path: Path) -> None:
    window.look(width=390, dark=True)
    window.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# --- with the real server ---


@in_browser
def test_the_real_server_shows_it_and_keeps_it_fresh(tmp_path: Path, chromium: Browser) -> None:
    """Under the token in the path, with the server's own headers: nothing is refused, and pulls are seen."""
    chromium.look()
    with Server(tmp_path) as server, httpx.Client(trust_env=False, headers=server.headers) as client:
        server.ingest(*(p2p(number) for number in range(1, 31)))
        chromium.open(server.at(f"/{server.token}/status"))
        chromium.run("localStorage.clear()")
        chromium.open(server.at(f"/{server.token}/status"))
        wait_for(lambda: chromium.text("verdict") == "Waiting for the first pull")
        assert chromium.text("backlog") == "30"
        assert len(client.get(server.url).json()["data"]) == 30
        wait_for(lambda: chromium.text("verdict") == "Everything is delivered")
        assert chromium.text("share") == "30 of 30 records · 100 %"
        assert "spool" in chromium.text("sources")
        server.ingest(p2p(1, "other"))
        wait_for(lambda: chromium.text("verdict") == "1 record held back")
        chromium.open(server.at("/status"))
        assert "30" not in chromium.run("return document.body.innerText")
    assert [line for line in chromium.complaints() if "401" not in line] == []
