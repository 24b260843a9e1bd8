"""The library: blobs, transactions, schema versions, and what a bad disk or a bad file is answered with."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import IntegrityError, StorageError
from model.files import BlobId
from model.memory.panels.cache import NewPanel, PanelCache
from model.memory.store import schema
from model.memory.store.library import Library
from tests.chance import examples


def keep(library: Library, key: str, prompt: str = "") -> None:
    with library.writing() as connection:
        connection.execute(
            "INSERT INTO panels (key, blob, bytes, prompt, params, created, last_used, pinned)"
            " VALUES (?, '', 0, ?, '{}', 0, 0, 0)",
            (key, prompt),
        )


def keys(library: Library) -> set[str]:
    return {row["key"] for row in library.rows("SELECT key FROM panels")}


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@contextmanager
def files_limited_to(size: int) -> Generator[None]:
    """No file may grow beyond `size` bytes: a full disk that needs no disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_new_library_is_durable_wal_with_large_pages(tmp_path: Path) -> None:
    with Library.open(tmp_path / "a folder" / "50% #1?") as library:
        assert library.rows("PRAGMA journal_mode")[0][0] == "wal"
        assert library.rows("PRAGMA synchronous")[0][0] == 2
        assert library.rows("PRAGMA page_size")[0][0] == 16384
        assert library.rows("PRAGMA foreign_keys")[0][0] == 1
        assert library.rows("PRAGMA user_version")[0][0] == len(schema.STEPS)
    assert sorted(os.listdir(library.folder)) == ["library.db", "library.lock"]
    library.close()


