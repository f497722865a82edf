"""``huntgroup journal backup`` with files: what the journal refers to is there, compared, or said to be missing."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.blobs.base import Blob
from broker.blobs.directory import Directory
from broker.cli import backup, main
from broker.cli.common import Exit
from broker.desk import events as e
from broker.journal.base import Append, Record
from broker.journal.sqlite import SqliteStore
from broker.protocol.codec import pack_value

T = 1_700_000_000_000
NAMES = [f"f_{number:016d}" for number in range(3)]
DATA = {name: name.encode() * (number * 1000 + 1) for number, name in enumerate(NAMES)}
UPLOAD = "f_zzzzzzzzzzzzzzzz"


def shared(name: str, data: bytes) -> e.FileShared:
    """A session for each file."""
    sha256 = hashlib.sha256(data).hexdigest()
    return e.FileShared(name, f"s_{name[2:]}", 1, "customer", "v_1", ("c_1", b"s"), len(data), "text/plain", sha256)


def erased(name: str) -> e.CaseDeleted:
    return e.CaseDeleted(f"r_{name[2:]}", 1, "help", None, "deleted", "mia")


def write(folder: Path, *happened: e.Event, account: str = "acme") -> None:
    """Records of these events after those that are there."""
    with closing(SqliteStore(folder / "journal.sqlite")) as store:
        head = store.head(account).seq
        records = [
            Record(head + n, event.TYPE, event.VERSION, T, pack_value(e.pack_body(event)), ())
            for n, event in enumerate(happened, 1)
        ]
        store.append(store.open_epoch(), [Append(account, head, records)])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with shared files, one that is on its way, and one that nobody knows."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    # the bodies name texts that aren't there: the chain holds, and what verify says of them is another test's
    monkeypatch.setattr("broker.journal.inspect.check_contents", lambda reader, account, upto: None)
    write(folder, *(shared(name, data) for name, data in DATA.items()))
    store = Directory(folder / "files")
    for name, content in {**DATA, UPLOAD: b"half of"}.items():
        store.append(Blob("acme", name), 0, content)
    return folder


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(["journal", "backup", "copy", *argv, "--data", "data"])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def kept() -> dict[str, bytes]:
    """The files of the backup."""
    return {path.name: path.read_bytes() for path in Path("copy.files").rglob("f_*")}


@pytest.mark.usefixtures("data")
def test_the_files_of_the_journal_are_copied_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys)
    assert code == Exit.OK
    assert out.splitlines() == [
        "the journal is copied to copy and the copy verified",
        "3 files (52.8 KiB) are copied to copy.files",
    ]
    assert kept() == DATA
    assert sorted(path.name for path in Path().iterdir()) == ["copy", "copy.files", "data"]
    assert {oct(os.stat(path).st_mode & 0o777) for path in Path("copy.files").rglob("f_*")} == {"0o600"}
    assert oct(os.stat("copy.files").st_mode & 0o777) == "0o700"


def test_each_account_has_its_own(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(data, shared(NAMES[0], b"x"), account="globex")
    Directory(data / "files").append(Blob("globex", NAMES[0]), 0, b"x")
    assert run(capsys)[0] == Exit.OK
    assert Directory(Path("copy.files")).read(Blob("globex", NAMES[0]), 0, 10) == b"x"
    assert Directory(Path("copy.files")).read(Blob("acme", NAMES[0]), 0, 100) == DATA[NAMES[0]]


def test_a_missing_and_an_altered_file_are_named_and_the_rest_is_copied(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, other = (data / "files" / "acme" / "00" / name for name in NAMES[:2])
    gone.unlink()
    other.write_bytes(b"?" * len(DATA[NAMES[1]]))
    code, out = run(capsys)
    assert code == Exit.FAILED
    assert f"acme: file {NAMES[0]}: it isn't there\n" in out
    assert f"acme: file {NAMES[1]}: its bytes aren't those that were shared\n" in out
    assert "the journal is copied to copy, with faults\n2 files" in out
    assert kept()[NAMES[2]] == DATA[NAMES[2]]


def test_a_file_that_is_erased_while_the_copy_is_made_is_no_fault(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = backup._copy_files

    def erasing(*args: Path) -> backup.Copied:
        write(data, erased(NAMES[1]))
        (data / "files" / "acme" / "00" / NAMES[1]).unlink()
        return before(*args)

    monkeypatch.setattr(backup, "_copy_files", erasing)
    code, out = run(capsys)
    assert code == Exit.OK
    size = sum(len(DATA[name]) for name in (NAMES[0], NAMES[2])) / 1024
    assert out.endswith(f"2 files ({size:.1f} KiB) are copied to copy.files; 1 were erased meanwhile\n")
    assert set(kept()) == {NAMES[0], NAMES[2]}


def test_what_was_erased_before_is_not_looked_for(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(data, *(erased(name) for name in NAMES))
    code, out = run(capsys)
    assert (code, out) == (Exit.OK, "the journal is copied to copy and the copy verified\n")
    assert not Path("copy.files").exists()


@pytest.mark.usefixtures("data")
def test_the_journal_alone_where_that_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "--without-files")
    assert (code, out) == (Exit.OK, "the journal is copied to copy and the copy verified\n")
    assert sorted(path.name for path in Path().iterdir()) == ["copy", "data"]


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("name", ["copy.files", "copy.files.partial"])
def test_it_never_writes_into_what_is_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).mkdir()
    code, out = run(capsys)
    assert code == Exit.USAGE
    assert f"{name} exists already" in out
    assert not Path("copy").exists()


@pytest.mark.usefixtures("data")
def test_a_full_disk_leaves_no_half_backup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Directory, blob: Blob, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Directory, "finish", full)
    code, out = run(capsys)
    assert code == Exit.USAGE
    assert "cannot copy the files to copy.files: No space left on device" in out
    assert [path.name for path in Path().iterdir()] == ["data"]


def test_a_record_that_can_not_be_read_is_a_fault(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(data / "journal.sqlite")) as file, file:
        file.execute("UPDATE records SET version = 99 WHERE seq = 2")
    code, out = run(capsys)
    assert code == Exit.FAILED
    assert "acme: its files aren't copied: a record can't be read: event 'file.shared' version 99 is unknown" in out
