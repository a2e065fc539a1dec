"""Server of the review page: on this machine alone, for whoever has the address with its token."""

from __future__ import annotations

import hmac
import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dlcc.cli.review_web.desk import Desk
from dlcc.errors import DlccError, OptionError

_LONGEST_BODY = 20_000
_HOST = "127.0.0.1"


class ReviewServer(ThreadingHTTPServer):
    """Server of one desk.

    Only this machine can reach it. A request needs the token of the address, a host name that is
    this machine's (so that no foreign name can be pointed at it), and, where a browser says which
    page it comes from, an origin that is this server's.

    Args:
        desk: Desk that is served.
        port: Port; 0 for a free one.

    Raises:
        OptionError: The port is taken, or is none.
    """

    daemon_threads = True

    def __init__(self, desk: Desk, port: int = 0) -> None:
        self.desk = desk
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((_HOST, port), _Handler)
        except OverflowError:
            raise OptionError(f"--port {port}: expected 0 to 65535") from None
        except OSError as error:
            raise OptionError(
                f"--port {port}: cannot be used ({error.strerror}); choose another"
            ) from error

    @property
    def address(self) -> str:
        """Address to open, with the token."""
        return f"http://{_HOST}:{self.server_port}/?token={self.token}"

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the Host header that are this server's."""
        return frozenset(f"{name}:{self.server_port}" for name in (_HOST, "localhost"))


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    server_version = "dlcc"
    sys_version = ""

    def do_GET(self) -> None:  # the name that http.server asks for
        parts = urlsplit(self.path)
        given = parse_qs(parts.query).get("token", [""])[0]
        if parts.path != "/" or not self._may(given):
            self._refuse()
            return
        self._send(HTTPStatus.OK, self.server.desk.page(self.server.token), "text/html")

    def do_POST(self) -> None:
        if not self._may(self.headers.get("X-Token", "")):
            self._refuse()
            return
        try:
            answer = self._act(self._body())
        except (DlccError, KeyError, TypeError, ValueError, RecursionError) as error:
            said = str(error) if isinstance(error, DlccError) else "the answer is not complete"
            self._send(HTTPStatus.CONFLICT, json.dumps({"error": said}), "application/json")
            return
        self._send(HTTPStatus.OK, json.dumps(answer), "application/json")

    def _act(self, asked: dict[str, Any]) -> dict[str, Any]:
        desk = self.server.desk
        if self.path == "/say":
            healthy, confidence = asked["healthy"], float(asked["confidence"])
            if not isinstance(healthy, bool):
                raise ValueError(healthy)
            return desk.say(str(asked["run"]), healthy, confidence, str(asked["reason"]))
        if self.path == "/skip":
            desk.skip(str(asked["run"]))
            return {}
        if self.path == "/undo":
            return {"undone": desk.undo()}
        raise OptionError("there is no such action")

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 <= length <= _LONGEST_BODY:
            raise OptionError("the answer is too long; shorten the reason")
        found = json.loads(self.rfile.read(length) or b"{}")
        if not isinstance(found, dict):
            raise ValueError(found)
        return found

    def _may(self, token: str) -> bool:
        own = {f"http://{host}" for host in self.server.hosts}
        origin = self.headers.get("Origin")
        return (
            hmac.compare_digest(token.encode(), self.server.token.encode())
            and self.headers.get("Host", "") in self.server.hosts
            and (origin is None or origin in own)
        )

    def _refuse(self) -> None:
        self._send(
            HTTPStatus.FORBIDDEN,
            "Open the address that dlcc review --web printed, with its token.\n",
            "text/plain",
        )

    def _send(self, status: HTTPStatus, text: str, kind: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: addresses hold the token."""
