"""What a hostile page, name, file or second server can do: nothing."""

from __future__ import annotations

import http.client
import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model.errors import ConfigError
from model.web.workspace import Held, Workspace
from tests.web.conftest import Client, serving

ROOT = Path(__file__).parents[2]


def _png(width: int, height: int) -> bytes:
    coded = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(coded, "PNG")
    return coded.getvalue()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.evil"])
def test_another_name_for_this_address_is_refused(client: Client, host: str) -> None:
    told = client.ask("GET", "/api/shelf", headers={"Host": host})
    assert told.status in (400, 403)
    assert client.ask("GET", "/api/shelf", headers={"Host": f"localhost:{client.port}"}).status == 200


def test_a_request_of_another_page_is_refused(client: Client) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{client.port + 1}"):
        told = client.ask("POST", "/api/books", {"title": "x"}, headers={"Origin": origin})
        assert told.status == 403, origin
    told = client.ask("POST", "/api/books", {"title": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert told.status == 403
    own = {"Origin": f"http://127.0.0.1:{client.port}"}
    assert client.ask("POST", "/api/books", {"title": "x"}, headers=own).status == 201
    assert len(client.get("/api/shelf")["books"]) == 1


def test_every_answer_forbids_scripts_of_others(client: Client) -> None:
    for path in ("/", "/api/shelf", "/healthz", "/nothing", "/static/nothing.js"):
        headers = client.ask("GET", path).headers
        policy = headers["content-security-policy"]
        scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
        assert scripts.split() == ["script-src", "'self'"]
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_others_need_the_token(tmp_path: Path) -> None:
    with serving(tmp_path / "studio", token="s3cret") as client:
        assert client.ask("GET", "/api/shelf").status == 403
        assert client.ask("GET", "/?token=wrong").status == 403
        assert client.ask("GET", "/healthz").status == 200
        first = client.ask("GET", "/?token=s3cret")
        assert first.status == 303
        assert "s3cret" not in first.headers["location"]
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        sent = {"Cookie": cookie.partition(";")[0]}
        assert client.ask("GET", "/api/shelf", headers=sent).status == 200
        assert client.ask("GET", "/api/shelf", headers={"Cookie": "autostudio=x"}).status == 403


def test_a_proxy_is_let_in_by_its_name(tmp_path: Path) -> None:
    with serving(tmp_path / "studio", proxies=("*.proxy.example",)) as client:
        one = {"Host": "a-7860.proxy.example"}
        assert client.ask("GET", "/api/shelf", headers=one).status == 200
        page = {"Origin": "https://a-7860.proxy.example"}
        assert client.ask("POST", "/api/books", {"title": "x"}, headers=page).status == 201
        for name in ("proxy.example.evil.example", "evilproxy.example"):
            assert client.ask("GET", "/api/shelf", headers={"Host": name}).status == 403
            origin = {"Origin": f"https://{name}"}
            assert client.ask("POST", "/api/books", {"title": "x"}, headers=origin).status == 403


def test_bodies_have_an_end(client: Client, book: str) -> None:
    address = f"/api/books/{book}/cast/mika/picture"
    told = client.ask("POST", address, headers={"Content-Length": str(1 << 40)})
    assert told.status == 413
    # A body that does not say how long it is.
    with socket.create_connection(("127.0.0.1", client.port)) as raw:
        raw.sendall(
            f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        sent = 0
        try:
            for _ in range(64):
                raw.sendall(chunk)
                sent += 1
        except OSError:
            pass
        try:
            raw.shutdown(socket.SHUT_WR)
            answer = raw.recv(65536)
        except OSError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 2")
    client.get("/healthz")


def test_pictures_come_in_through_the_one_reader(client: Client, book: str) -> None:
    address = f"/api/books/{book}/cast/mika/picture"
    bomb = _png(9000, 9000)
    told = client.ask("POST", address, bomb)
    assert told.status == 422
    assert "at most 64 megapixels" in told.json["error"]
    assert client.ask("POST", address, b"%!PS-Adobe-3.0 EPSF-3.0\n").status == 422
    assert client.ask("POST", address, b"").status == 422
    look = client.ask("POST", address, _png(64, 96)).json
    assert look["source"] == "user"
    assert client.ask("GET", f"/api/blobs/{look['picture']}.png").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/api/books/../../etc",
        "/api/books/%2e%2e/pages/1",
        "/api/books/two-friends/files/../story.json",
        "/api/books/two-friends/files/%2e%2e%2fstory.json",
        "/api/books/two-friends/files//etc/passwd",
        "/api/books/two-friends/files/secret.txt",
        "/api/books/two-friends/files/link.png",
        "/api/books/two-friends/files/%00",
        "/api/blobs/..%2f..%2flibrary.db.png",
        f"/api/blobs/{'0' * 64}.png",
    ],
)
def test_paths_lead_nowhere_but_into_the_book(client: Client, book: str, path: str) -> None:
    folder = client.house.folder(book)
    folder.mkdir()
    (folder / "secret.txt").write_text("hush-hush")
    (folder / "link.png").symlink_to("/etc/passwd")
    told = client.ask("GET", path)
    assert told.status in (400, 404, 422)
    assert b"root:" not in told.body
    assert b"hush-hush" not in told.body


def test_a_story_names_files_of_the_workspace_only(client: Client, book: str, tmp_path: Path) -> None:
    (tmp_path / "outside.png").write_bytes(_png(8, 8))
    for name in ("../../../outside.png", str(tmp_path / "outside.png")):
        edit = {"do": "set_character", "id": "mika", "values": {"references": [name]}}
        assert client.edit(book, 1, edit, status=422)["kind"] == "story"


def test_no_request_leads_the_server_to_fetch_an_address(client: Client, book: str) -> None:
    for name in ("http://evil.example/x", "evil/model", "../x"):
        assert client.ask("POST", "/api/jobs", {"kind": "download", "name": name}).status == 422
    address = {"values": {"model": "evil.example/model"}}
    told = client.ask("PATCH", f"/api/books/{book}/settings", address)
    assert told.status in (422, 424)


def test_a_second_server_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "studio")
    held = Held(workspace)
    held.tell("http://127.0.0.1:7860/")
    with pytest.raises(ConfigError, match=r"a studio is open at http://127\.0\.0\.1:7860/"):
        Held(workspace)
    held.close()
    Held(workspace).close()


