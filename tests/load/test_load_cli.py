"""`imconvert load` and `imconvert plan` as somebody uses them: a process, its words, its exit codes, its secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.fake_target import Answer, Asked, FakeTarget
from support.loads import (
    KEY,
    QUICK,
    accounts,
    easemob_pair,
    line,
    load,
    output,
    target_file,
    tencent_group,
    tencent_pairs,
)

from imconvert.errors import UsageError
from imconvert.load.target import LOAD, read_target
from imconvert.vendors import ALL
from imconvert.vendors.calls import Kind, Limit

ROOT = Path(__file__).resolve().parents[2]
OK = {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}
FREE = '[limits]\n"openim/importmsg" = 0\n'


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "IMCONVERT_LANG": "en", "IMCONVERT_TENCENT_KEY": KEY, **more}


def run(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "imconvert", *map(str, words)]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, timeout=120)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(4, 5)})


def fine(asked: Asked) -> Answer:
    return Answer(OK)


def test_a_load_tells_what_it_did_and_that_nothing_is_left(pairs: Path, tmp_path: Path) -> None:
    with FakeTarget(fine) as fake:
        target = target_file(tmp_path, fake.url)
        done = run("load", pairs, "--target", target)
        assert (0, "") == (done.returncode, done.stderr)
        assert "All is loaded." in done.stdout and "100.0%" in done.stdout
        again = run("load", pairs, "--target", target, "--json")
        assert 0 == again.returncode and 20 == len(fake.asked)
        told = json.loads(again.stdout)
        assert [("messages", 20, 20, 0)] == [
            (row["name"], row["lines"], row["done"], row["sent_now"]) for row in told["stages"]
        ]
        chinese = run("load", pairs, "--target", target, IMCONVERT_LANG="zh")
        assert "没有剩余工作" in chinese.stdout


def test_failures_and_unknowns_name_the_next_command(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "easemob", {"p2p-00001.ndjson": easemob_pair("a", 1) + easemob_pair("b", 1)})

    def act(asked: Asked) -> Answer:
        if asked.path.endswith("/token"):
            return Answer({"access_token": "t", "expires_in": 3600})
        bad = {"error": "illegal_argument", "error_description": "no \x1b[31mred"}
        return Answer(cut=True) if asked.json()["target"] == "a" else Answer(bad, 400)

    with FakeTarget(act) as fake:
        target = target_file(tmp_path, fake.url, QUICK, target="easemob",
                             app='org="o"\napp="a"\nclient_id="c"\nquery="none"')  # fmt: skip
        done = run("load", out, "--target", target, IMCONVERT_EASEMOB_SECRET="s3cret")
    assert 7 == done.returncode
    assert "IMC-7220 Of 1 calls" in done.stdout
    assert f"imconvert load {out} --target {target} --resolve ask" in done.stdout
    assert f"imconvert load --replay {out}/load-failed.ndjson {out} --target {target}" in done.stdout
    assert "\x1b" not in done.stdout + (out / "load-failed.ndjson").read_text()
    asked = run("load", out, "--target", target, "--resolve", "ask", IMCONVERT_EASEMOB_SECRET="s3cret")
    assert 2 == asked.returncode and "IMC-1263" in asked.stderr


def test_a_dry_run_shows_the_exact_requests_and_sends_nothing(pairs: Path, tmp_path: Path) -> None:
    with FakeTarget(fine) as fake:
        target = target_file(tmp_path, fake.url)
        done = run("load", pairs, "--target", target, "--dry-run", "--limit", 3)
        assert (0, 0) == (done.returncode, len(fake.asked))
        assert not (pairs / "load").exists()
        shown = [json.loads(text) for text in done.stdout.splitlines()]
        assert [1, 2, 3] == [one["line"] for one in shown]
        load(pairs, target)
        sent = fake.asked[0]
        assert sent.body.decode() == shown[0]["body"]
        path, _, query = shown[0]["url"].removeprefix(fake.url).partition("?")
        assert (sent.method, sent.path) == (shown[0]["method"], path)
        assert "usersig=…" in query and KEY not in done.stdout
        assert [name.split("=")[0] for name in query.split("&")] == [
            part.split("=")[0] for part in sent.query.split("&")
        ]
        rest = run("load", pairs, "--target", target, "--dry-run")
        assert "" == rest.stdout, "all of it is loaded"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_calls_under_way_arrive_and_the_same_command_goes_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(40, 20)})
    with FakeTarget(lambda asked: Answer(OK, delay=0.3)) as fake:
        target = target_file(tmp_path, fake.url)
        command = [sys.executable, "-m", "imconvert", "load", str(out), "--target", str(target), "--json"]
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        while len(fake.asked) < 30:
            time.sleep(0.02)
        process.send_signal(number)
        began = time.monotonic()
        told = json.loads(process.communicate(timeout=60)[0])
        assert 128 + number == process.returncode
        assert time.monotonic() - began < 20, "2 s on a machine that is not busy with other tests"
        assert ("stopped", 0) == (told["state"], told["unknown"])
        assert told["stages"][0]["done"] == len(fake.asked)
        fake.act = fine
        assert 0 == load(out, target_file(tmp_path, fake.url, FREE)).code
        keys = Counter(one.body for one in fake.asked)
        assert (800, 1) == (len(keys), max(keys.values()))


def test_calls_that_do_not_arrive_in_time_are_unknown_and_found_out_later(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(3, 2)})
    with FakeTarget(lambda asked: Answer(OK, delay=60)) as fake:
        target = target_file(tmp_path, fake.url)
        command = [sys.executable, "-m", "imconvert", "load", str(out), "--target", str(target), "--json"]
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        while not fake.asked:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        told = json.loads(process.communicate(timeout=30)[0])
        assert (130, len(fake.asked)) == (process.returncode, told["unknown"])
        fake.act = fine
        assert 0 == load(out, target).code


def test_a_signal_ends_a_run_soon_whatever_its_calls_wait_for(tmp_path: Path) -> None:
    """Stalled calls, waits that the target asked for, back-offs, turns of the pace, and somebody at the status port.

    By design it takes 1.25 s for calls, 0.3 s for the status port; a wait that were sat out would take 20 s or more.
    """
    out = output(tmp_path / "out", "tencent", {
        "accounts-00001.ndjson": [accounts(f"a{number}") for number in range(40)],
        "p2p-00001.ndjson": tencent_pairs(4, 10),
    })  # fmt: skip

    def act(asked: Asked) -> Answer:
        number = len(fake.asked) % 4
        kinds = [Answer(OK, delay=60), Answer(OK | {"ErrorCode": 60008}), Answer(status=502), Answer(OK)]
        return kinds[number] if len(fake.asked) < 30 else Answer(status=429, headers={"Retry-After": "60"})

    with FakeTarget(act) as fake:
        limit = '[limits]\n"im_open_login_svc/multiaccount_import" = 40\n[load]\nbackoff = "20s"\n'
        target = target_file(tmp_path, fake.url, limit)
        command = [sys.executable, "-m", "imconvert", "load", str(out), "--target", str(target), "--json",
                   "--status-port", "0"]  # fmt: skip
        process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        url = process.stderr.readline().strip()
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            while len(fake.asked) < 20:
                time.sleep(0.02)
            assert 1 <= client.get("/").json()["left"]
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            told, _ = process.communicate(timeout=60)
        assert time.monotonic() - began < 15, "2 s on a machine that is not busy with other tests"
        assert (130, "stopped") == (process.returncode, json.loads(told)["state"])
        assert json.loads(told)["unknown"] <= len(fake.asked)
        fake.act = fine
        assert 0 == load(out, target_file(tmp_path, fake.url, FREE)).code
        assert 40 + 40 == len({one.body for one in fake.asked})


def test_processes_side_by_side_share_shards_and_pace(tmp_path: Path) -> None:
    lines = tencent_pairs(24, 10)
    shards = {f"p2p-{number:05}.ndjson": lines[number * 40 : number * 40 + 40] for number in range(6)}
    out = output(tmp_path / "out", "tencent", {"accounts-00001.ndjson": [accounts("a")], **shards})
    with FakeTarget(lambda asked: Answer(OK, delay=0.01)) as fake:
        target = target_file(tmp_path, fake.url, '[limits]\n"openim/importmsg" = 60\n')
        command = [sys.executable, "-m", "imconvert", "load", str(out), "--target", str(target), "--json"]
        several = [subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) for _ in range(2)]
        told = [json.loads(one.communicate(timeout=120)[0]) for one in several]
        assert [0, 0] == [one.returncode for one in several]
        keys = Counter(one.body for one in fake.asked)
        assert (241, 1) == (len(keys), max(keys.values()))
        assert all(one["sent"] > 0 for one in told) and 241 == sum(one["sent"] for one in told)
        times = sorted(one.at for one in fake.asked if "importmsg" in one.path)
        assert times[-1] - times[0] >= 3.9 - 0.5, "together no faster than one"


def test_the_status_port_tells_the_same_as_json_and_metrics(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(3, 200)})
    with FakeTarget(fine) as fake:
        target = target_file(tmp_path, fake.url)
        command = [sys.executable, "-m", "imconvert", "load", str(out), "--target", str(target), "--status-port", "0",
                   "--quiet"]  # fmt: skip
        process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        url = process.stderr.readline().strip()
        while len(fake.asked) < 20:
            time.sleep(0.02)
        with httpx.Client(base_url=url, trust_env=False) as client:
            told = client.get("/").json()
            assert "ok" == client.get("/healthz").text
            text = client.get("/metrics").text
        assert "loading" == told["state"] and 200.0 == told["limit_per_s"]
        assert 'imconvert_load_calls{stage="messages"} 600' in text
        assert KEY not in text + json.dumps(told)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        process.stderr.close()


# -- secrets


def test_no_secret_is_ever_told_or_kept(tmp_path: Path) -> None:
    """Canaries: the key, and the signature made of it, come back in the target's words and in broken answers."""
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(8, 3)})
    seen: set[str] = set()

    def act(asked: Asked) -> Answer:
        sig = dict(part.split("=", 1) for part in asked.query.split("&"))["usersig"]
        seen.add(sig)
        echo = f"bad {KEY} and {sig} in {asked.path}?{asked.query}"
        kinds = [Answer({**OK, "ErrorCode": 90001, "ErrorInfo": echo}), Answer(raw=echo.encode()), Answer(cut=True),
                 Answer({**OK, "ErrorCode": 60007, "ErrorInfo": echo}), Answer(OK)]  # fmt: skip
        return kinds[len(fake.asked) % 5]

    with FakeTarget(act) as fake:
        target = target_file(tmp_path, fake.url, QUICK)
        told = [run("load", out, "--target", target), run("load", out, "--target", target, "--dry-run"),
                run("load", out, "--target", target, "--json", "--replay", out / "load-failed.ndjson")]  # fmt: skip
        fake.act = lambda asked: Answer({**OK, "ErrorCode": 90009, "ErrorInfo": f"{KEY} {asked.query}"})
        fresh = output(tmp_path / "other", "tencent", {"p2p-00001.ndjson": tencent_pairs(2, 1)})
        told.append(run("load", fresh, "--target", target))
    assert 7 == told[-1].returncode and "IMC-7210" in told[-1].stderr
    everything = [one.stdout + one.stderr for one in told]
    everything += [path.read_bytes().decode("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    for canary in (KEY, *seen):
        assert [] == [text[:200] for text in everything if canary in text]
    assert len(seen) >= 1 and (out / "load-failed.ndjson").exists()


def test_a_secret_comes_from_a_file_that_nobody_else_can_read(pairs: Path, tmp_path: Path) -> None:
    key = tmp_path / "tencent.key"
    key.write_text(f"{KEY}\n")
    with FakeTarget(fine) as fake:
        target = target_file(tmp_path, fake.url, '[secret]\nfile = "tencent.key"\n')
        key.chmod(0o640)
        refused = run("load", pairs, "--target", target, IMCONVERT_TENCENT_KEY="")
        assert 2 == refused.returncode and "IMC-1262" in refused.stderr
        key.chmod(0o600)
        assert 0 == run("load", pairs, "--target", target, IMCONVERT_TENCENT_KEY="").returncode


# -- target.toml


def problems(text: str) -> list[tuple[str, str]]:
    with pytest.raises(UsageError) as why:
        read_target(text, "target.toml")
    found: Any = why.value.values.get("problems", ())
    return [(str(place), str(values["why"])) for _, place, values in found] or [(why.value.code, "")]


def test_all_that_is_wrong_with_a_target_file_is_told_at_once() -> None:
    text = """
        target = "tencent"
        spead = 1
        [app]
        sdkapid = 5
        url = "http://10.0.0.1"
        expire = "long"
        [limits]
        "openim/importmsgs" = 5
        "openim/importmsg" = "fast"
        [load]
        inflight = 0
        timeout = "15 parsec"
        margin = 7
    """
    found = dict(problems(text))
    assert {"spead", "app.sdkapid", "app.sdkappid", "app.expire", "limits.openim/importmsgs", "limits.openim/importmsg",
            "load.inflight", "load.timeout", "load.margin"} == set(found)  # fmt: skip
    assert 'did you mean "openim/importmsg"?' in found["limits.openim/importmsgs"]


@pytest.mark.parametrize(
    ("text", "code"),
    [("target = ", "IMC-1252"), ('target = "yunxi"', "IMC-1253"), ("", "IMC-1253"),
     ('target = "tencent"\n[app]\nsdkappid = 1\nkey = "abc"', "IMC-1254"),
     ('target = "easemob"\n[app]\nclient_secret = "abc"', "IMC-1254")],
)  # fmt: skip
def test_other_troubles_of_a_target_file(text: str, code: str) -> None:
    assert [(code, "")] == problems(text)


def test_plain_http_leads_only_to_this_machine() -> None:
    start = 'target = "tencent"\n[app]\nsdkappid = 1\nurl = '
    assert ["app.url"] == [place for place, _ in problems(f'{start}"http://api.example.com"')]
    assert ["app.url"] == [place for place, _ in problems(f'{start}"https://me:pass@api.example.com"')]
    for url in ("https://api.example.com", "http://127.0.0.1:8", "http://localhost", "http://[::1]:80"):
        assert url == read_target(f'{start}"{url}"', "").values["url"]


def test_limits_are_those_of_the_reference_unless_set() -> None:
    text = 'target = "easemob"\n[app]\norg = "o"\napp = "a"\nclient_id = "c"\n'
    target = read_target(text, "")
    apis = target.rest.apis
    one, other = apis["messages/users/import"], apis["messages/chatgroups/import"]
    assert (Limit(100), "messages/import") == (target.limit_of(one), target.bucket_of(one))
    assert target.bucket_of(one) == target.bucket_of(other)
    target = read_target(f'{text}[limits]\n"messages/import" = 200\nusers = "120/60s"\n', "")
    assert (Limit(200), Limit(120, 60.0)) == (target.limit_of(other), target.limit_of(apis["users"]))
    target = read_target(f'{text}[limits]\n"messages/users/import" = 300\n', "")
    assert ("messages/users/import", Limit(300)) == (target.bucket_of(one), target.limit_of(one))
    assert ("messages/import", Limit(100)) == (target.bucket_of(other), target.limit_of(other))


# -- plan


def plan(out: Path, target: Path, *words: str) -> dict[str, Any]:
    done = run("plan", out, "--target", target, "--json", *words, IMCONVERT_TENCENT_KEY="")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (7 if found["blocked"] else 0) == done.returncode
    return found


def test_a_plan_says_calls_time_and_date_by_stage(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {
        "p2p-00001.ndjson": tencent_pairs(30, 100), "team-00001.ndjson": tencent_group("g", 7000),
        "accounts-00001.ndjson": [accounts("a"), accounts("b")],
    })  # fmt: skip
    target = target_file(
        tmp_path, "http://127.0.0.1:1", "[load]\nmargin = 0\n", app="sdkappid = 1\nretention_days = 9000"
    )
    began = time.time() * 1000
    found = plan(out, target)
    assert [("accounts", 2, 0.0), ("messages", 3000, 15.0), ("group-messages", 1000, 50.0)] == [
        (row["name"], row["calls"], round(row["seconds"], 1)) for row in found["stages"]
    ]
    assert (1000, "g") == (found["stages"][2]["longest_conversation"], found["stages"][2]["its_name"])
    assert found["finish_ms"] - began == pytest.approx(65_000, abs=20_000)
    assert [] == found["findings"]
    assert 100 == round(plan(out, target, "--latency", "100ms")["stages"][2]["seconds"])
    text = run("plan", out, "--target", target)
    assert "messages" in text.stdout and "in all" in text.stdout


def test_a_plan_begins_with_what_blocks(tmp_path: Path) -> None:
    group = easemob_pair("g", 3, kind="chatgroups")
    out = output(tmp_path / "out", "easemob", {"team-00001.ndjson": group})
    app = 'org = "o"\napp = "a"\nclient_id = "c"'
    found = plan(out, target_file(tmp_path, "http://127.0.0.1:1", target="easemob", app=app))
    assert [("IMC-7280", True), ("IMC-7281", False)] == [(one["code"], one["blocks"]) for one in found["findings"]]
    lifted = f'{app}\ngroup_times = "lifted"\nretention_days = 9000'
    assert [] == plan(out, target_file(tmp_path, "http://127.0.0.1:1", target="easemob", app=lifted))["findings"]


@pytest.mark.parametrize(("name", "code"), [("rongcloud", "IMC-7282"), ("yunxin", "IMC-7283")])
def test_a_target_that_takes_no_messages_by_calls_blocks(name: str, code: str, tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": [line("a", "b", "c", 1, {})]})
    found = plan(out, target_file(tmp_path, "https://api.example.com", target=name, app='appkey = "k"'))
    assert [code] == [one["code"] for one in found["findings"]] and found["blocked"]


# -- docs


@pytest.mark.parametrize("name", ["load.md", "load.zh-CN.md"])
def test_the_manual_names_every_key_stage_and_class(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    rests = [vendor.rest() for vendor in ALL if vendor.rest]
    keys = [field.name for rest in rests for field in rest.fields]
    stages = [stage.name for rest in rests for stage in rest.stages]
    secrets = [rest.secret_env for rest in rests]
    assert [key for key in [*keys, *LOAD, *secrets] if f"`{key}`" not in text and f"`{key}`、" not in text] == []
    assert [one for one in [*stages, *Kind] if one not in text] == []
