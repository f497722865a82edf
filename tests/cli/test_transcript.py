"""``huntgroup transcript``: verifies a file, prints the key, and gets one from a real broker."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from broker.cli.common import Exit
from broker.identity import secrets
from broker.identity.signatures import Signatures
from tests.cli.conftest import Run, Served
from tests.views.talk import SIGNATURES, TALK, document

GOOD = document("json")


def test_a_good_one_is_told_so(run: Run) -> None:
    Path("t.json").write_text(GOOD, encoding="utf-8")
    code, out, _ = run("transcript", "verify", "t.json")
    assert code == Exit.OK
    assert out == (
        "t.json: holds: 11 entries of s_1 (acme/help)\n"
        f"signed by {SIGNATURES.public}; whether that is the broker's, only --key tells\n"
    )
    code, out, _ = run("transcript", "verify", "t.json", "--key", SIGNATURES.public)
    assert (code, out.splitlines()[1]) == (Exit.OK, "signed by the key that was given")


def test_the_first_fault_is_named(run: Run) -> None:
    Path("t.json").write_text(GOOD.replace("Hello?", "Bye!"), encoding="utf-8")
    code, out, _ = run("transcript", "verify", "t.json")
    assert (code, out) == (
        Exit.FAILED,
        "t.json: doesn't hold: entry 2 is altered: it isn't what its hash was made of\n",
    )
    code, out, _ = run("transcript", "verify", "t.json", "--json")
    told = json.loads(out)
    assert (code, told["good"], told["entry"]) == (Exit.FAILED, False, 2)


def test_a_good_one_by_another_key_is_not_the_brokers(run: Run) -> None:
    other = Signatures(bytes(32))
    Path("t.json").write_text(document("json", TALK, signatures=other), encoding="utf-8")
    assert run("transcript", "verify", "t.json")[0] == Exit.OK
    code, out, _ = run("transcript", "verify", "t.json", "--key", SIGNATURES.public)
    assert code == Exit.FAILED
    assert f"signed by {other.public}, which isn't the key that was given" in out
    code, out, _ = run("transcript", "verify", "t.json", "--json", "--key", other.public)
    assert (code, json.loads(out)["good"]) == (Exit.OK, True)


@pytest.mark.parametrize(
    ("data", "why"),
    [(None, "No such file"), (b"{}", "no transcript"), (b"\xff", "not UTF-8"), (b"huntgroup", "no JSON")],
)
def test_what_is_no_transcript_is_refused(run: Run, data: bytes | None, why: str) -> None:
    if data is not None:
        Path("t.json").write_bytes(data)
    code, out, err = run("transcript", "verify", "t.json")
    assert (code, out) == (Exit.USAGE, "")
    assert why in err


def test_a_file_that_is_too_large_is_not_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.cli.transcript.MOST_BYTES", 10)
    Path("t.json").write_text(GOOD, encoding="utf-8")
    assert "larger than" in run("transcript", "verify", "t.json")[2]


def test_it_reads_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert run("transcript", "verify", "-")[0] == Exit.OK


def test_a_key_that_is_none_is_refused(run: Run) -> None:
    Path("t.json").write_text(GOOD, encoding="utf-8")
    for key in ("", "x", SIGNATURES.public[:-1], SIGNATURES.public.removeprefix("ed25519:")):
        code, _, err = run("transcript", "verify", "t.json", "--key", key)
        assert (code, "--key: expected ed25519:" in err) == (Exit.USAGE, True)


def test_nothing_in_a_file_moves_the_cursor(run: Run) -> None:
    forged = json.loads(GOOD)
    forged["key"] = "\x1b[2J"
    Path("t.json").write_text(json.dumps(forged), encoding="utf-8")
    code, out, err = run("transcript", "verify", "t.json")
    assert code == Exit.FAILED
    assert "\x1b" not in out + err
    Path("t.json").write_text('{"\x7f": 1, "\x7f": 2}', encoding="utf-8")
    code, out, err = run("transcript", "verify", "t.json")
    assert (code, "\x7f" in out + err) == (Exit.USAGE, False)


def test_the_key_is_that_of_the_data_folder(run: Run, tmp_path: Path) -> None:
    made = secrets.load_or_create(tmp_path / "data")
    code, out, _ = run("transcript", "key", "--data", "data")
    assert (code, out.strip()) == (Exit.OK, Signatures(made.transcript_key).public)
    assert run("transcript", "key", "--data", "nowhere")[0] == Exit.USAGE


def test_a_session_that_is_not_there_is_told_so(run: Run, served: Served) -> None:
    code, out, err = run("transcript", "get", "s_nobody", *served.auth("one", "boss"), "--out", "t.txt")
    assert (code, out) == (Exit.FAILED, "")
    assert "no such session" in err
    assert not Path("t.txt").exists()
    code, _, err = run("transcript", "get", "s_nobody", *served.auth("one", "tim"))
    assert code == Exit.FAILED
    assert "needs the right transcripts" in err


def test_options_that_do_not_go_together_are_refused(run: Run) -> None:
    assert "both --portal and --visitor" in run("transcript", "get", "s_1", "--portal", "one/help")[2]
    Path("t.txt").write_text("precious", encoding="utf-8")
    code, _, err = run("transcript", "get", "s_1", "--token", "v1.x", "--out", "t.txt")
    assert (code, "there already" in err) == (Exit.USAGE, True)
