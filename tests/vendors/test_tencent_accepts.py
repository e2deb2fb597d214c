"""What is written for Tencent is taken by a server that was written from the vendor's documents alone, all of it, and
sending it again changes nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from golden import run
from support.simulated import simulated
from test_oracle_tencent import PEOPLE, line

from imconvert.simulators import tencent

APP, KEY, ADMIN = 1400000000, "0123456789abcdef0123456789abcdef", "administrator"


def signature() -> str:
    """UserSig (tencent.md §1.3)."""
    now = int(time.time())
    text = f"TLS.identifier:{ADMIN}\nTLS.sdkappid:{APP}\nTLS.time:{now}\nTLS.expire:86400\n"
    digest = base64.b64encode(hmac.new(KEY.encode(), text.encode(), hashlib.sha256).digest()).decode()
    fields = {"TLS.ver": "2.0", "TLS.identifier": ADMIN, "TLS.sdkappid": APP, "TLS.expire": 86400, "TLS.time": now,
              "TLS.sig": digest}  # fmt: skip
    packed = base64.b64encode(zlib.compress(json.dumps(fields).encode())).decode()
    return packed.translate(str.maketrans("+/=", "*-_"))


class Caller:
    def __init__(self, url: str) -> None:
        query = {"sdkappid": str(APP), "identifier": ADMIN, "usersig": signature(), "contenttype": "json"}
        self.client = httpx.Client(base_url=f"{url}/v4/", params=query, trust_env=False)
        self.chance = random.Random(1)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.close()

    def __call__(self, api: str, body: Any) -> dict[str, Any]:
        answer = self.client.post(api, params={"random": str(self.chance.randrange(1 << 32))}, json=body).json()
        assert answer["ErrorCode"] == 0, (api, answer)
        return answer


def converted(folder: Path, **asked: str) -> list[dict[str, Any]]:
    chance = random.Random(3)
    lines = [line(chance, number) for number in range(1, 400)]
    (folder / "in").mkdir()
    (folder / "in" / "lines.txt").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    run(folder / "in", folder / "out", "yunxin", target="tencent", settings=asked)
    shards = sorted((folder / "out").glob("*-0*.ndjson"))
    return [json.loads(raw) for shard in shards for raw in shard.read_bytes().splitlines()]


def provisioned(call: Caller) -> None:
    call("im_open_login_svc/multiaccount_import", {"AccountList": [{"UserID": user} for user in PEOPLE]})
    for group in ("1", "2", "3"):
        call("group_open_http_svc/import_group",
             {"Type": "Public", "Name": group, "GroupId": group, "CreateTime": 1_700_000_000})  # fmt: skip


@pytest.mark.parametrize(("sync", "marks", "unread"), [("2", "none", False), ("5", "none", True), ("5", "all", False)])
def test_every_call_is_taken(sync: str, marks: str, unread: bool, tmp_path: Path) -> None:
    requests = converted(tmp_path, **{"tencent.sync": sync, "tencent.read_marks": marks})
    with simulated(tencent.VENDOR) as server, Caller(server.url) as call:
        provisioned(call)
        answers = [call(request["api"], request["body"]) for request in requests]
        results = [result["Result"] for answer in answers for result in answer.get("ImportMsgResult", [])]
        assert set(results) == {0}
        pairs = [request for request in requests if request["api"] == "openim/importmsg"]
        assert len(pairs) == len(server.rows("export/messages"))
        assert len(results) == len(server.rows("export/group_messages"))
        for request in pairs:
            call(request["api"], request["body"])
        assert len(pairs) == len(server.rows("export/messages"))
        assert unread == bool(server.rows("export/unread"))
