"""Files that stood inside of records: kept once each, whatever is cut, killed, repeated or replayed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.small_jobs import CLOCK, differing, fast_folder, forked, leftovers, options, run, side, tree

from imconvert import durable
from imconvert.cli.progress import Silent
from imconvert.convert.check import check
from imconvert.convert.finished.replay import replay
from imconvert.convert.map import media
from imconvert.convert.run import Outcome
from imconvert.convert.work import WorkFolder
from imconvert.errors import IntegrityError, UsageError
from imconvert.model import Media, Message, Text

TIME = 1_642_750_828_920


def sound(number: int) -> bytes:
    return b"#!AMR\n" + b"%d" % number * (40 + number)


def voice(number: int, *, of: int | None = None, **more: Any) -> bytes:
    """A log line with the sound `of`, by default one of its own."""
    content = {"content": base64.b64encode(sound(number if of is None else of)).decode(), "duration": 3}
    record = {
        "fromUserId": "u_ann", "targetId": "u_bob", "targetType": 1, "classname": "RC:VcMsg", "content": content,
        "timestamp": TIME + number, "msgUID": f"5A2T-{number:04}", **more,
    }  # fmt: skip
    return json.dumps(record).encode() + b"\n"


def inputs(folder: Path) -> Path:
    """Two logs: sounds that repeat within a file, across files and in duplicates; and one that is rejected."""
    folder.mkdir(parents=True)
    first = [voice(n, of=n % 5) for n in range(12)] + [voice(3, of=3), voice(20, of=20, fromUserId="小王")]
    second = [voice(n, of=n % 7) for n in range(30, 44)] + [voice(50, duration=2)]
    (folder / "a.ndjson").write_bytes(b"".join(first))
    (folder / "b.ndjson").write_bytes(b"".join(second))
    return folder


def files(output: Path) -> dict[str, bytes]:
    return {str(p.relative_to(output)): p.read_bytes() for p in sorted((output / "media").rglob("*")) if p.is_file()}


def urls(output: Path) -> set[str]:
    lines = [line for shard in output.glob("*-*.txt") for line in shard.read_bytes().splitlines()]
    return {json.loads(json.loads(line)["data"]["attach"])["url"] for line in lines}


def voices(tmp_path: Path, **more: Any) -> Outcome:
    return run(options(inputs(tmp_path / "in"), tmp_path / "out", **more))


def test_every_file_is_named_by_its_content_and_listed(tmp_path: Path) -> None:
    outcome = voices(tmp_path)
    found = files(tmp_path / "out")
    wanted = {hashlib.sha256(sound(n)).hexdigest(): sound(n) for n in (*range(7), 50)}
    assert {Path(name).stem: data for name, data in found.items()} == wanted
    assert urls(tmp_path / "out") == set(found)
    listed = [json.loads(line) for line in (tmp_path / "out" / "media.ndjson").read_bytes().splitlines()]
    assert listed == [{"name": name, "bytes": len(data)} for name, data in sorted(found.items())]
    manifest = outcome.manifest
    assert (manifest.media.files, manifest.media.bytes) == (8, sum(map(len, found.values())))
    data = (tmp_path / "out" / "media.ndjson").read_bytes()
    told = manifest.files["media.ndjson"]
    assert (told.lines, told.bytes, told.sha256) == (8, len(data), hashlib.sha256(data).hexdigest())


def test_the_file_of_a_rejected_record_is_not_kept(tmp_path: Path) -> None:
    outcome = voices(tmp_path)
    assert outcome.manifest.totals.rejected == 1
    assert hashlib.sha256(sound(20)).hexdigest() not in {Path(name).stem for name in files(tmp_path / "out")}


def test_nothing_of_it_without_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(voice(1, classname="RC:TxtMsg", content={"content": "x"}))
    outcome = run(options(tmp_path / "in", tmp_path / "out"))
    assert "media.ndjson" not in outcome.manifest.files
    assert not {"media", "media.ndjson"} & {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("url", ["https://cdn.example/old", "https://cdn.example/old/", "/x"])
def test_the_url_of_files_can_be_chosen(url: str, tmp_path: Path) -> None:
    outcome = voices(tmp_path, media_url=url)
    assert urls(tmp_path / "out") == {name.replace("media", url.rstrip("/"), 1) for name in files(tmp_path / "out")}
    assert outcome.manifest.options["media-url"] == url


@pytest.mark.parametrize("url", ["", " ", "a b", "a\n", "\x1b[2J"])
def test_an_url_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="IMC-1010"):
        voices(tmp_path, media_url=url)


@pytest.mark.parametrize("more", [{"jobs": 2}, {"segment_size": 200}, {"segment_size": 1 << 20}])
def test_files_do_not_depend_on_how_the_work_is_cut(more: dict[str, Any], tmp_path: Path) -> None:
    voices(tmp_path)
    run(options(tmp_path / "in", tmp_path / "other", **more))
    one, other = ({name: data for name, data in tree(tmp_path / out).items() if name.startswith("media")}
                  for out in ("out", "other"))  # fmt: skip
    assert one == other


def test_check_names_files_and_keeps_none(tmp_path: Path) -> None:
    outcome = voices(tmp_path)
    checked = check(options(inputs(tmp_path / "again"), tmp_path / "none"), tmp_path, Silent(), CLOCK, {})
    assert checked.manifest.totals == outcome.manifest.totals
    assert not (tmp_path / "none").exists()


def corrected(output: Path, path: Path) -> Path:
    lines = side(output, "rejects")
    for reject in lines:
        reject["raw"] = reject["raw"].replace("\\u5c0f\\u738b", "u_wang")
    path.write_text("".join(json.dumps(reject) + "\n" for reject in lines))
    return path


def test_a_replay_adds_the_files_of_its_records(tmp_path: Path) -> None:
    """One that is new and one that is there; in the end all is as if the records had never been bad."""
    folder = inputs(tmp_path / "in")
    (folder / "c.ndjson").write_bytes(voice(60, of=2, fromUserId="小王"))
    run(options(folder, tmp_path / "out"))
    before = files(tmp_path / "out")
    path = corrected(tmp_path / "out", tmp_path / "corrected.ndjson")
    outcome = replay(path, options(folder, tmp_path / "out"), Silent(), CLOCK, {})
    after = files(tmp_path / "out")
    assert outcome.manifest.totals.rejected == 0
    assert set(after.values()) - set(before.values()) == {sound(20)}
    assert urls(tmp_path / "out") == set(after)
    assert outcome.manifest.media.files == len(after)
    listed = [json.loads(line)["name"] for line in (tmp_path / "out" / "media.ndjson").read_bytes().splitlines()]
    assert listed == sorted(after)
    assert leftovers(tmp_path / "out") == []
    assert replay(path, options(folder, tmp_path / "out"), Silent(), CLOCK, {}).again


def test_a_replay_may_bring_the_first_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(voice(20, fromUserId="小王"))
    run(options(tmp_path / "in", tmp_path / "out", source="rongcloud"))
    path = corrected(tmp_path / "out", tmp_path / "corrected.ndjson")
    outcome = replay(path, options(tmp_path / "in", tmp_path / "out"), Silent(), CLOCK, {})
    assert (outcome.manifest.media.files, list(files(tmp_path / "out").values())) == (1, [sound(20)])


def test_bytes_that_changed_on_the_way_end_the_run(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    apart = media.Apart(work, 0, "media", keep=True)
    text = Message("1", 1, TIME, "p2p", "a", "b", 1, (Text("x"), Media("audio", "", suffix="amr", data=b"sound")))
    assert apart.named(text).parts[0] == Text("x")
    apart.take()
    apart.finish()
    part = work.part(0, "media")
    part.write_bytes(b"s0und")
    partition = int(hashlib.sha256(b"sound").hexdigest()[0], 16)
    with pytest.raises(IntegrityError, match="IMC-6002"):
        media.write_partition(media.MediaJob(tmp_path, partition, (0,)), lambda done: None)


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


def test_killed_while_files_are_kept(folder: Path) -> None:
    """Every operation from the first that concerns a file of a record on, in steps; and torn writes there."""
    from test_crash import Job, crash_and_resume

    inputs(folder / "in")
    job = Job(folder, segment_size=2000)
    about = [at for at, (_, path) in enumerate(job.log, 1) if "media" in path]
    assert about, "the job keeps no files"
    points = [(at, "kill") for at in about[::3]]
    points += [(at, "tear") for at in about if job.log[at - 1][0] == "write"][::4]
    broken = []
    for at, what in points:
        try:
            crash_and_resume(job, at, what)
        except AssertionError as why:
            broken.append((at, what, *job.log[at - 1], str(why).splitlines()[0][:100]))
    print(f"{len(points)} kill points of {len(about)} operations on files of records")
    assert broken == []


def test_killed_while_a_replay_moves_files(folder: Path) -> None:
    """At every operation of the replay: what is there is the old output or the new one, and it ends with the new."""
    from support.faulty_disk import DEAD, Fault, faulty

    inputs(folder / "in")

    def begun(name: str) -> Path:
        run(options(folder / "in", folder / name))
        return corrected(folder / name, folder / f"{name}.ndjson")

    def replayed(name: str) -> None:
        replay(folder / f"{name}.ndjson", options(folder / "in", folder / name), Silent(), CLOCK, {})

    begun("whole")
    with faulty(folder / "whole") as disk:
        replayed("whole")
    about = [at for at, (_, path) in enumerate(disk.log, 1) if "media" in path or "publish" in path]
    for at in about[::2]:
        name = f"killed-{at}"
        begun(name)

        def killed(name: str = name, at: int = at) -> None:
            with faulty(folder / name, Fault(at, "kill")):
                replayed(name)

        code, trouble = forked(killed)
        assert code == DEAD, trouble
        replayed(name)
        assert differing(folder / "whole", folder / name) == []
        durable.remove(folder / name)
