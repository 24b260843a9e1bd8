"""The hub, asked through huggingface_hub's own client: what a repository holds, who may have it, its bytes.

In: sources. Out: listings and streams. HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and proxies are the client's
business. A hub that is busy (429, 5xx) or a line that breaks is asked again a few times, as late as it
wishes; then, as for every refusal, one line says what to do. Knows nothing of where files lie.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from huggingface_hub import HfApi, constants, get_token, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from download.cache import is_digest, is_inside
from download.catalog import Source
from download.verify import Expected
from model.errors import AutoStudioError, IntegrityError, WeightsMissing

Answer = TypeVar("Answer")

TRIES = 4
BUSY = (408, 429, 500, 502, 503, 504)
LONGEST_WAIT = 120.0
AGAIN = "what is here stays, and the same command goes on from it"
TOKENS = "https://huggingface.co/settings/tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a repository holds at a commit: path → what the file should be."""

    commit: str
    gated: bool
    files: dict[str, Expected]


class Hub:
    """One endpoint.

    Args:
        endpoint: default: what HF_ENDPOINT says.
        pause: what waiting is done with.
    """

    def __init__(self, *, endpoint: str | None = None, pause: Callable[[float], None] = time.sleep) -> None:
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self._pause = pause
        self._api = HfApi(endpoint=self.endpoint)

    def listing(self, source: Source) -> Listing:
        """Ask what the source's repository holds at its revision.

        Raises:
            WeightsMissing: it cannot be had, or the answer is no listing; the message says what to do.
            IntegrityError: it names bytes by what is no digest.
        """
        try:
            with self._plainly(source):
                found = self.patiently(
                    lambda: self._api.model_info(
                        source.repository,
                        revision=source.revision,
                        files_metadata=True,
                        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
                    )
                )
            return self._listing_of(source, found)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            # The client takes a web page or a list apart as if it were a listing.
            raise self._no_listing(source, type(error).__name__) from error

    def _listing_of(self, source: Source, found: Any) -> Listing:
        """What the client made of the hub's answer, checked: digests and paths become names of files."""
        files: dict[str, Expected] = {}
        for one in found.siblings or ():
            digest = one.lfs.sha256 if one.lfs else one.blob_id
            if digest is None:
                continue
            size = one.size or 0
            if not is_digest(digest) or not is_inside(one.rfilename):
                raise IntegrityError(
                    f"{source.page}: {self.endpoint} names a file {one.rfilename!r:.80} with the digest "
                    f"{digest!r:.80}; expected a path inside the repository and 40 or 64 hex digits; "
                    "is HF_ENDPOINT a hub?"
                )
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 60:
                raise self._no_listing(source, f"a size of {size!r:.40}")
            files[one.rfilename] = Expected(bytes=size, digest=digest)
        if not files or not is_digest(found.sha):
            raise self._no_listing(source, "names no files of it")
        return Listing(commit=found.sha, gated=bool(found.gated), files=files)

    def _no_listing(self, source: Source, found: str) -> WeightsMissing:
        return WeightsMissing(
            f"{source.page}: {self.endpoint} does not answer with a listing ({found}); is HF_ENDPOINT a hub?"
        )

    def check_access(self, source: Source) -> None:
        """Ask whether a gated repository's files would be handed out, before any is wanted.

        Raises:
            WeightsMissing: they would not be; the message names the page to accept.
        """
        with self._plainly(source):
            self.patiently(lambda: self._api.auth_check(source.repository))

    @contextlib.contextmanager
    def stream(self, source: Source, commit: str, path: str, start: int) -> Iterator[httpx2.Response]:
        """Open a file's bytes from `start` on: status 206 says that they begin there, 200 that it is all.

        Raises:
            HfHubHTTPError, httpx2.HTTPError: of the client; for `patiently`.
        """
        url = hf_hub_url(source.repository, path, revision=commit, endpoint=self.endpoint)
        headers = build_hf_headers() | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        session, limit = get_session(), constants.HF_HUB_DOWNLOAD_TIMEOUT
        with session.stream("GET", url, headers=headers, timeout=limit) as answer:
            hf_raise_for_status(answer)
            yield answer

    def patiently(self, ask: Callable[[], Answer], *, progress: Callable[[], int] = lambda: 0) -> Answer:
        """Ask, and ask again where the hub is busy or the line breaks.

        Args:
            progress: a number that grows while there is some; then the tries begin anew.
        """
        tried, before = 0, progress()
        while True:
            try:
                return ask()
            except (HfHubHTTPError, httpx2.TransportError, LocalEntryNotFoundError) as error:
                cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
                after = progress()
                tried, before = (1, after) if after > before else (tried + 1, before)
                if tried >= TRIES or not _passing(cause):
                    raise
                self._pause(_wait(cause, tried))

    @contextlib.contextmanager
    def _plainly(self, source: Source, path: str = "") -> Iterator[None]:
        try:
            yield
        except (HfHubHTTPError, httpx2.HTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
            raise self.refusal(error, source, path) from error

    def refusal(self, error: BaseException, source: Source, path: str = "") -> AutoStudioError:
        """What an error of the client means to a person."""
        what = f"{source.repository}/{path}" if path else source.repository
        if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
            error = error.__cause__
        if isinstance(error, OfflineModeIsEnabled):
            return WeightsMissing(
                f"{what}: HF_HUB_OFFLINE is set, so nothing is fetched; unset it and run this again"
            )
        if isinstance(error, GatedRepoError):
            return WeightsMissing(_gated(source))
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
        if status in (401, 403) and get_token():
            return WeightsMissing(
                f"{what}: {self.endpoint} does not accept the token in HF_TOKEN ({status}); make a new one "
                f"with read access at {TOKENS}"
            )
        if isinstance(error, RevisionNotFoundError):
            return WeightsMissing(f"{what}: no revision '{source.revision}' there; see {source.page}")
        if isinstance(error, RemoteEntryNotFoundError):
            return WeightsMissing(f"{what}: the hub has no such file just now; try again later ({AGAIN})")
        if isinstance(error, RepositoryNotFoundError):
            return WeightsMissing(
                f"{what}: {self.endpoint} does not show it ({status}); if {source.page} opens in a "
                f"browser, log in there and put a token of {TOKENS} in HF_TOKEN; otherwise check HF_ENDPOINT"
            )
        if status == 429:
            return WeightsMissing(f"{what}: the hub asks to wait (429); try again in some minutes; {AGAIN}")
        if status:
            return WeightsMissing(f"{what}: the hub answers {status}; try again later; {AGAIN}")
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        return WeightsMissing(
            f"{what}: no connection to {self.endpoint} ({reason}); check network and proxy; {AGAIN}"
        )


def _gated(source: Source) -> str:
    if get_token():
        return (
            f"{source.repository} is gated, and the account of your HF_TOKEN has not been let in: accept its "
            f"licence ({source.licence}) at {source.page}, and let the token read public gated repositories "
            f"({TOKENS}); then run the same command again"
        )
    return (
        f"{source.repository} is gated: log in and accept its licence ({source.licence}) at {source.page}, "
        f"make a token at {TOKENS}, set HF_TOKEN to it, and run the same command again"
    )


def _passing(error: BaseException | None) -> bool:
    """Whether this may be otherwise in a moment."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in BUSY
    return isinstance(error, httpx2.TransportError)


def _wait(error: BaseException | None, tried: int) -> float:
    """Seconds until the next try: what the hub asks for, else 1, 2, 4, …"""
    if isinstance(error, HfHubHTTPError):
        asked = error.response.headers.get("Retry-After", "")
        if asked.isdigit():
            return min(float(asked), LONGEST_WAIT)
    return float(2 ** (tried - 1))
