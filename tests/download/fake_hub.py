"""A hub on this machine: http.server threads that speak the hub's protocol, and break where they are told.

One port answers as the hub does (model info, auth-check, resolve), another as its CDN, to which large files
are redirected. The real client talks to them over real sockets.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session

from download.catalog import Source

LARGE = (".safetensors", ".gguf", ".pth")


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next `times` requests of `method` whose path ends in `path`.

    kind: `cut` (half of the bytes, then the line ends), `drop` (no answer at all), `wrong` (one other byte),
    `whole` (a range is not heeded), or a status.
    """

    path: str
    kind: str
    times: int = 1
    method: str = "GET"
    retry_after: str = ""


@dataclass(kw_only=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    start: int
    token: str
    cdn: bool


@dataclass
class FakeHub:
    """What the hub has, which tokens it accepts, and what was asked of it."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    tokens: dict[str, set[str]] = field(
        default_factory=dict
    )  # token → repositories whose licence it accepted
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    commit: str = "c0ffee" + "0" * 34
    endpoint: str = ""
    cdn: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def break_(self, path: str, kind: str, times: int = 1, **more: str) -> None:
        """Let something go wrong from now on."""
        self.faults.append(Fault(path=path, kind=kind, times=times, **more))

    def fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method == method and path.endswith(fault.path):
                    fault.times -= 1
                    return fault
        return None

    def bodies(self, path: str = "") -> list[Asked]:
        """Requests for the bytes of files; redirections are left out."""
        served = [one for one in self.asked if one.method == "GET" and one.path.endswith(path)]
        return [one for one in served if one.cdn or ("/resolve/" in one.path and not _is_large(one.path))]

    def digest(self, path: str, repository: str = "studio/comic") -> str:
        """What the cache calls the file."""
        return _digest(path, self.repositories[repository][path])


def _is_large(path: str) -> bool:
    return path.endswith(LARGE)


def _git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _digest(path: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if _is_large(path) else _git_sha1(data)


class Handler(BaseHTTPRequestHandler):
    """Either of the two ports."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the tests' stderr."""

    def _answer(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        self._start = int(span[1]) if span else 0
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        cdn = re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path)
        resolve = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+?)/(revision/[^/]+|auth-check)", path)
        with self.hub.lock:
            self.hub.asked.append(
                Asked(method=self.command, path=path, start=self._start, token=token, cdn=bool(cdn))
            )
        if cdn:
            self._bytes(cdn[1], cdn[2])
        elif api:
            self._api(api[1], api[2], path, token)
        elif resolve:
            self._resolve(resolve[1], resolve[3], token)
        else:
            self._refuse(404, "RepoNotFound")

    def _api(self, repository: str, question: str, path: str, token: str) -> None:
        fault = self.hub.fault(self.command, path)
        if fault is not None:
            self._refuse(int(fault.kind), retry_after=fault.retry_after)
        elif repository not in self.hub.repositories:
            self._refuse(404 if token else 401, "RepoNotFound")
        elif question == "auth-check":
            if self._let_in(repository, token):
                self._send(200, b"{}")
        else:
            self._send(200, json.dumps(self._info(repository)).encode(), {"Content-Type": "application/json"})

    def _info(self, repository: str) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for path, data in self.hub.repositories[repository].items():
            one: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": _git_sha1(data)}
            if _is_large(path):
                one["lfs"] = {"size": len(data), "sha256": _digest(path, data), "pointerSize": 134}
            siblings.append(one)
        gated = "auto" if repository in self.hub.gated else False
        return {
            "id": repository,
            "sha": self.hub.commit,
            "private": False,
            "gated": gated,
            "siblings": siblings,
            "tags": [],
        }

    def _let_in(self, repository: str, token: str) -> bool:
        if token and token not in self.hub.tokens:
            self._refuse(401, message="Invalid credentials in Authorization header")
            return False
        if repository not in self.hub.gated or repository in self.hub.tokens.get(token, ()):
            return True
        self._refuse(403 if token else 401, "GatedRepo")
        return False

    def _resolve(self, repository: str, path: str, token: str) -> None:
        if not self._let_in(repository, token):
            return
        data = self.hub.repositories[repository].get(path)
        if data is None:
            self._refuse(404, "EntryNotFound")
            return
        facts = {"X-Repo-Commit": self.hub.commit, "ETag": f'"{_digest(path, data)}"'}
        if not _is_large(path):
            self._bytes(repository, path, facts)
            return
        facts |= {
            "Location": f"{self.hub.cdn}/cdn/{repository}/{path}?signature=1",
            "X-Linked-Etag": f'"{_digest(path, data)}"',
            "X-Linked-Size": str(len(data)),
            "ETag": '"of the redirection"',
        }
        self._send(302, b"", facts)

    def _bytes(self, repository: str, path: str, facts: dict[str, str] | None = None) -> None:
        fault = self.hub.fault(self.command, path)
        kind = fault.kind if fault else ""
        data, facts = self.hub.repositories[repository][path], dict(facts or {})
        if fault is not None and kind.isdigit():
            self._refuse(int(kind), "EntryNotFound" if kind == "404" else "", retry_after=fault.retry_after)
            return
        if kind == "drop":
            self.close_connection = True
            return
        if kind == "wrong":
            data = bytes([data[0] ^ 1]) + data[1:-1] + bytes([data[-1] ^ 1])
        start = 0 if kind == "whole" else self._start
        if start and start >= len(data):
            self._refuse(416)
            return
        if start:
            facts["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        self._send(206 if start else 200, body, facts, only=len(body) // 2 if kind == "cut" else len(body))
        self.close_connection = kind == "cut"

    def _refuse(self, status: int, code: str = "", *, message: str = "", retry_after: str = "") -> None:
        facts = {"X-Error-Code": code, "X-Error-Message": message, "Retry-After": retry_after}
        self._send(status, b"", {name: value for name, value in facts.items() if value})

    def _send(
        self, status: int, body: bytes, facts: dict[str, str] | None = None, only: int = 1 << 30
    ) -> None:
        self.send_response(status)
        for name, value in (facts or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:only])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub with one repository: a config, an index of two shards, a third weights file. Open to all."""
    fake = FakeHub()
    handler = type("BoundHandler", (Handler,), {"hub": fake})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    fake.endpoint, fake.cdn = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    fake.repositories["studio/comic"] = _repository()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield fake
    close_session()
    for server in servers:
        server.shutdown()
        server.server_close()


def _repository() -> dict[str, bytes]:
    """Files as a small repository has them."""
    shards = ("a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors")
    index = {"metadata": {}, "weight_map": {"one": shards[0], "two": shards[1], "three": shards[1]}}
    return {
        "config.json": b'{"a": 1}',
        "unet/a.safetensors.index.json": json.dumps(index).encode(),
        **{f"unet/{name}": tensors(number, 3000 + number) for number, name in enumerate(shards)},
        "vae/model.safetensors": tensors(7, 5000),
        "readme.md": b"not wanted",
    }


def tensors(seed: int, count: int) -> bytes:
    """A safetensors file of `count` bytes of weights."""
    header = json.dumps({"t": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
    return len(header).to_bytes(8, "little") + header + hashlib.shake_256(bytes([seed])).digest(count)


def fill(hub: FakeHub, sources: Iterable[Source]) -> None:
    """Give the hub all that these sources name, small; whose licence is to be accepted stays so."""
    for source in sources:
        files = hub.repositories.setdefault(source.repository, {})
        for number, path in enumerate(source.files):
            if path.endswith(".index.json"):
                shard = "model-00001-of-00001.safetensors"
                files[path] = json.dumps({"weight_map": {"a": shard}}).encode()
                files[f"{path.rpartition('/')[0]}/{shard}"] = tensors(number, 500)
            elif path.endswith(".safetensors"):
                files[path] = tensors(number, 100 + number)
            else:
                files[path] = (b"GGUF" if path.endswith(".gguf") else b"{}") + path.encode()
        if source.gated:
            hub.gated.add(source.repository)


@pytest.fixture
def make_tensors() -> Callable[[int, int], bytes]:
    return tensors
