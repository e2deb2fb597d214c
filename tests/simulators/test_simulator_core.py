"""What the simulators share: windows that slide, mishaps from a seed, a store, and how mishaps look on the wire."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulated import Simulated, simulated
from support.vendor_calls import Easemob, Tencent, usersig

from imconvert.errors import UsageError
from imconvert.simulators import easemob, rongcloud, tencent
from imconvert.simulators.core import admin
from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.clock import Clock
from imconvert.simulators.core.faults import AFTER, BEFORE, KINDS, Draws, Plan, read_plan, read_shares
from imconvert.simulators.core.rates import Limit, Rates, Window, read_limit
from imconvert.simulators.core.routes import Routes
from imconvert.simulators.core.run import Choice, build
from imconvert.simulators.core.store import Store
from imconvert.simulators.core.vendor import Endpoint, Vendor
from imconvert.simulators.yunxin import server as yunxin

VENDORS = (tencent.VENDOR, easemob.VENDOR, rongcloud.VENDOR, yunxin.VENDOR)
every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)

# --- windows ---

TICKS = st.lists(st.integers(0, 300), min_size=1, max_size=120).map(sorted)
"""Times in 64ths of a second, so that sums and differences are exact."""


@given(TICKS, st.integers(1, 6), st.sampled_from([16, 64, 128]))
def test_no_stretch_holds_more_than_its_limit(ticks: list[int], calls: int, span: int) -> None:
    window, taken = Window(Limit(calls, span / 64)), []
    for tick in ticks:
        if not window.wait(tick / 64):
            window.take(tick / 64)
            taken.append(tick)
    for first in taken:
        assert sum(first <= tick < first + span for tick in taken) <= calls


@given(TICKS, st.integers(1, 6), st.sampled_from([16, 64, 128]))
def test_a_call_is_refused_only_if_it_has_to_be_and_for_as_long_as_it_has_to(
    ticks: list[int], calls: int, span: int
) -> None:
    window, taken = Window(Limit(calls, span / 64)), []
    for tick in ticks:
        wait = window.wait(tick / 64)
        if wait:
            recent = [one for one in taken if one > tick - span]
            assert len(recent) == calls
            assert wait == (recent[0] + span - tick) / 64
        else:
            window.take(tick / 64)
            taken.append(tick)


@given(TICKS, st.integers(1, 4), st.integers(1, 200))
def test_a_block_lasts_from_the_first_refusal(ticks: list[int], calls: int, block: int) -> None:
    window, blocked_until = Window(Limit(calls, 1.0, block / 64)), -1
    for tick in ticks:
        wait = window.wait(tick / 64)
        if tick < blocked_until:
            assert wait == (blocked_until - tick) / 64
        elif wait:
            assert wait == block / 64
            blocked_until = tick + block
        else:
            window.take(tick / 64)


def test_several_windows_take_a_call_together_or_not_at_all() -> None:
    rates = Rates({"calls": Limit(10), "messages": Limit(3)})
    assert [0.0, 1.0, 0.0] == [rates.wait(("calls", "messages"), 5.0, more) for more in (2, 2, 1)]
    assert [0.0] * 7 == [rates.wait(("calls",), 5.0) for _ in range(7)]
    assert rates.wait(("calls",), 5.0) > 0


def test_a_window_can_be_everybodys_own() -> None:
    rates = Rates({"messages": Limit(1)})
    assert [0.0, 0.0] == [rates.wait_of("messages", group, 1.0) for group in ("a", "b")]
    assert rates.wait_of("messages", "a", 1.5) == 0.5


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("100", Limit(100)),
        ("120/1m", Limit(120, 60.0)),
        ("5/0.5s", Limit(5, 0.5)),
        ("100/1s/10s", Limit(100, 1.0, 10.0)),
    ],
)
def test_rates_are_read(text: str, limit: Limit) -> None:
    assert limit == read_limit(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "10/", "10/s/", "x", "10/1d"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        read_limit(text)


# --- mishaps ---

THIRTY = read_shares("reset=10%,reset-after=10%,busy=10%")


def drawn(seed: int, bodies: list[bytes], plan: Plan = THIRTY) -> dict[tuple[bytes, int], Any]:
    """The mishap of each body at each of its attempts."""
    draws, times, found = Draws(plan, seed), Counter[bytes](), {}
    for body in bodies:
        found[body, times[body]] = draws.of("importmsg", body)
        times[body] += 1
    return found


@given(st.permutations([b"a", b"b", b"c", b"a", b"a", b"b"] * 5), st.integers(0, 1 << 70))
def test_the_same_seed_gives_a_message_the_same_mishaps_in_any_order(bodies: list[bytes], seed: int) -> None:
    assert drawn(seed, sorted(bodies)) == drawn(seed, bodies)


def test_another_seed_gives_others() -> None:
    bodies = [str(number).encode() for number in range(300)]
    assert drawn(1, bodies) != drawn(2, bodies)


def test_shares_come_true() -> None:
    draws = Draws(THIRTY, 5)
    for number in range(20_000):
        draws.of("importmsg", str(number).encode())
    kinds = draws.told()["kinds"]
    assert {"reset", "reset-after", "busy"} == kinds.keys()
    assert all(1_800 < count < 2_200 for count in kinds.values())


def test_only_batches_fail_in_part() -> None:
    draws = Draws(read_shares("partial=100%"), 1)
    assert draws.of("importmsg", b"x") is None
    assert draws.of("import_group_msg", b"x", batch=True) is not None


def test_later_patterns_decide_and_callbacks_are_meant_only_by_their_name() -> None:
    plan = read_plan('["*"]\nreset = "10%"\n["import*"]\nreset = 0\nstall = 1.0\n[callback]\nlost = "50%"')
    draws = Draws(plan, 1)
    assert [{"reset": 0.0, "stall": 1.0}, {"reset": 0.1}, {"lost": 0.5}] == [
        draws.shares_of(name) for name in ("importmsg", "sendmsg", "callback")
    ]


def test_calm_before_and_behind() -> None:
    draws = Draws(read_plan('calm-first = 2\ncalm-after = 4\n["*"]\nreset = "100%"'), 1)
    assert [False, False, True, True, False] == [draws.of("x", b"") is not None for _ in range(5)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[", "Invalid|Expected"),
        ('["*"]\nresets = 1', "no mishap 'resets'"),
        ('["*"]\nlost = 1', "no mishap 'lost'"),
        ("[callback]\nreset = 1", "no mishap 'reset'"),
        ('["*"]\nreset = "120%"', "is a share"),
        ('["*"]\nreset = true', "is a share"),
        ('["*"]\nreset = 0.6\nstall = 0.6', "exceed 100%"),
        ("stalls = 1", "there is no stalls"),
        ("stall = -1", "0 or more"),
        ('stall = "30s"', "0 or more"),
    ],
)
def test_a_plan_with_a_mistake_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_plan(text)


@pytest.mark.parametrize(
    "text", ['["importmsgs"]\nreset = 1', '["*"]\nreset = 0.6\n["importmsg"]\nstall = 0.6'], ids=["name", "sum"]
)
def test_a_plan_has_to_fit_the_vendor(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        build(tencent.VENDOR, Choice(plan=read_plan(text)), Clock(time.time, time.monotonic))
    assert refused.value.code == "IMC-1292"


@given(st.integers(1, (1 << 61) - 1), st.integers(1, 120))
def test_a_batch_fails_in_part_only(number: int, size: int) -> None:
    call: Any = Call.__new__(Call)
    call.spoils = number
    found = call.spoiled(size)
    assert found <= set(range(size))
    assert 1 <= len(found) <= max(1, size - 1)


def test_without_a_mishap_nothing_fails() -> None:
    call: Any = Call.__new__(Call)
    call.spoils = 0
    assert set() == call.spoiled(7)


# --- routes, store, building ---


def test_routes_find_whole_paths_before_parts() -> None:
    here: Any = lambda call: None
    paths = {"find": "/users/get", "user": "/users/{user}", "friend": "/users/{user}/friends/{friend}"}
    table = [Endpoint(name, "GET", path, here) for name, path in paths.items()]
    routes = Routes(table, lambda path: f"/app{path}")
    found = [routes.find("GET", path) for path in
             ("/app/users/get", "/app/users/a%2Fb", "/app/users/a/friends/b", "/app/users/", "/users/a")]  # fmt: skip
    assert [("find", {}), ("user", {"user": "a/b"}), ("friend", {"user": "a", "friend": "b"}), None, None] == [
        one and (one[0].name, dict(one[1])) for one in found
    ]
    assert routes.find("POST", "/app/users/get") is None


@every_vendor
def test_endpoints_have_names_rates_and_paths_of_their_own(vendor: Vendor) -> None:
    assert len({(one.method, one.path) for one in vendor.endpoints}) == len(vendor.endpoints)
    assert set() == {rate for one in vendor.endpoints for rate in one.rates} - vendor.limits.keys()


@every_vendor
def test_every_module_names_the_section_it_follows(vendor: Vendor) -> None:
    modules = {one.run.__module__ for one in vendor.endpoints}
    texts = {name: __import__(name, fromlist=["x"]).__doc__ or "" for name in modules}
    assert [] == [name for name, text in texts.items() if f"{vendor.name}.md §" not in text]


def made(path: Path, vendor: Vendor = tencent.VENDOR) -> Store:
    return Store(path, vendor.name, vendor.tables)


def test_a_store_is_found_again(tmp_path: Path) -> None:
    with_row = made(tmp_path / "state.db")
    with_row.run("INSERT INTO accounts VALUES ('ann', '{}', 1)")
    with_row.close()
    again = made(tmp_path / "state.db")
    assert again.column("SELECT id FROM accounts") == ["ann"]
    again.close()


@pytest.mark.parametrize("what", ["text", "database", "other vendor"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state.db"
    if what == "text":
        path.write_text("no database\n" * 200)
    elif what == "database":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE mine (x)")
        db.close()
    else:
        made(path, easemob.VENDOR).close()
    before = path.read_bytes()
    with pytest.raises(UsageError) as refused:
        made(path)
    assert refused.value.code in ("IMC-1290", "IMC-1161")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice(settings={"sizes": "1"}), "no setting sizes"),
        (Choice(settings={"size": "x"}), "is a number"),
        (Choice(settings={"equal_seconds": "maybe"}), "is one of"),
        (Choice(limits={"importmsgs": Limit(1)}), "no rate importmsgs"),
    ],
)
def test_wrong_settings_are_refused(choice: Choice, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        build(tencent.VENDOR, choice, Clock(time.time, time.monotonic))
    assert refused.value.code == "IMC-1291"
    assert why in refused.value.text("en")


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    store = made(tmp_path / "state.db")
    assert [1, 2, 3] == [store.next("a") for _ in range(3)]
    assert [10, 11, 12, 50] == [store.above("b", least) for least in (10, 5, 12, 50)]
    store.close()


# --- mishaps on the wire ---

ONCE = 'stall = 0.3\npause = 0.01\nretry-after = 7\n["importmsg"]\n"{kind}" = 1.0'


def kept(sim: Simulated) -> int:
    return len(sim.rows("export/messages"))


def seen(client: Tencent) -> Any:
    """What a client gets: status and JSON, status alone, or the name of the failure."""
    try:
        reply = client.send("importmsg", client.message(1))
    except httpx.HTTPError as why:
        return type(why).__name__
    try:
        return reply.status_code, reply.json().get("ErrorCode") if isinstance(reply.json(), dict) else None
    except ValueError:
        return (reply.status_code,)


LOST = ("ReadError", "RemoteProtocolError")
EXPECTED: dict[str, tuple[Any, int]] = {
    "429": ([(429,)], 0), "429-after": ([(429,)], 0), "5xx": ([(500,), (502,), (503,), (504,)], 0),
    "busy": (None, 0), "expired": ([(200, 70001)], 0), "reset": (LOST, 0), "hang": (LOST, 0),
    "5xx-after": ([(502,), (504,)], 1), "malformed": ([(200,), (200, None)], 1), "truncated": ([(200,)], 1),
    "cut": (LOST, 1), "reset-after": (LOST, 1), "slow-head": ([(200, 0)], 1), "slow-body": ([(200, 0)], 1),
    "stall": ([(200, 0)], 1), "reply-twice": ([(200, 0)], 1), "applied-twice": ([(200, 0)], 1),
    "partial": ([(200, 0)], 1),
}  # fmt: skip
"""What a client may see, and how many messages are kept."""


def test_every_kind_of_mishap_is_expected() -> None:
    assert KINDS.keys() == EXPECTED.keys()
    assert {0} == {EXPECTED[kind][1] for kind in BEFORE}
    assert {1} == {EXPECTED[kind][1] for kind in AFTER}


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_mishap_on_the_wire(kind: str) -> None:
    outcomes, count = EXPECTED[kind]
    with simulated(tencent.VENDOR, faults=ONCE.format(kind=kind)) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        found = seen(client)
        if outcomes is None:
            assert found[0] == 200
            assert found[1] in (60007, 60008, 60011, 60014, 60018, 91000, 90994, 10002, 70500)
        else:
            assert found in outcomes
        assert kept(sim) == count
        told = {} if kind == "partial" else {"importmsg": {kind: 1}}
        assert sim.ask("faults")["endpoints"] == told
        assert [kind if told else None] == [row["fault"] for row in sim.rows("arrivals")][1:]


def test_retry_after_is_sent_where_it_is_planned() -> None:
    for kind, header in (("429", None), ("429-after", "7")):
        with simulated(tencent.VENDOR, faults=ONCE.format(kind=kind)) as sim, Tencent(sim) as client:
            assert client.send("importmsg", {}).headers.get("retry-after") == header


def test_a_stall_and_a_hang_take_their_time() -> None:
    for kind in ("stall", "hang"):
        with simulated(tencent.VENDOR, faults=ONCE.format(kind=kind)) as sim, Tencent(sim) as client:
            start = time.monotonic()
            seen(client)
            assert time.monotonic() - start >= 0.3


def raw_request(client: Tencent) -> bytes:
    body = json.dumps(client.message(1)).encode()
    query = httpx.QueryParams(client.query(usersig=usersig()))
    head = f"POST /v4/openim/importmsg?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read_all(end: socket.socket, until: int) -> bytes:
    """Everything that comes until `until` answers begin, or the other side closes."""
    found = b""
    while found.count(b"HTTP/1.1") < until or not found.endswith(b"}"):
        part = end.recv(65536)
        if not part:
            break
        found += part
    return found


def test_a_reply_comes_twice_on_the_same_connection() -> None:
    with simulated(tencent.VENDOR, faults=ONCE.format(kind="reply-twice")) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        url = httpx.URL(sim.url)
        with socket.create_connection((url.host, url.port or 0), timeout=10) as end:
            end.sendall(raw_request(client))
            found = read_all(end, 2)
    first, second = found.split(b"HTTP/1.1")[1:]
    assert first.partition(b"\r\n\r\n")[2] == second.partition(b"\r\n\r\n")[2]
    assert b'"ErrorCode":0' in first


def test_a_head_comes_in_pieces() -> None:
    with (
        simulated(tencent.VENDOR, faults='pause = 0.05\n["importmsg"]\nslow-head = 1.0') as sim,
        Tencent(sim) as client,
    ):
        client.accounts("ann", "bob")
        url = httpx.URL(sim.url)
        with socket.create_connection((url.host, url.port or 0), timeout=10) as end:
            end.sendall(raw_request(client))
            parts = [end.recv(65536)]
            while parts[-1]:
                parts.append(end.recv(65536))
    assert len(parts) > 4
    assert b"".join(parts).startswith(b"HTTP/1.1 200 OK\r\n")


def test_applied_twice_matters_where_nothing_is_told_apart() -> None:
    """Tencent knows a message again; Easemob refuses the second by its order, or keeps it if that is off."""
    plan = '["messages/users/import"]\n"applied-twice" = 1.0'
    for order, count, status in (("enforce", 1, 400), ("off", 2, 200)):
        with simulated(easemob.VENDOR, faults=plan, settings={"order": order}) as sim, Easemob(sim) as client:
            reply = client.send("POST", "/messages/users/import", json=client.message(1_700_000_000_000))
            assert (status, count) == (reply.status_code, kept(sim))


def test_a_token_that_expires_has_to_be_granted_again() -> None:
    plan = 'calm-after = 2\n["users/list"]\nexpired = 1.0'
    with simulated(easemob.VENDOR, faults=plan) as sim, Easemob(sim) as client:
        assert [401, 401] == [client.send("GET", "/users").status_code for _ in range(2)]
        client.grant()
        assert client.send("GET", "/users").status_code == 200


# --- the whole server ---

EVERYTHING = """
stall = 0.1
pause = 0.002
retry-after = 0

