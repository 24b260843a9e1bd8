"""The guard: which requests are answered at all, and what every answer says about itself.

Against pages elsewhere that a browser shows beside ours: the Host must be one of this server's (a name that
was rebound to this address is not), a request that changes anything must come from our own page (Origin, or
Sec-Fetch-Site where there is none), bodies have an end, and no answer may be framed or run scripts of others.
With a token, the first request has it in its address and gets a cookie for it; the others need the cookie.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model.web.problems import problem

COOKIE = "autostudio"
LARGEST = 32 << 20  # bytes of a body
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; "
    "font-src 'self'; media-src 'self'; frame-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {framing}"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI around the application.

    Args:
        hosts: names by which this server may be asked for, without port; empty: any address, by the token
            alone (a server for others does not know its names).
        token: that every request needs; empty: none does.
        proxies: further names, for a proxy that stands before this server: it is asked by them, and pages
            come from them; "*.example.org" is every name below that one.
        framing: who may show the page in a frame, as `frame-ancestors` says it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        token: str = "",
        framing: str = "'none'",
        proxies: Collection[str] = (),
    ) -> None:
        self._app, self._hosts, self._token = app, frozenset(hosts), token
        self._proxies = tuple(proxies)
        self._policy = POLICY.format(framing=framing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    answer[name] = value
                answer.setdefault("Content-Security-Policy", self._policy)
                answer.setdefault("Cache-Control", "no-store")
                message["headers"] = answer.raw
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal:
            await problem(403, "forbidden", refusal)(scope, receive, said)
            return
        if self._token and (answer := self._at_the_door(scope, headers)) is not None:
            await answer(scope, receive, said)
            return
        size = headers.get("content-length", "0")
        if not size.isdigit() or int(size) > LARGEST:
            await problem(413, "request", f"a body of at most {LARGEST >> 20} MB")(scope, receive, said)
            return
        await self._app(scope, _bounded(receive), said)

    def _at_the_door(self, scope: Scope, headers: Headers) -> Response | None:
        """A cookie for the token, a refusal without either; None: come in."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and hmac.compare_digest(given.encode(), self._token.encode()):
            answer = RedirectResponse(scope["path"], 303)
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
            return answer
        if self._knows(headers) or scope["path"] == "/healthz":
            return None
        return problem(
            403, "forbidden", "this studio needs the token of its address; open the address that it printed"
        )

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        host = headers.get("host", "")
        name = _name_of(host)
        if self._hosts and name not in self._hosts and not self._is_proxy(name):
            return f"Host {name[:80]!r}: this studio answers to {', '.join(sorted(self._hosts))} only"
        if not self._hosts and not _plausible(name):
            return f"Host {name[:80]!r}: not the name of a host"
        origin = headers.get("origin")
        own = {f"http://{host}", f"https://{host}"}
        from_proxy = origin is not None and self._is_proxy(_name_of(origin.partition("//")[2]))
        if origin is not None and origin not in own and not from_proxy:
            return f"Origin {origin[:80]!r}: this studio takes requests from its own page only"
        if scope["method"] not in _SAFE and origin is None:
            site = headers.get("sec-fetch-site", "none")
            if site not in ("same-origin", "none"):
                return "a request of another page"
        return ""

    def _is_proxy(self, name: str) -> bool:
        return any(
            name.endswith(proxy[1:]) if proxy.startswith("*.") else name == proxy for proxy in self._proxies
        )

    def _knows(self, headers: Headers) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._token.encode())


def _bounded(receive: Receive) -> Receive:
    """A body that does not say how long it is, or lies, ends at the limit."""
    got = 0

    async def counted() -> Message:
        nonlocal got
        message = await receive()
        if message["type"] == "http.request":
            got += len(message.get("body", b""))
            if got > LARGEST:
                return {"type": "http.disconnect"}
        return message

    return counted


def _name_of(host: str) -> str:
    """A Host header without its port, lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _plausible(name: str) -> bool:
    if not name or len(name) > 253:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return all(part and all(c.isalnum() or c in "-_" for c in part) for part in name.split("."))
    return True
