"""What offices use, as real servers here: chat services behind a proxy, and a mail server."""

from __future__ import annotations

import email
import json
import socketserver
import ssl
import threading
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self, cast

import trustme

HOSTS = ("qyapi.weixin.qq.com", "oapi.dingtalk.com", "open.feishu.cn")


class Chats:
    """An HTTP proxy that is, for the three services, the service itself.

    Attributes:
        posted: host, path with query, and document of every POST.
        answers: what the services say, by host; the first is used up.
    """

    def __init__(self, authority: trustme.CA) -> None:
        self.posted: list[tuple[str, str, Any]] = []
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(self._context)
        chats = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                host = self.rfile.readline().split()[1].decode().partition(":")[0]
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                with chats._context.wrap_socket(self.request, server_side=True) as connection:
                    chats._serve(host, connection)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, host: str, connection: ssl.SSLSocket) -> None:
        stream = connection.makefile("rwb")
        path = stream.readline().split()[1].decode()
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.posted.append((host, path, json.loads(stream.read(length))))
        waiting = self.answers.get(host, [])
        said = waiting.pop(0) if waiting else {"errcode": 0, "code": 0}
        body = json.dumps(said).encode()
        stream.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
        stream.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        stream.flush()


class Mail:
    """A mail server (SMTP, no TLS) that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        mail = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                for line in self.rfile:
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = iter(self.rfile.readline, b".\r\n")
                        whole = b"".join(one.removeprefix(b".") for one in lines)
                        message = email.message_from_bytes(whole, policy=default)
                        mail.messages.append(cast("EmailMessage", message))
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 yes\r\n")
                    if verb == b"QUIT":
                        return

        return Handler