["*"]
429 = 0.02
429-after = 0.02
5xx = 0.02
busy = 0.03
reset = 0.03
hang = 0.01
5xx-after = 0.02
malformed = 0.03
truncated = 0.03
cut = 0.03
reset-after = 0.03
slow-head = 0.02
slow-body = 0.02
stall = 0.01
applied-twice = 0.02
"""


def patient(client: Tencent, body: dict[str, Any]) -> int:
    """Send until somebody says OK, as any client would, and tell how often."""
    for tries in range(1, 100):
        try:
            if client.send("importmsg", body).json()["ErrorCode"] == 0:
                return tries
        except (httpx.HTTPError, ValueError, TypeError, KeyError):
            pass
    raise AssertionError("never OK")


def test_a_patient_client_ends_with_what_it_sent_through_all_mishaps() -> None:
    """What Tencent takes for a duplicate makes resending harmless: nothing lost, nothing twice, order kept."""
    with simulated(tencent.VENDOR, faults=f"calm-first = 1\n{EVERYTHING}", seed=11) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        tries = sum(patient(client, client.message(number)) for number in range(400))
        assert list(range(400)) == [row["MsgSeq"] for row in sim.rows("export/messages")]
        told = sim.ask("faults")
        answered = [row for row in sim.rows("arrivals") if row["api"] == "importmsg"]
    assert tries == len(answered) > 450
    assert {"reset-after", "cut", "malformed", "busy", "slow-head", "hang", "applied-twice"} <= told["kinds"].keys()
    assert sum(told["kinds"].values()) == sum(row["fault"] is not None for row in answered)


def test_no_second_holds_more_than_its_limit_on_the_wire() -> None:
    """Sixteen clients as fast as they can: what was taken keeps to 40 in any quarter of a second."""
    with simulated(tencent.VENDOR, limited=True, rates={"account_check": "40/0.25s"}) as sim:

        def flood(number: int) -> None:
            with Tencent(sim) as client:
                for _ in range(40):
                    client.code("account_check", {"CheckItem": [{"UserID": str(number)}]})

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(flood, range(16)))
        rows = sim.rows("arrivals")
    taken = [row["at"] for row in rows if row["code"] == "0"]
    assert {"0", "60007"} == {row["code"] for row in rows}
    assert len(rows) == 640
    assert all(later - first >= 0.25 for first, later in zip(taken, taken[40:], strict=False))
    for row in rows:
        if row["code"] != "0":
            assert 40 == sum(row["at"] - 0.25 < at <= row["at"] for at in taken)


def test_two_at_once_answer_while_one_stalls() -> None:
    with simulated(tencent.VENDOR, faults='stall = 5\n["account_check"]\nstall = 1.0') as sim, Tencent(sim) as client:
        with httpx.Client(trust_env=False, timeout=0.2) as other, pytest.raises(httpx.ReadTimeout):
            other.post(f"{sim.url}/v4/im_open_login_svc/account_check", params=client.query(), json={})
        start = time.monotonic()
        client.accounts("ann")
        assert time.monotonic() - start < 4


def test_arrivals_are_noted_with_their_times_and_outcomes() -> None:
    with simulated(tencent.VENDOR, limited=True, rates={"account_check": "2/60s"}) as sim, Tencent(sim) as client:
        codes = [client.code("account_check", {"CheckItem": [{"UserID": "ann"}]}) for _ in range(3)]
        rows = sim.rows("arrivals")
        status = sim.ask("status")
    assert [0, 0, 60007] == codes
    assert [("account_check", "0"), ("account_check", "0"), ("account_check", "60007")] == [
        (row["api"], row["code"]) for row in rows
    ]
    assert [1, 2, 3] == [row["number"] for row in rows]
    assert all(first["at"] <= second["at"] for first, second in pairwise(rows))
    assert {(row["code"], row["count"]) for row in status["outcomes"]} == {("0", 2), ("60007", 1)}


def test_without_limits_nothing_is_counted() -> None:
    with simulated(tencent.VENDOR, rates={"account_check": "1/60s"}) as sim, Tencent(sim) as client:
        assert [0] * 5 == [client.code("account_check", {"CheckItem": [{"UserID": "ann"}]}) for _ in range(5)]


def test_the_clock_can_be_moved() -> None:
    with simulated(tencent.VENDOR) as sim, Tencent(sim) as client:
        signed = usersig(expire=3600)
        assert client.code("account_check", {"CheckItem": [{"UserID": "a"}]}, usersig=signed) == 0
        sim.ahead(7200)
        assert client.code("account_check", {"CheckItem": [{"UserID": "a"}]}, usersig=signed) == 70001


def test_a_request_that_fails_leaves_nothing() -> None:
    """A group whose second new member does not exist: the first one was not added either."""
    with simulated(tencent.VENDOR) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        group = client.call("import_group", {"Type": "Public", "Name": "g"})["GroupId"]
        listed = [{"Member_Account": name} for name in ("ann", "nobody")]
        assert client.code("add_group_member", {"GroupId": group, "MemberList": listed}) == 10019
        assert sim.rows("export/members") == []


@every_vendor
def test_a_path_that_nobody_knows_is_answered_as_the_vendor_does(vendor: Vendor) -> None:
    with simulated(vendor) as sim, httpx.Client(trust_env=False) as client:
        reply = client.post(f"{sim.url}/nowhere", content=b"{}")
    assert isinstance(reply.json(), dict)
    assert (reply.status_code, vendor.name) in {(200, "tencent"), (404, "easemob"), (404, "rongcloud"), (200, "yunxin")}


@every_vendor
def test_without_authorization_nothing_is_done(vendor: Vendor) -> None:
    """Every endpoint that asks for it refuses an empty request, and the state stays empty."""
    with simulated(vendor) as sim, httpx.Client(base_url=sim.url, trust_env=False) as client:
        for endpoint in vendor.endpoints:
            path = vendor.where(sim.app.desk, endpoint.path)
            reply = client.request(endpoint.method, path.replace("{", "").replace("}", ""), content=b"{}")
            refused = reply.status_code == 401 or reply.json().get("ErrorCode") or reply.json().get("code", 0) > 200
            assert endpoint.public or refused, endpoint.name
        assert [] == [row for name in sim.ask("export") for row in sim.rows(f"export/{name}")]


@every_vendor
def test_exports_and_questions_answer(vendor: Vendor) -> None:
    with simulated(vendor) as sim:
        assert sorted(vendor.exports) == sim.ask("export")
        assert sim.ask("settings") == {name: one.default for name, one in vendor.settings.items()}
        assert sim.ask("faults") == {"requests": 0, "kinds": {}, "endpoints": {}}
        assert httpx.get(f"{sim.url}/_simulator/nothing", trust_env=False).status_code == 404


def test_questions_from_elsewhere_are_refused() -> None:
    answers: list[Any] = []

    async def send(message: Any) -> None:
        answers.append(message)

    with simulated(tencent.VENDOR) as sim:
        for client in (("192.0.2.1", 5), None):
            scope = {"path": "/_simulator/status", "method": "GET", "client": client}
            asyncio.run(admin.answer(sim.app, scope, b"", send))
    assert [403, 403] == [message["status"] for message in answers if "status" in message]