def test_rows_and_blobs_are_there_after_opening_again(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        sha256 = library.store(b"a picture")
        keep(library, "one")
    with Library.open(tmp_path) as library:
        assert keys(library) == {"one"}
        assert library.load(sha256) == b"a picture"


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        with pytest.raises(KeyError), library.writing() as connection:  # noqa: PT012
            connection.execute("DELETE FROM panels")
            connection.execute(
                "INSERT INTO panels VALUES ('k', '', 0, '', '{}', NULL, NULL, 0, 0, 0)",
            )
            raise KeyError
        assert keys(library) == set()
        keep(library, "after")
        assert keys(library) == {"after"}


# --- blobs


@settings(max_examples=examples(40), deadline=None)
@given(data=st.binary(max_size=5000))
def test_what_is_stored_is_loaded(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "blobs-property"
    with Library.open(folder) as library:
        sha256 = library.store(data)
        assert sha256 == hashlib.sha256(data).hexdigest() == library.store(data)
        assert library.load(sha256) == data
        assert library.blob_path(sha256) == folder / "blobs" / sha256[:2] / sha256


def test_a_damaged_or_missing_blob_is_told_and_mended_by_storing_it_again(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        sha256 = library.store(b"a picture")
        path = library.blob_path(sha256)
        path.write_bytes(b"a pigture")
        with pytest.raises(IntegrityError) as error:
            library.load(sha256)
        assert str(path) in one_line(error)
        assert "damaged" in one_line(error)
        library.store(b"a picture")
        assert library.load(sha256) == b"a picture"
        path.unlink()
        with pytest.raises(IntegrityError, match="missing"):
            library.load(sha256)


@pytest.mark.parametrize("name", ["", "../../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_a_sha256_names_a_blob(tmp_path: Path, name: str) -> None:
    with Library.open(tmp_path) as library, pytest.raises(IntegrityError, match="not the name of a blob"):
        library.load(BlobId(name))


# --- bad files


def _half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _empty(file: Path) -> None:
    os.truncate(file, 0)


def _not_sqlite(file: Path) -> None:
    file.write_bytes(b"\x00garbage" * 10_000)


def _garbled_page(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[16384 + 8 : 2 * 16384] = hashlib.sha256(b"noise").digest() * 511
    file.write_bytes(data)


def _another_database(file: Path) -> None:
    file.unlink()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE panels (key TEXT)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [_half, _empty, _not_sqlite, _garbled_page, _another_database])
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    with Library.open(tmp_path) as library:
        for number in range(60):
            keep(library, f"key {number}", "words " * 500)
    damage(library.file)
    before = library.file.read_bytes()
    with pytest.raises(IntegrityError) as error:
        Library.open(tmp_path)
    assert str(library.file) in one_line(error)
    assert "move it" in one_line(error)
    assert library.file.read_bytes() == before


def test_text_that_is_not_utf8_is_damage(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        keep(library, "one")
        with library.writing() as connection:
            connection.execute("UPDATE panels SET prompt = CAST(x'ff80' AS TEXT)")
        with pytest.raises(IntegrityError, match="is damaged"):
            library.rows("SELECT prompt FROM panels")


def test_the_journal_of_a_vanished_file_is_not_replayed_into_a_new_one(tmp_path: Path) -> None:
    kept, moved = tmp_path / "kept", tmp_path / "moved"
    with Library.open(kept) as library:
        keep(library, "only in the journal yet")
        shutil.copytree(kept, moved)
    (moved / "library.db").unlink()
    with pytest.raises(IntegrityError, match=r"library\.db is missing but its journal"):
        Library.open(moved)
    (moved / "library.db-wal").unlink()
    with Library.open(moved) as library:
        assert keys(library) == set()


def test_a_half_made_library_of_a_killed_process_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "library.db.new").write_bytes(b"SQLite format 3\x00 and no more")
    (tmp_path / "library.db.new-wal").write_bytes(b"no more")
    with Library.open(tmp_path) as library:
        keep(library, "one")
        assert keys(library) == {"one"}


# --- schema versions


def test_a_newer_library_is_refused(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        library.rows("PRAGMA user_version = 99")
    with pytest.raises(IntegrityError, match="version 99, this program knows up to"):
        Library.open(tmp_path)


def test_an_older_library_takes_the_new_steps_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library.open(tmp_path) as library:
        keep(library, "old")
    old = schema.STEPS
    monkeypatch.setattr(schema, "STEPS", (*old, ("CREATE TABLE a (x)", "CREATE TABLE broken (")))
    with pytest.raises(sqlite3.OperationalError):
        Library.open(tmp_path)
    monkeypatch.setattr(schema, "STEPS", (*old, ("CREATE TABLE a (x)", "CREATE TABLE b (x)")))
    with Library.open(tmp_path) as library:
        assert library.rows("SELECT * FROM a UNION SELECT * FROM b") == []
        assert library.rows("PRAGMA user_version")[0][0] == len(old) + 1
        assert keys(library) == {"old"}


# --- bad disks


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("I am a file")
    for folder in (tmp_path / "library", tmp_path / "library" / "deeper"):
        with pytest.raises(StorageError) as error:
            Library.open(folder)
        assert str(folder) in one_line(error)


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "library.db").mkdir()
    with pytest.raises(StorageError, match=r"library\.db: it cannot be opened"):
        Library.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(StorageError, match="permission denied"):
        Library.open(folder)


def test_a_read_only_file(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        # SQLite's own switch gives the error of a read-only disk, to root as well.
        library.rows("PRAGMA query_only = ON")
        with pytest.raises(StorageError, match="it is read-only") as error:
            keep(library, "one")
        assert isinstance(error.value.__cause__, sqlite3.OperationalError)


def test_a_library_that_another_process_holds(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library, Library.open(tmp_path) as other, other.writing():
        library.rows("PRAGMA busy_timeout = 20")
        with pytest.raises(StorageError, match="another process has held it"):
            keep(library, "one")


def test_a_full_disk_while_creating_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    with files_limited_to(10_000), pytest.raises(StorageError) as error:
        Library.open(tmp_path)
    assert "library.db" in one_line(error)
    assert not (tmp_path / "library.db").exists()
    with Library.open(tmp_path) as library:
        assert keys(library) == set()


def test_a_full_disk_leaves_earlier_rows_and_blobs_intact(tmp_path: Path) -> None:
    kept: set[str] = set()
    with Library.open(tmp_path) as library:
        early = library.store(b"early")
        with files_limited_to(1_500_000):
            with pytest.raises(StorageError):
                library.store(bytes(1_500_001))
            # PT012: which of the rows is one too many is for the disk to say.
            with pytest.raises(StorageError) as error:  # noqa: PT012
                for number in range(1000):
                    keep(library, f"key {number}", "words " * 1000)
                    kept.add(f"key {number}")
            assert "library.db" in one_line(error)
        assert len(kept) >= 5
        assert keys(library) == kept
        keep(library, "with space again")
    with Library.open(tmp_path) as library:
        assert keys(library) == kept | {"with space again"}
        assert library.load(early) == b"early"
        assert [path.name for path in tmp_path.glob("blobs/*/*")] == [early]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("panels.created", "'abc'"),
        ("panels.blob", "x'ff00'"),
        ("panels.params", "'['"),
        ("panels.bytes", "1.5"),
    ],
)
def test_a_column_of_another_type_is_damage(column: str, value: str, tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        PanelCache(library).add(NewPanel(key="a" * 64, picture=b"x", prompt="", params={}))
        with library.writing() as connection:
            connection.execute(f"UPDATE panels SET {column.partition('.')[2]} = {value}")
    with pytest.raises(IntegrityError, match=re.escape(f"{column} holds values that it cannot have")):
        Library.open(tmp_path)
