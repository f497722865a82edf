"""``huntgroup journal`` on a real file: what it prints, and what its exit codes say."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.cli import main
from broker.cli.common import Exit
from broker.content import digest
from broker.journal.base import Append, Content, Record
from broker.journal.sqlite import SqliteStore
from broker.protocol.codec import pack_value

T = 1_700_000_000_000


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose journal has three records of one account."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(SqliteStore(folder / "journal.sqlite")) as store:
        body = pack_value(("x", 1))
        records = [Record(seq, "thing.happened", 1, T + seq, body, (("account", seq, "thing"),)) for seq in (1, 2, 3)]
        store.append(store.open_epoch(), [Append("acme", 0, records)])
    return folder


def damage(folder: Path, sql: str) -> None:
    """Change the file behind the broker's back."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as file, file:
        file.execute(sql)


def alter(folder: Path) -> None:
    """Change the second record behind the chain's back."""
    damage(folder, "UPDATE records SET t = t + 1 WHERE seq = 2")


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Exit code and output of ``huntgroup journal … --data data``."""
    code = main(["journal", *argv, "--data", "data"])
    return code, capsys.readouterr().out


def end(capsys: pytest.CaptureFixture[str]) -> str:
    """SEQ:HASH of the account's last record."""
    code, out = run(capsys, "verify", "--json")
    assert code == Exit.OK
    found = json.loads(out)
    assert found["good"] is True
    noted: str = found["accounts"]["acme"]["end"]
    return noted


@pytest.mark.usefixtures("data")
def test_a_chain_that_holds_is_said_to_with_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    noted = end(capsys)
    assert noted.startswith("3:")
    assert run(capsys, "verify") == (Exit.OK, f"acme: the chain holds; it ends at {noted}\n")


def test_an_altered_record_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(data)
    code, out = run(capsys, "verify")
    assert code == Exit.FAILED
    assert "acme: doesn't hold: account acme: record 2" in out
    code, out = run(capsys, "verify", "--json")
    assert code == Exit.FAILED
    assert json.loads(out)["good"] is False


def test_a_lost_tail_shows_against_a_noted_end(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noted = end(capsys)
    assert run(capsys, "verify", "--account", "acme", "--against", noted)[0] == Exit.OK
    later = f"4:{noted.partition(':')[2]}"
    assert run(capsys, "verify", "--account", "acme", "--against", later)[0] == Exit.FAILED


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    "argv", [["verify", "--account", "other"], ["dump", "other"], ["dump", "other", "--limit", "0"]]
)
def test_an_account_that_is_not_there_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", *argv, "--data", "data"]) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "huntgroup: data/journal.sqlite has no account other\n"


def test_an_account_whose_row_was_deleted_is_a_fault(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(data, "DELETE FROM accounts")
    code, out = run(capsys, "verify")
    assert code == Exit.FAILED
    assert out.startswith("number 1: doesn't hold: account number 1 isn't in accounts, and has 3 rows in records")
    assert run(capsys, "verify", "--account", "acme") == (code, out)
    code, out = run(capsys, "verify", "--json")
    assert code == Exit.FAILED
    found = json.loads(out)
    assert (found["good"], found["accounts"]["number 1"]["good"]) == (False, False)
    code, out = run(capsys, "backup", "copy")
    assert code == Exit.FAILED
    assert "number 1" in out


def test_a_file_without_accounts_says_so(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "journal.sqlite").unlink()
    SqliteStore(data / "journal.sqlite").close()
    code, out = run(capsys, "verify")
    assert code == Exit.OK
    assert out.endswith("journal.sqlite has no account: no broker has written to it, or all that was in it is gone\n")
    assert run(capsys, "verify", "--json") == (Exit.OK, '{"accounts": {}, "good": true}\n')
    code, out = run(capsys, "backup", "copy")
    assert code == Exit.OK
    assert "has no account" in out


def test_an_altered_text_is_a_fault(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(SqliteStore(data / "journal.sqlite")) as store:
        text = Content("c_1", b"s" * 16, b"Ann")
        body = pack_value(("x", (text.id, digest(text.salt, text.data))))
        record = Record(4, "thing.happened", 1, T + 4, body, (("account", 4, "thing"),))
        store.append(store.open_epoch(), [Append("acme", 3, [record], contents=[text])])
    assert run(capsys, "verify")[0] == Exit.OK
    damage(data, "UPDATE contents SET data = CAST('Zoe' AS BLOB)")
    assert run(capsys, "verify") == (
        Exit.FAILED,
        "acme: doesn't hold: account acme: content c_1 doesn't fit its digest in record 4: it is altered\n",
    )


@pytest.mark.usefixtures("data")
def test_records_are_dumped_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "dump", "acme", "--after", "1", "--limit", "1")
    assert code == Exit.OK
    (line,) = out.splitlines()
    record = json.loads(line)
    assert (record["seq"], record["type"], record["body"]) == (2, "thing.happened", ["x", 1])
    assert len(run(capsys, "dump", "acme")[1].splitlines()) == 3


def test_a_backup_is_a_journal(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noted = end(capsys)
    code, out = run(capsys, "backup", "copy")
    assert (code, out) == (Exit.OK, "the journal is copied to copy and the copy verified\n")
    (data / "journal.sqlite").write_bytes(Path("copy").read_bytes())
    assert end(capsys) == noted


@pytest.mark.usefixtures("data")
def test_a_backup_never_replaces_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("copy").write_text("precious")
    assert main(["journal", "backup", "copy", "--data", "data"]) == Exit.USAGE
    assert "copy exists already" in capsys.readouterr().err
    assert Path("copy").read_text() == "precious"


def test_a_backup_of_a_faulty_journal_says_so(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(data)
    code, out = run(capsys, "backup", "copy")
    assert code == Exit.FAILED
    assert "record 2" in out


def test_a_file_that_is_no_journal_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "journal.sqlite").write_bytes(b"not a database, and long enough to be taken for one" * 100)
    assert main(["journal", "verify", "--data", "data"]) == Exit.FAILED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "not a database" in captured.err


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("number", ["-1", "x", "²"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(SystemExit):
        main(["journal", "dump", "acme", f"--after={number}", "--data", "data"])


def test_a_journal_in_memory_cannot_be_looked_into(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUNTGROUP_DATA_JOURNAL", "memory")
    assert main(["journal", "verify", "--data", "data"]) == Exit.USAGE
    assert "memory" in capsys.readouterr().err
