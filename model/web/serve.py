"""Starts the studio: takes the workspace, finds a port, says its address, and serves until it is stopped.

In: what was typed. Out: one line with the address on stdout, once the server answers; an exit code.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from model.errors import ConfigError

LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    workspace: Path,
    *,
    host: str,
    port: int,
    browser: bool,
    flags: Mapping[str, Any],
    framing: str = "'none'",
    proxies: Collection[str] = (),
) -> int:
    """Serve a workspace.

    Args:
        host: where to listen; other than this machine's own only with a token, which is made here.
        port: 0 = any free one.
        browser: open the page.
        flags: how books are drawn that have no settings of their own.
        framing: who may show the page in a frame.
        proxies: names of proxies before this server; see `Guard`.
    Raises:
        ConfigError: the port is taken, or another studio has the workspace.
    """
    import uvicorn

    from model.web.app import application, guarded
    from model.web.state import House
    from model.web.workspace import Held, Workspace

    place = Workspace(workspace)
    held = Held(place)
    listening = listening_at(host, port)
    port = listening.getsockname()[1]
    local = host in LOCAL
    token = "" if local else secrets.token_urlsafe(24)
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/{f'?token={token}' if token else ''}"
    held.tell(address.partition("?")[0])
    house = House(place, flags)
    app = guarded(
        application(house), hosts=LOCAL if local else (), token=token, framing=framing, proxies=proxies
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        lifespan="on",
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = uvicorn.Server(config)
    house.queue.start()

    def tell() -> None:
        while not server.started:
            if server.should_exit:
                return
            threading.Event().wait(0.01)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(f"{address}\n")
            sys.stdout.flush()
        if browser:
            webbrowser.open(address)

    threading.Thread(target=tell, daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        house.close()
        listening.close()
        held.close()
    return 0


def listening_at(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that nobody takes the port in between."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"--port {port}: cannot listen at {host} ({error.strerror or error}); choose another --port, or 0"
        ) from error
    return listening
