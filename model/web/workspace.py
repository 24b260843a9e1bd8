"""The workspace: the one folder in which everything of a studio lies, and the lock that keeps it to one
server.

    WORKSPACE/books/<name>/story.json   the truth; `book/` beside it is what was drawn and bound
    WORKSPACE/library/                  drawn panels, characters, revisions, the queue
    WORKSPACE/bin/                      deleted books
    WORKSPACE/studio.lock               the address of the server that runs here

In: names from requests. Out: paths inside the workspace, or an error. Knows nothing of stories.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from model.errors import ConfigError
from model.files import storage_errors

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Workspace:
    """Paths of a workspace. Making one makes its folders.

    Raises:
        StorageError: they cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.books = self.folder / "books"
        self.library = self.folder / "library"
        self.bin = self.folder / "bin"
        with storage_errors(folder):
            for place in (self.books, self.library, self.bin):
                place.mkdir(parents=True, exist_ok=True)

    def book(self, name: str) -> Path:
        """The folder of a book, which must be there.

        Raises:
            KeyError: there is none of that name.
        """
        folder = self.books / name
        if not NAME.fullmatch(name) or not (folder / "story.json").is_file() or folder.is_symlink():
            raise KeyError(name)
        return folder

    def names(self) -> list[str]:
        """All books."""
        return sorted(
            folder.name
            for folder in self.books.iterdir()
            if NAME.fullmatch(folder.name) and (folder / "story.json").is_file() and not folder.is_symlink()
        )

    def free_name(self, wanted: str) -> str:
        """A name like this one that no book has, and none in the bin that would come back under it."""
        plain = re.sub(r"[^a-z0-9_-]+", "-", wanted.casefold()).strip("-_")[:48] or "book"
        name, number = plain, 2
        while (self.books / name).exists():
            name, number = f"{plain}-{number}", number + 1
        return name


class Held:
    """A lock on a workspace that ends with the process that has it, however it ends."""

    def __init__(self, workspace: Workspace) -> None:
        """Take it.

        Raises:
            ConfigError: another server has it; the message says at which address.
        """
        self._path = workspace.folder / "studio.lock"
        with storage_errors(self._path):
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._handle)
        except OSError as error:
            told = (
                os.pread(self._handle, 400, 1).decode("utf-8", "replace").strip() if os.name != "nt" else ""
            )
            os.close(self._handle)
            where = f"at {told}" if told else "already"
            raise ConfigError(
                f"--workspace {workspace.folder}: a studio is open {where}; use that one, stop it, or choose "
                "another --workspace"
            ) from error

    def tell(self, address: str) -> None:
        """Write down the address, for whoever comes second. The first byte is what is locked on Windows."""
        with storage_errors(self._path):
            os.ftruncate(self._handle, 0)
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, f" {address}\n".encode())

    def close(self) -> None:
        os.close(self._handle)


def _lock(handle: int) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        return
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