def _started(*words: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, str(ROOT / "run.py"), "studio", "--no_open", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()


def _asked(address: str, path: str) -> tuple[int, bytes]:
    host = address.removeprefix("http://").partition("/")[0]
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", path)
    found = connection.getresponse()
    body = found.read()
    connection.close()
    return found.status, body


def test_the_command_says_its_address_and_ends_when_it_is_told(tmp_path: Path) -> None:
    workspace = str(tmp_path / "studio")
    process, address = _started("--workspace", workspace, "--port", "0")
    try:
        assert address.startswith("http://127.0.0.1:")
        assert _asked(address, "/healthz")[0] == 200
        assert _asked(address, "/openapi.json")[0] == 200
        second, said = _started("--workspace", workspace, "--port", "0")
        assert said == ""
        assert second.wait(60) == 2
        assert second.stderr
        assert address in second.stderr.read()
        second.communicate()
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode in (0, 143)


def test_others_than_this_machine_get_an_address_with_a_token(tmp_path: Path) -> None:
    process, address = _started("--workspace", str(tmp_path / "s"), "--port", "0", "--host", "0.0.0.0")
    try:
        assert "/?token=" in address
        assert _asked(address, "/api/shelf")[0] == 403
        assert _asked(address, f"/?{address.partition('?')[2]}")[0] == 303
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process, said = _started("--workspace", str(tmp_path / "s"), "--port", str(taken.getsockname()[1]))
        _, error = process.communicate(timeout=60)
    assert said == ""
    assert process.returncode == 2
    assert "choose another --port, or 0" in error
    assert "Traceback" not in error


def test_the_worker_ends_with_its_server(tmp_path: Path) -> None:
    """A server that is killed leaves no process that draws on."""
    import json

    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    process, address = _started("--workspace", str(tmp_path / "studio"), "--port", "0", "--quality", "fast")
    host = address.removeprefix("http://").strip("/")
    connection = http.client.HTTPConnection(host, timeout=30)

    def post(path: str, body: Any) -> Any:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())

    post("/api/books", {"example": "first_light"})
    post("/api/jobs", {"kind": "rehearse", "book": "first-light"})
    children: list[int] = []
    until = time.monotonic() + 60
    while not children and time.monotonic() < until:
        time.sleep(0.1)
        children = [
            int(child)
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ] or _children_of(process.pid)
    assert children
    time.sleep(1.0)
    process.kill()
    process.communicate()
    connection.close()
    until = time.monotonic() + 30
    while any(_lives(child) for child in children) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(_lives(child) for child in children)


def _children_of(parent: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{process}")
