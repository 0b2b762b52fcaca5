"""TLS on the two sockets of a scene, with a certificate of its own."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from functools import cache
from pathlib import Path

from captures.recipes.play import exchange
from tests.lab.hosts import run


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For clients and for servers."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        subject = ("-subj", "/CN=example.com", "-days", "1", "-nodes")
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", *subject, "-keyout", str(key), "-out", str(certificate))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return client, server


def answered(client: socket.socket, server: socket.socket) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Both ends with TLS, one request and its reply over it; they take the place of the sockets given."""
    for_client, for_server = contexts()
    shaking = threading.Thread(target=lambda: ends.append(for_client.wrap_socket(client)))
    ends: list[ssl.SSLSocket] = []
    shaking.start()
    served = for_server.wrap_socket(server, server_side=True)
    shaking.join()
    exchange(ends[0], served)
    return ends[0], served
