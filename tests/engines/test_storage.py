"""Inputs and outputs in a store give what files on a disk give; the port keeps what it promises.

Plan: the same tests for the scheme of local files and for an S3 on loopback. Needs fsspec, s3fs and moto's server, and
is skipped without them unless IMCONVERT_TEST_SPARK=1 demands it.
"""

from __future__ import annotations

import gzip
import os
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.small_jobs import easemob, options, run, small_inputs, tree

from imconvert import durable
from imconvert.cli.spark import chosen_engine
from imconvert.durable import attempts, storage
from imconvert.durable.storage import Ranges, Status, path_of
from imconvert.errors import IntegrityError, UsageError


def missing() -> str:
    """What keeps these tests from running, or nothing."""
    try:
        import fsspec  # noqa: F401 - only whether they are there
        import moto.server  # noqa: F401
        import s3fs  # noqa: F401
    except ImportError as why:
        return f"{why} (pip install 'imconvert[storage]' 'moto[server]')"
    return ""


LACKING = missing()
assert not (LACKING and os.environ.get("IMCONVERT_TEST_SPARK")), LACKING
pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    """An S3 on loopback, to which the usual variables lead."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem(use_listings_cache=False).mkdir("s3://chats")
        yield
    server.stop()


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place in a store, as an address."""
    if request.param == "file":
        return f"file://{tmp_path}/store"
    request.getfixturevalue("s3")
    return f"s3://chats/{uuid.uuid4().hex}"


def upload(folder: Path, address: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            storage.put(path, path_of(f"{address}/{path.relative_to(folder).as_posix()}"))


def stored(address: str) -> dict[str, bytes]:
    """Everything below an address but run.json, as `tree` has it."""
    base = path_of(address)
    found = {each.relative_to(base).as_posix(): storage.known(each).size for each in storage.names(base)}
    return {name: read(base / name) for name in found if name != "run.json"}


def read(path: Path) -> bytes:
    with storage.opened(path) as file:
        return file.read()


@pytest.mark.parametrize(
    ("text", "scheme"),
    [("s3://b/x", "s3"), ("oss://b/x", "oss"), ("hdfs://nn:8020/x", "hdfs"), ("/s3:/x", ""), ("a/b", ""), ("c:/x", "")],
)
def test_addresses_and_paths_are_told_apart(text: str, scheme: str) -> None:
    path = Path(text)
    assert scheme == storage.scheme_of(path)
    assert text == storage.address_of(path)
    assert scheme == storage.scheme_of(path / "deeper" / "name")


def test_a_store_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="IMC-1358"):
        path_of("ftp://host/x")


def test_the_port_does_what_it_says(place: str, tmp_path: Path) -> None:
    base = path_of(place)
    data = bytes(range(256)) * 4000
    (tmp_path / "data").write_bytes(data)
    assert storage.names_in(base) == []
    assert storage.status(base / "a") is None
    storage.put(tmp_path / "data", base / "a")
    (tmp_path / "data").write_bytes(b"second")
    storage.put(tmp_path / "data", base / "b" / "c")
    assert storage.status(base / "a") == Status(len(data), storage.known(base / "a").changed)
    assert [base / "a", base / "b" / "c"] == storage.names(base)
    assert ["a", "b"] == storage.names_in(base)
    assert data[1000:1010] == storage.read_at(base / "a", 1000, 10)
    assert b"" == storage.read_at(base / "a", 5, 0)
    storage.put(tmp_path / "data", base / "a")
    assert read(base / "a") == b"second"
    storage.move(base / "b", base / "d")
    assert [base / "a", base / "d" / "c"] == storage.names(base)
    storage.delete(base / "d")
    storage.delete(base / "d")
    assert [base / "a"] == storage.names(base)
    assert storage.exists(base / "a")
    assert not storage.exists(base / "d")


