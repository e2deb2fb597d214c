"""Pack: the vendor gets every byte of the shards, in few files, with a sheet that tells the truth."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from golden import FIXTURES

from imconvert import durable
from imconvert.cli import cli, progress
from imconvert.cli.pack import sheet
from imconvert.convert.books.manifest import read_manifest
from imconvert.convert.finished.pack import (
    BEGUN,
    MAX_FILE,
    RECORD,
    SHEET,
    WORK,
    Handover,
    Outcome,
    Request,
    pack,
    to_bytes,
)
from imconvert.convert.options import Options
from imconvert.convert.ports import Clock
from imconvert.convert.run import convert
from imconvert.durable import copying
from imconvert.errors import IntegrityError, UsageError

BASE = 1_513_685_265_481
CLOCK = Clock(lambda: 1_800_000_000.0, lambda: 0.0)
SILENT = progress.Silent()


def p2p(number: int, text: str = "早") -> dict[str, Any]:
    data = {"msgid": number, "from": "u_ann", "to": "u_bob", "createTime": BASE + number * 1000, "clientType": 1}
    return {"type": 0, "data": {**data, "body": f"{text} {number}"}}


def team(number: int) -> dict[str, Any]:
    data = {"msgid": number, "accid": "u_ann", "tid": 880011, "createTime": BASE + number * 1000, "clientType": 1}
    return {"type": 0, "data": {**data, "body": f"群 {number}"}}


def converted(folder: Path, records: list[Any], *, segment: int = 4000) -> Path:
    """A finished output with several shards of each stream."""
    source = folder / "export.txt"
    folder.mkdir(parents=True, exist_ok=True)
    source.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)}\n" for r in records))
    output = folder / "out"
    options = Options(
        inputs=(str(source),), output=output, latest=1_900_000_000_000, segment_size=segment, source="yunxin"
    )
    convert(options, SILENT, CLOCK, {})
    return output


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 messages p2p and 60 team, one reject, two conflicts, one duplicate."""
    records: list[Any] = [p2p(number, "早" * (number % 17)) for number in range(1, 151)]
    records += [team(number) for number in range(1, 61)]
    records += ["{ not json", p2p(1, "else"), p2p(2, "else"), team(60)]
    return converted(tmp_path_factory.mktemp("finished"), records)


def packed(output: Path, folder: Path, **chosen: Any) -> Outcome:
    return pack(Request(output, folder, **chosen), sheet, SILENT)


def shard_bytes(output: Path, stream: str) -> bytes:
    return b"".join(
        (output / shard.name).read_bytes() for shard in read_manifest(output).shards if shard.stream == stream
    )


def bytes_of(folder: Path, found: Handover, stream: str) -> bytes:
    return b"".join((folder / file.name).read_bytes() for file in found.files if file.stream == stream)


def check_whole(output: Path, folder: Path, found: Handover) -> None:
    """Everything that a hand-over has to be, whatever its cuts."""
    assert {*(file.name for file in found.files), RECORD, SHEET} == set(os.listdir(folder))
    assert to_bytes(found) == (folder / RECORD).read_bytes()
    assert sheet(found) == (folder / SHEET).read_bytes()
    for stream in ("p2p", "team"):
        assert shard_bytes(output, stream) == bytes_of(folder, found, stream)
    for file in found.files:
        data = (folder / file.name).read_bytes()
        times = [json.loads(line)["data"]["createTime"] for line in data.splitlines()]
        facts = (data.count(b"\n"), len(data), hashlib.sha256(data).hexdigest(), (min(times), max(times)))
        assert facts == (file.lines, file.bytes, file.sha256, file.times)
        assert data.endswith(b"\n")


def copy_of(output: Path, folder: Path) -> Path:
    """A copy of the output that a test may damage."""
    folder.mkdir()
    for path in output.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def edit_manifest(output: Path, change: Callable[[dict[str, Any]], None]) -> None:
    found = json.loads((output / "manifest.json").read_text())
    change(found)
    (output / "manifest.json").write_text(json.dumps(found))


def test_one_file_for_each_stream(output: Path, tmp_path: Path) -> None:
    found = packed(output, tmp_path / "h").handover
    assert len(read_manifest(output).shards) > 5
    assert [file.name for file in found.files] == ["p2p.txt", "team.txt"]
    assert found.streams == {"p2p": 150, "team": 60}
    assert found.max_file == MAX_FILE
    check_whole(output, tmp_path / "h", found)


