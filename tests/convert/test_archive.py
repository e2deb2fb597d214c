"""A finished output as an input: its shards, and nothing else of it; what is not whole is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden import FIXTURES, LATEST
from golden import run as convert_case
from support.small_jobs import options, run, small_inputs, tree

from imconvert.errors import IntegrityError, UsageError
from imconvert.sources.inputs import expand


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    small_inputs(tmp_path / "in")
    run(options(tmp_path / "in", tmp_path / "archive"))
    return tmp_path / "archive"


def labels(*folders: Path) -> list[str]:
    return [label for label, _ in expand(tuple(map(str, folders)))]


def test_only_its_shards_are_read(archive: Path) -> None:
    assert (archive / "rejects.ndjson").stat().st_size
    names = [path.name for path in sorted(archive.glob("*-*.txt"))]
    assert [f"archive/{name}" for name in names] == labels(archive)


def test_an_archive_below_a_named_folder(archive: Path) -> None:
    """Beside exports of other kinds, which are read as ever."""
    found = labels(archive.parent)
    assert ["in/a.ndjson", "in/b.ndjson"] == [label for label in found if label.startswith("in/")]
    assert labels(archive) == [label for label in found if label.startswith("archive/")]


def test_two_archives_are_told_apart(archive: Path, tmp_path: Path) -> None:
    run(options(tmp_path / "in", tmp_path / "other"))
    assert len({*labels(archive, tmp_path / "other")}) == 2 * len(labels(archive))


@pytest.mark.parametrize(
    "manifest", ["{}", "[1]", "no json", '{"name":"my app","version":1}', '{"format":1,"shards":[]}']
)
def test_any_other_manifest_is_a_file_like_others(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    (tmp_path / "a.ndjson").write_text("{}")
    assert ["a.ndjson", "manifest.json"] == labels(tmp_path)


def changed(folder: Path, **more: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


def refused(folder: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        labels(folder)
    return caught.value


def test_what_is_not_whole_is_refused(archive: Path) -> None:
    shard = archive / "p2p-00001.txt"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    assert ("IMC-1202", "p2p-00001.txt has") == (refused(archive).code, str(refused(archive).values["why"])[:17])
    shard.unlink()
    assert "IMC-1202" == refused(archive).code
    shard.write_bytes(data)
    assert labels(archive)
    (archive / ".work").mkdir()
    assert "IMC-1202" == refused(archive).code


@pytest.mark.parametrize("target", ["easemob", "tencent", "device"])
def test_outputs_that_are_no_archive_are_refused(tmp_path: Path, target: str) -> None:
    small_inputs(tmp_path / "in")
    run(options(tmp_path / "in", tmp_path / "out", target=target))
    why = refused(tmp_path / "out")
    assert ("IMC-1201", target, "yunxin") == (why.code, why.values["target"], why.values["known"])


@pytest.mark.parametrize("name", ["yunxin/guide-joined", "easemob/custom", "easemob/location", "tencent/image"])
@pytest.mark.parametrize("target", ["yunxin", "easemob"])
def test_the_detour_loses_no_message(tmp_path: Path, name: str, target: str) -> None:
    """By an archive everything arrives that arrives directly, each conversation with as many messages."""
    source = FIXTURES / name / "in"
    convert_case(source, tmp_path / "archive", "auto")
    direct = convert_case(source, tmp_path / "direct", "auto", target=target).manifest
    detour = convert_case(tmp_path / "archive", tmp_path / "detour", "auto", target=target).manifest
    assert (direct.totals.written, direct.streams) == (detour.totals.written, detour.streams)
    assert detour.totals.written == detour.totals.read
    if target == "yunxin":
        lines = [b"".join(p.read_bytes() for p in sorted((tmp_path / n).glob("*.txt"))) for n in ("direct", "detour")]
        assert lines[0] == lines[1]


def test_custom_content_of_easemob_comes_back_by_an_archive(tmp_path: Path) -> None:
    source = FIXTURES / "easemob" / "custom" / "in"
    convert_case(source, tmp_path / "archive", "easemob")
    convert_case(source, tmp_path / "direct", "easemob", target="easemob")
    convert_case(tmp_path / "archive", tmp_path / "detour", "yunxin", target="easemob")
    assert bodies(tmp_path / "direct") == bodies(tmp_path / "detour")


def test_what_the_detour_costs_is_told(tmp_path: Path) -> None:
    source = FIXTURES / "easemob" / "several-bodies" / "in"
    convert_case(source, tmp_path / "archive", "easemob")
    found = convert_case(tmp_path / "archive", tmp_path / "detour", "yunxin", target="easemob").manifest
    told = [name for row in found.fidelity.values() for name in row.degraded]
    assert {"bodies of one message stay apart"} == set(told)
    direct = convert_case(source, tmp_path / "direct", "easemob", target="easemob").manifest
    assert {} == {name: row for fidelity in direct.fidelity.values() for name, row in fidelity.degraded.items()}


def bodies(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in sorted(folder.glob("*-*.ndjson")) for line in path.read_bytes().splitlines()]
    return [json.loads(line)["body"]["body"] for line in lines]


def test_files_are_brought_along(tmp_path: Path) -> None:
    """Those that the archive took out of records, and those that are made of long texts, in one folder and list."""
    voices = FIXTURES / "rongcloud" / "voice" / "in"
    convert_case(voices, tmp_path / "archive", "rongcloud")
    (tmp_path / "more").mkdir()
    line = {"type": 0, "data": {"msgid": 1, "from": "a", "to": "b", "createTime": LATEST - 1, "clientType": 1,
                                "body": "x" * 9000}}  # fmt: skip
    (tmp_path / "more" / "long.txt").write_text(json.dumps(line) + "\n")
    inputs = [tmp_path / "archive", tmp_path / "more"]
    settings = {"easemob.long_text": "file"}
    outcome = convert_case(inputs, tmp_path / "out", "yunxin", target="easemob", settings=settings)
    found = {json.loads(line)["name"] for line in (tmp_path / "out" / "media.ndjson").read_bytes().splitlines()}
    uploads = {
        name
        for path in (tmp_path / "out").glob("*-*.ndjson")
        for line in path.read_bytes().splitlines()
        for name in json.loads(line).get("upload", [])
    }
    assert uploads == found == {name for name in tree(tmp_path / "out") if name.startswith("media/")}
    assert len(found) == outcome.manifest.media.files > 1
    again = convert_case(tmp_path / "archive", tmp_path / "again", "yunxin")
    assert again.manifest.media == convert_case(voices, tmp_path / "direct", "rongcloud").manifest.media


def test_a_damaged_file_is_not_brought_along(tmp_path: Path) -> None:
    convert_case(FIXTURES / "rongcloud" / "voice" / "in", tmp_path / "archive", "rongcloud")
    path = next(path for path in (tmp_path / "archive" / "media").rglob("*") if path.is_file())
    path.write_bytes(b"other")
    with pytest.raises(IntegrityError, match="IMC-6002"):
        convert_case(tmp_path / "archive", tmp_path / "out", "yunxin", target="easemob")


def test_a_list_of_files_that_is_not_ours_is_a_file_like_others(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "media.ndjson").write_text("no list\n")
    line = b'{"type":0,"data":{"msgid":1,"from":"a","to":"b","createTime":1711000000000,"clientType":1,"body":"x"}}\n'
    (tmp_path / "in" / "a.txt").write_bytes(line)
    assert 0 == convert_case(tmp_path / "in", tmp_path / "out", "yunxin").manifest.media.files
