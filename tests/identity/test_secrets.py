"""The installation's secret: made once, whole, for its owner alone; keys that say nothing of each other."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from broker.identity.secrets import NAME, SecretError, Secrets, derive, load, load_or_create


def test_the_first_start_makes_it_and_later_ones_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    made = load_or_create(folder)
    assert load_or_create(folder) == made
    assert load(folder) == made
    assert [entry.name for entry in folder.iterdir()] == [NAME]


def test_it_is_32_bytes_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    found = (tmp_path / NAME).stat()
    assert (stat.S_IMODE(found.st_mode), found.st_size) == (0o600, 32)


def test_two_installations_differ(tmp_path: Path) -> None:
    assert load_or_create(tmp_path / "a") != load_or_create(tmp_path / "b")


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / NAME).chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        load_or_create(tmp_path)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_file_of_another_length_is_refused_and_left_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / NAME
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(SecretError, match="not 32 bytes"):
        load_or_create(tmp_path)
    assert path.read_bytes() == bytes(size)


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="first start"):
        load(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretError, match=r"secret\.key"):
        load_or_create(tmp_path / "file" / "data")
    (tmp_path / NAME).mkdir()
    with pytest.raises(SecretError, match="can't be read"):
        load(tmp_path)


def _race(folder: str, start: "multiprocessing.synchronize.Barrier", roots: "multiprocessing.Queue[bytes]") -> None:
    start.wait()
    roots.put(load_or_create(Path(folder)).root)


@pytest.mark.slow
def test_processes_that_start_at_once_end_up_with_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, roots = context.Barrier(4), context.Queue()
    racers = [context.Process(target=_race, args=(os.fspath(tmp_path), start, roots)) for _ in range(4)]
    for racer in racers:
        racer.start()
    found = {roots.get(timeout=20) for _ in racers}
    for racer in racers:
        racer.join(20)
    assert found == {load(tmp_path).root}
    assert [entry.name for entry in tmp_path.iterdir()] == [NAME]


def test_each_purpose_has_a_key_of_its_own() -> None:
    one, other = Secrets(bytes(32)), Secrets(bytes(31) + b"\x01")
    keys = [
        key
        for secrets in (one, other)
        for key in (
            secrets.token_key,
            secrets.pin_key,
            secrets.fingerprint_key,
            secrets.transcript_key,
            secrets.page_key,
            secrets.api_key_key,
            secrets.source_key,
        )
    ]
    assert len(set(keys)) == 14
    assert {len(key) for key in keys} == {32}


def test_derivation_is_hkdf_as_the_rfc_has_it() -> None:
    # RFC 5869, test case 3: SHA-256, no salt, no info; its first block
    expected = bytes.fromhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
    assert derive(b"\x0b" * 22, "") == expected


def test_the_root_is_never_shown() -> None:
    secrets = Secrets(b"0123456789abcdef0123456789abcdef")
    assert "0123" not in repr(secrets)


def test_a_short_root_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        Secrets(b"short")