def test_a_stream_without_messages_gets_no_file(tmp_path: Path) -> None:
    output = converted(tmp_path / "in", [p2p(1)])
    assert [file.name for file in packed(output, tmp_path / "h").handover.files] == ["p2p.txt"]


def test_an_output_without_messages_gets_only_a_sheet(tmp_path: Path) -> None:
    output = converted(
        tmp_path / "in", ['{"type":99,"data":{"msgid":1,"from":"a","to":"b","createTime":1513685265481}}']
    )
    found = packed(output, tmp_path / "h").handover
    assert found.files == []
    assert "没有消息" in (tmp_path / "h" / SHEET).read_text()
    assert found.left_out["rejected"] == 1


@pytest.mark.parametrize("limit", [1, 100, 150, 333, 1000, 2500, 4000, 7777, 20_000, 1 << 20])
def test_cut_at_any_size(output: Path, tmp_path: Path, limit: int) -> None:
    """No file is larger than asked unless it is one line, no line is cut, and no two files would fit into one."""
    found = packed(output, tmp_path / "h", max_file=limit).handover
    check_whole(output, tmp_path / "h", found)
    for file in found.files:
        assert file.bytes <= limit or file.lines == 1
    for stream in ("p2p", "team"):
        lines = shard_bytes(output, stream).splitlines(keepends=True)
        assert _fewest(lines, limit) == sum(file.stream == stream for file in found.files)


def _fewest(lines: list[bytes], limit: int) -> int:
    files, room = 0, -1
    for line in lines:
        if len(line) > room:
            files, room = files + 1, limit
        room -= len(line)
    return files


def test_names_sort_in_order(output: Path, tmp_path: Path) -> None:
    names = [file.name for file in packed(output, tmp_path / "h", max_file=1000).handover.files]
    assert len(names) > 10
    assert names[0] == "p2p-01.txt"
    assert sorted(names) == names


def test_few_files_have_short_names(output: Path, tmp_path: Path) -> None:
    half = math.ceil(len(shard_bytes(output, "p2p")) * 0.6)
    names = [file.name for file in packed(output, tmp_path / "h", max_file=half).handover.files]
    assert names == ["p2p-1.txt", "p2p-2.txt", "team.txt"]


def test_cuts_between_shards_where_it_costs_no_file(output: Path, tmp_path: Path) -> None:
    half = math.ceil(len(shard_bytes(output, "p2p")) * 0.6)
    first = packed(output, tmp_path / "h", max_file=half).handover.files[0]
    ends, place = set(), 0
    for shard in read_manifest(output).shards:
        if shard.stream == "p2p":
            place += shard.bytes
            ends.add(place)
    assert first.bytes in ends


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    output = converted(tmp_path / "in", [p2p(number) for number in range(1, 10_002)], segment=1 << 20)
    with pytest.raises(UsageError) as caught:
        packed(output, tmp_path / "h", max_file=1)
    assert caught.value.code == "IMC-1010"


def test_same_input_same_bytes(output: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        packed(output, tmp_path / name, max_file=3000, appkey="k1", roaming="no")
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_again_does_nothing(output: Path, tmp_path: Path) -> None:
    first = packed(output, tmp_path / "h", appkey="abc")
    before = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (tmp_path / "h").iterdir()}
    again = packed(output, tmp_path / "h", appkey="abc")
    assert (first.again, again.again) == (False, True)
    assert before == {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (tmp_path / "h").iterdir()}


def test_answers_can_be_given_later(output: Path, tmp_path: Path) -> None:
    """AppKey and roaming only renew the sheet; what is not given again stays."""
    packed(output, tmp_path / "h", appkey="abc")
    node = (tmp_path / "h" / "p2p.txt").stat().st_ino
    found = packed(output, tmp_path / "h", roaming="yes")
    assert (found.handover.appkey, found.handover.roaming, found.again) == ("abc", "yes", False)
    assert node == (tmp_path / "h" / "p2p.txt").stat().st_ino
    check_whole(output, tmp_path / "h", found.handover)


def test_what_people_wrote_on_the_sheet_stays(output: Path, tmp_path: Path) -> None:
    packed(output, tmp_path / "h")
    (tmp_path / "h" / SHEET).write_text("filled in by hand")
    assert packed(output, tmp_path / "h").again
    assert (tmp_path / "h" / SHEET).read_text() == "filled in by hand"