def test_ranges_are_exact(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BLOCK", 64)
    data = os.urandom(1000)
    (tmp_path / "data").write_bytes(data)
    storage.put(tmp_path / "data", path_of(place) / "a")
    ranges = Ranges(path_of(place) / "a")
    for offset, length in ((0, 1), (63, 2), (0, 64), (10, 700), (990, 50), (999, 1), (1000, 5), (500, 63), (1, 63)):
        assert data[offset : offset + length] == ranges.at(offset, length), (offset, length)
    with storage.opened(path_of(place) / "a") as file:
        assert file.read(10) == data[:10]
        file.seek(-5, os.SEEK_END)
        assert file.read() == data[-5:]


def test_durable_writes_are_whole_or_not_there(place: str) -> None:
    base = path_of(place)
    writer = durable.Writer(base / "rows")
    writer.write(b"one\n")
    writer.write(b"two\n")
    assert not durable.exists(base / "rows")
    writer.finish(sync=True)
    assert list(durable.lines_of(base / "rows")) == [b"one", b"two"]
    assert durable.intact(base / "rows", writer.size, writer.digest)
    with pytest.raises(ZeroDivisionError):
        durable.write_pieces(base / "broken", (bytes(1 // n) for n in (1, 0)), seen=lambda block: None)
    assert durable.read_file(base / "broken") is None
    durable.replace_file(base / "marker.json", b"{}")
    durable.rename(base / "marker.json", base / "final.json")
    assert ["final.json", "rows"] == durable.names_in(base)
    with durable.Reader(base / "rows") as reader, pytest.raises(IntegrityError, match="IMC-6002"):
        reader.at(4, 100)


def test_attempts_put_what_they_wrote(place: str) -> None:
    work = path_of(place)
    durable.replace_file(work / attempts.TURN, b"now")
    with attempts.attempted(work, "one", "now") as attempt:
        durable.replace_file(work / "part.json", b"{}")
        writer = durable.Writer(work / "part")
        writer.write(b"line\n")
        writer.finish()
        assert durable.read_file(work / "part") == b"line\n"
        assert [attempts.TURN] == durable.names_in(work)
        attempts.publish(attempt)
    assert ["part", "part.json", attempts.TURN] == durable.names_in(work)
    assert not attempt.own.exists()
    with attempts.attempted(work, "two", "before") as late, pytest.raises(IntegrityError, match="IMC-6142"):
        attempts.publish(late)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Lines that are cut, a packed file, a zip, hidden and nested ones."""
    folder = tmp_path / "in"
    small_inputs(folder)
    (folder / "deeper").mkdir()
    (folder / "deeper" / "c.ndjson.gz").write_bytes(gzip.compress(b"".join(easemob(n) for n in range(100, 120))))
    (folder / ".hidden").write_bytes(b"not to be read\n")
    with zipfile.ZipFile(folder / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("e.ndjson", b"".join(easemob(n, team=True) for n in range(200, 220)))
    return folder


@pytest.mark.parametrize("more", [{}, {"on_conflict": "rekey", "recalls": "mark", "target": "tencent"}], ids=str)
def test_in_and_out_of_a_store(place: str, inputs: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    more = {"segment_size": 2500, **more}
    upload(inputs, f"{place}/in")
    run(options(inputs, tmp_path / "wanted", **more))
    outcome = run(options(f"{place}/in", path_of(f"{place}/out"), **more))
    assert stored(f"{place}/out") == tree(tmp_path / "wanted")
    again = run(options(f"{place}/in", path_of(f"{place}/out"), **more))
    assert (outcome.again, again.again) == (False, True)


def test_names_and_patterns_have_the_labels_of_files(place: str, inputs: Path, tmp_path: Path) -> None:
    upload(inputs, f"{place}/in")
    for number, pattern in enumerate(("a.ndjson", "*.ndjson")):
        wanted = run(options(inputs / pattern, tmp_path / f"wanted-{number}")).manifest
        found = run(options(f"{place}/in/{pattern}", tmp_path / f"found-{number}")).manifest
        assert wanted == found
    with pytest.raises(UsageError, match="IMC-1001"):
        run(options(f"{place}/nothing", tmp_path / "none"))


def test_a_run_that_was_interrupted_goes_on(place: str, inputs: Path, tmp_path: Path) -> None:
    """Parts that are whole are believed; one that was damaged is made again."""
    run(options(inputs, tmp_path / "wanted", segment_size=2500))
    wish = options(inputs, path_of(f"{place}/out"), segment_size=2500)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("imconvert.convert.run.Run._publish", lambda *args: 1 // 0)
        run(wish)
    work = path_of(f"{place}/out/.work")
    assert any(name.startswith("seal-") for name in durable.names_in(work))
    durable.replace_file(work / "part-00000.p2p", b"damaged\n")
    run(wish)
    assert stored(f"{place}/out") == tree(tmp_path / "wanted")


def test_spark_with_all_in_a_store(s3: None, inputs: Path, tmp_path: Path) -> None:
    """The way there is told to the tasks: Java may run since before it was known here."""
    pytest.importorskip("pyspark")
    place = f"s3://chats/{uuid.uuid4().hex}"
    upload(inputs, f"{place}/in")
    run(options(inputs, tmp_path / "wanted", recalls="drop", segment_size=2500))
    wish = options(f"{place}/in", path_of(f"{place}/out"), recalls="drop", segment_size=2500)
    from support.small_jobs import CLOCK

    from imconvert.cli.progress import Silent
    from imconvert.convert.run import convert

    known = [(f"spark.executorEnv.{name}", value) for name, value in os.environ.items() if name.startswith("AWS_")]
    with chosen_engine("spark", "local[2,4]", [("spark.local.dir", str(tmp_path / "spark")), *known]) as engines:
        convert(wish, Silent(), CLOCK, {}, engines)
    assert stored(f"{place}/out") == tree(tmp_path / "wanted")