def test_a_renewal_that_was_cut_short_is_mended(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sheet goes first, the record last: between them the same command renews both."""
    packed(output, tmp_path / "h")
    replace_file = durable.replace_file

    def cut_short(path: Path, data: bytes) -> None:
        if path.name == RECORD:
            raise Crash
        replace_file(path, data)

    monkeypatch.setattr(durable, "replace_file", cut_short)
    with pytest.raises(Crash):
        packed(output, tmp_path / "h", appkey="abc")
    monkeypatch.undo()
    found = packed(output, tmp_path / "h", appkey="abc")
    check_whole(output, tmp_path / "h", found.handover)


def test_a_lost_sheet_is_written_again(output: Path, tmp_path: Path) -> None:
    packed(output, tmp_path / "h")
    (tmp_path / "h" / SHEET).unlink()
    check_whole(output, tmp_path / "h", packed(output, tmp_path / "h").handover)


@pytest.mark.parametrize("chosen", [{"max_file": 999}, {}])
def test_a_folder_of_another_pack_is_refused(output: Path, tmp_path: Path, chosen: dict[str, int]) -> None:
    packed(output, tmp_path / "h")
    other = output if chosen else converted(tmp_path / "in", [p2p(1)])
    with pytest.raises(UsageError) as caught:
        packed(other, tmp_path / "h", **chosen)
    assert caught.value.code == "IMC-1005"


@pytest.mark.parametrize("name", ["notes.txt", RECORD])
def test_a_folder_with_something_else_is_refused(output: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / name).write_text("mine")
    with pytest.raises(UsageError) as caught:
        packed(output, tmp_path / "h")
    assert caught.value.code == "IMC-1004"
    assert [name] == os.listdir(tmp_path / "h")


def test_a_finished_file_that_was_lost_is_told(output: Path, tmp_path: Path) -> None:
    packed(output, tmp_path / "h")
    (tmp_path / "h" / "team.txt").unlink()
    with pytest.raises(IntegrityError) as caught:
        packed(output, tmp_path / "h")
    assert caught.value.code == "IMC-6006"
    assert "team.txt" in str(caught.value)


def test_the_output_has_to_be_finished(output: Path, tmp_path: Path) -> None:
    mine = copy_of(output, tmp_path / "out")
    (mine / ".work").mkdir()
    for change in (lambda: None, lambda: (mine / "manifest.json").unlink()):
        change()
        with pytest.raises(UsageError) as caught:
            packed(mine, tmp_path / "h")
        assert caught.value.code == "IMC-1014"
    assert not (tmp_path / "h").exists()


def test_the_handover_does_not_go_into_the_output(output: Path, tmp_path: Path) -> None:
    mine = copy_of(output, tmp_path / "out")
    for folder in (mine, mine / "handover"):
        with pytest.raises(UsageError):
            packed(mine, folder)
    assert not (mine / "handover").exists()


@pytest.mark.parametrize("target", ["nobody", "Yunxin"])
def test_only_targets_that_take_files(output: Path, tmp_path: Path, target: str) -> None:
    mine = copy_of(output, tmp_path / "out")
    edit_manifest(mine, lambda found: found.update(target=target))
    with pytest.raises(UsageError) as caught:
        packed(mine, tmp_path / "h")
    assert caught.value.code == "IMC-1016"


def flip(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


@pytest.mark.parametrize("damage", [flip, lambda data: data[:-1], lambda data: data + b"x\n", None])
@pytest.mark.parametrize("limit", [500, MAX_FILE])
def test_a_damaged_shard_stops_the_pack(
    output: Path, tmp_path: Path, damage: Callable[[bytes], bytes] | None, limit: int
) -> None:
    """It is named, nothing looks finished, and when the shard is mended the same command ends well."""
    mine = copy_of(output, tmp_path / "out")
    shard = mine / "p2p-00002.txt"
    good = shard.read_bytes()
    if damage:
        shard.write_bytes(damage(good))
    else:
        shard.unlink()
    with pytest.raises(IntegrityError) as caught:
        packed(mine, tmp_path / "h", max_file=limit)
    assert caught.value.code == "IMC-6002"
    assert "p2p-00002.txt" in str(caught.value)
    assert os.listdir(tmp_path / "h") == [WORK]
    shard.write_bytes(good)
    check_whole(mine, tmp_path / "h", packed(mine, tmp_path / "h", max_file=limit).handover)


def test_a_manifest_that_lost_a_shard_is_found(output: Path, tmp_path: Path) -> None:
    mine = copy_of(output, tmp_path / "out")
    edit_manifest(mine, lambda found: found["shards"].pop())
    with pytest.raises(IntegrityError) as caught:
        packed(mine, tmp_path / "h")
    assert caught.value.code == "IMC-6002"
    assert "manifest.json" in str(caught.value)


def test_a_bad_copy_is_told_from_a_bad_shard(output: Path, tmp_path: Path) -> None:
    def bad(source: int, target: int, offset: int, most: int) -> int:
        data = os.pread(source, most, offset).replace("早".encode(), "晚".encode())
        return os.write(target, data)

    with pytest.raises(IntegrityError) as caught:
        pack(Request(output, tmp_path / "h"), sheet, SILENT, ways=[bad])
    assert caught.value.code == "IMC-6005"
    check_whole(output, tmp_path / "h", packed(output, tmp_path / "h").handover)


def fails(number: int, *, after: int = 0) -> copying.CopySome:
    """A way of copying that copies `after` bytes, then fails."""
    left = [after]

    def way(source: int, target: int, offset: int, most: int) -> int:
        if not left[0]:
            raise OSError(number, os.strerror(number))
        done = os.write(target, os.pread(source, min(left[0], most), offset))
        left[0] -= done
        return done

    return way


def halting(source: int, target: int, offset: int, most: int) -> int:
    """Copies at most 7 bytes at once."""
    return os.write(target, os.pread(source, min(7, most), offset))


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM])
@pytest.mark.parametrize("after", [0, 1, 5000])
def test_what_the_kernel_cannot_copy_is_copied_by_hand(output: Path, tmp_path: Path, number: int, after: int) -> None:
    ways = [fails(number, after=after), fails(number), copying.copy_by_hand]
    found = pack(Request(output, tmp_path / "h", 5000), sheet, SILENT, ways=ways)
    check_whole(output, tmp_path / "h", found.handover)


@pytest.mark.parametrize(
    "ways", [[way] for way in (*copying.COPY_WAYS, halting)] + [[lambda *_: 0, copying.copy_by_hand]]
)
def test_every_way_copies_the_same(output: Path, tmp_path: Path, ways: list[copying.CopySome]) -> None:
    found = pack(Request(output, tmp_path / "h", 5000), sheet, SILENT, ways=ways)
    check_whole(output, tmp_path / "h", found.handover)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_is_no_reason_to_try_another_way(output: Path, tmp_path: Path, number: int) -> None:
    """The run ends with IMC-6004, and the same command goes on."""
    ways = [fails(number, after=9000), copying.copy_by_hand]
    with pytest.raises(IntegrityError) as caught:
        pack(Request(output, tmp_path / "h", 5000), sheet, SILENT, ways=ways)
    assert caught.value.code == "IMC-6004"
    assert os.listdir(tmp_path / "h") == [WORK]
    check_whole(output, tmp_path / "h", packed(output, tmp_path / "h", max_file=5000).handover)


def test_a_file_that_ends_too_early_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    ranges = [durable.Range(tmp_path / "a", 0, 4)]
    with pytest.raises(IntegrityError) as caught:
        copying.copy_ranges(tmp_path / "b", ranges, copied=lambda size: None)
    assert caught.value.code == "IMC-6002"


def test_a_full_disk_is_told_beforehand(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "free_bytes", lambda folder: 1000)
    with pytest.raises(UsageError) as caught:
        packed(output, tmp_path / "h")
    assert caught.value.code == "IMC-1017"
    assert {".lock", BEGUN} == set(os.listdir(tmp_path / "h" / WORK))


class Crash(BaseException):
    pass


def test_crash_at_every_durable_step(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop before the first, second, … write, rename or removal: a record is only there when all is."""
    steps = {name: durable for name in ("replace_file", "rename", "remove", "sync_folder")} | {"copy_ranges": copying}
    real = {name: getattr(room, name) for name, room in steps.items()}
    crashed, at = True, 0
    while crashed:
        folder, left = tmp_path / f"h{at}", [at]

        def counted(name: str, left: list[int]) -> Callable[..., Any]:
            def step(*args: Any, **named: Any) -> Any:
                if not left[0]:
                    raise Crash
                left[0] -= 1
                return real[name](*args, **named)

            return step

        for name, room in steps.items():
            monkeypatch.setattr(room, name, counted(name, left))
        try:
            packed(output, folder, max_file=12_000)
            crashed = False
        except Crash:
            pass
        for name in steps:
            monkeypatch.setattr(steps[name], name, real[name])
        if (folder / RECORD).exists():
            names = set(os.listdir(folder)) - {WORK}
            assert {path["name"] for path in json.loads((folder / RECORD).read_text())["files"]} | {
                RECORD,
                SHEET,
            } == names
        check_whole(output, folder, packed(output, folder, max_file=12_000).handover)
        at += 1
    assert at > 15


def test_leftovers_of_an_interrupted_pack(output: Path, tmp_path: Path) -> None:
    """A torn copy is made anew; one of the right size and the wrong bytes is found by reading it."""
    work = tmp_path / "h" / WORK
    work.mkdir(parents=True)
    (work / "p2p.txt.part").write_bytes(b"torn")
    (work / "team.txt").write_bytes(b"short\n")
    check_whole(output, tmp_path / "h", packed(output, tmp_path / "h").handover)
    work = tmp_path / "g" / WORK
    work.mkdir(parents=True)
    (work / "team.txt").write_bytes(flip(shard_bytes(output, "team")))
    with pytest.raises(IntegrityError) as caught:
        packed(output, tmp_path / "g")
    assert caught.value.code == "IMC-6005"
    check_whole(output, tmp_path / "g", packed(output, tmp_path / "g").handover)


def test_a_copy_that_is_there_is_not_made_again(output: Path, tmp_path: Path) -> None:
    work = tmp_path / "h" / WORK
    work.mkdir(parents=True)
    for stream in ("p2p", "team"):
        (work / f"{stream}.txt").write_bytes(shard_bytes(output, stream))
    found = pack(Request(output, tmp_path / "h"), sheet, SILENT, ways=[fails(errno.EIO)])
    check_whole(output, tmp_path / "h", found.handover)


def test_an_interrupted_pack_is_not_continued_by_another(output: Path, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        pack(Request(output, tmp_path / "h"), sheet, SILENT, ways=[fails(errno.EIO)])
    with pytest.raises(UsageError) as caught:
        packed(output, tmp_path / "h", max_file=999)
    assert caught.value.code == "IMC-1005"


def test_two_packs_do_not_share_a_folder(output: Path, tmp_path: Path) -> None:
    work = tmp_path / "h" / WORK
    work.mkdir(parents=True)
    with durable.sole_owner(work):
        child = os.fork()
        if child == 0:
            os._exit(_refused(output, tmp_path / "h"))
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def _refused(output: Path, folder: Path) -> int:
    """7 where packing is refused because another process holds the folder."""
    try:
        packed(output, folder)
    except UsageError as why:
        return int(why.code[-1])
    return 0


def test_progress_reaches_its_total(output: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    class Watch:
        def phase(self, name: str, total: int) -> None:
            told.append((name, total))

        def tick(self, done: int) -> None:
            told.append(("", done))

    pack(Request(output, tmp_path / "h"), sheet, Watch())
    size = sum(len(shard_bytes(output, stream)) for stream in ("p2p", "team"))
    assert ("pack", 2 * size) == told[0]
    assert ("", 2 * size) == told[-1]
    assert sorted(done for _, done in told[1:]) == [done for _, done in told[1:]]


def test_the_sheet_tells_what_the_vendor_asks(output: Path, tmp_path: Path) -> None:
    found = packed(output, tmp_path / "h", appkey="45c6af3c98409b18a84451215d0bdd6e", roaming="yes").handover
    text = (tmp_path / "h" / SHEET).read_text()
    assert "`45c6af3c98409b18a84451215d0bdd6e`" in text
    assert "是 / yes" in text
    for file in found.files:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{file.name}`"))
        assert f"| {file.lines} | {file.bytes:,} | `{file.sha256}` |" in row
    assert "2017-12-19 12:07:46 UTC<br>2017-12-19 20:07:46 北京时间" in text
    assert "新进群用户获取历史消息开关" in text
    assert found.left_out == {"rejected": 1, "conflicts": 2, "duplicates": 1, "skipped": 0}
    assert "rejected records | 1 | `rejects.ndjson` |" in text
    assert "held back | 2 | `conflicts.ndjson` |" in text


def test_the_sheet_leaves_room_for_answers(output: Path, tmp_path: Path) -> None:
    packed(output, tmp_path / "h")
    text = (tmp_path / "h" / SHEET).read_text()
    assert "AppKey of the app to import into | ____" in text
    assert "☐ 是 yes" in text


def test_the_sheet_tells_of_inputs_not_read_whole(tmp_path: Path) -> None:
    handover = Handover(1, "yunxin", "0" * 64, 1, "", "", {"p2p": 0}, [], {}, dict.fromkeys(
        ("rejected", "conflicts", "duplicates", "skipped"), 0), 3)  # fmt: skip
    assert "3 source files could not be read whole" in sheet(handover).decode()


@pytest.mark.parametrize(("chosen", "begins"), [(None, "media"), ("https://cdn.example/v", "https://cdn.example/v")])
def test_the_hand_over_tells_of_media_that_it_lacks(
    chosen: str | None, begins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the lines name files of media/, which the vendor is not given."""
    voices = FIXTURES / "rongcloud" / "voice" / "in"
    options = Options(inputs=(str(voices),), output=tmp_path / "out", source="rongcloud", media_url=chosen)
    files = convert(options, progress.Silent(), CLOCK, {}).manifest.media.files
    monkeypatch.setenv("IMCONVERT_LANG", "en")
    done = run(tmp_path / "out", tmp_path / "h")
    assert f"{files} files of {tmp_path / 'out' / 'media'} are named in the lines and not handed over" in done.output
    assert f"begin with {begins}:" in done.output
    record = json.loads((tmp_path / "h" / RECORD).read_bytes())
    assert (files, begins) == (record["media"], record["media_url"])
    assert f"地址以 `{begins}` 开头" in (tmp_path / "h" / SHEET).read_text()
    assert all(f'\\"url\\":\\"{begins}/' in line for line in (tmp_path / "h" / "p2p.txt").read_text().splitlines())


def run(*args: Any) -> Any:
    return CliRunner().invoke(cli, ["pack", *map(str, args)], standalone_mode=False)


def test_the_command_ends_clean(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMCONVERT_LANG", "en")
    done = run(output, tmp_path / "h", "--max-file", "5KiB")
    assert done.return_value == 0
    assert "AppKey is still to be filled in" in done.output
    assert "Records that are not in it: 4;" in done.output
    again = run(output, tmp_path / "h", "--max-file", "5KiB", "--quiet", "--appkey", "abc", "--roaming", "no")
    assert (again.return_value, again.output) == (0, "")
    found = json.loads(run(output, tmp_path / "h", "--max-file", "5KiB", "--json").output)
    assert found["already_finished"]
    assert tuple(found["handover"][name] for name in ("appkey", "roaming", "max_file")) == ("abc", "no", 5120)


def test_the_command_speaks_chinese(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMCONVERT_LANG", "zh")
    assert "AppKey 尚未填写" in run(output, tmp_path / "h").output


@pytest.mark.parametrize("wrong", [["--max-file", "much"], ["--roaming", "maybe"], ["--appkey", "a|b"]])
def test_wrong_use(output: Path, tmp_path: Path, wrong: list[str]) -> None:
    found = run(output, tmp_path / "h", *wrong).exception
    code = found.exit_code
    assert code == 2
    assert not (tmp_path / "h").exists()


def process(*args: Any) -> subprocess.Popen[str]:
    env = {**os.environ, "IMCONVERT_LANG": "en"}
    command = [sys.executable, "-m", "imconvert", "pack", *map(str, args)]
    return subprocess.Popen(command, env=env, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def test_exit_codes(output: Path, tmp_path: Path) -> None:
    mine = copy_of(output, tmp_path / "out")
    (mine / "team-00001.txt").write_bytes(flip((mine / "team-00001.txt").read_bytes()))
    cases = {0: (output, tmp_path / "h"), 2: (tmp_path, tmp_path / "g"), 6: (mine, tmp_path / "f")}
    for code, args in cases.items():
        with process(*args) as run:
            _, said = run.communicate()
        assert code == run.returncode
        assert bool(said) == bool(code)


def test_manifest_is_the_one_of_the_output(output: Path, tmp_path: Path) -> None:
    found = packed(output, tmp_path / "h").handover
    assert hashlib.sha256((output / "manifest.json").read_bytes()).hexdigest() == found.manifest_sha256
