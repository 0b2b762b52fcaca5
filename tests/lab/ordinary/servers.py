"""The servers of an ordinary day: nginx, and what it cannot do, on a few ports of host B.

Run inside its namespace: ``python -m tests.lab.ordinary.servers ADDRESS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from pathlib import Path

HTTP, HTTPS, ANSWERS, SINK, GREETS = 80, 443, 9000, 9001, 9002
IDLE = 2  # seconds that nginx keeps an idle connection
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_timeout {idle}s; keepalive_requests 1000; root {folder}/www;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen {address}:80 backlog=4096; }}
  server {{
    listen {address}:443 ssl backlog=4096;
    ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
  }}
}}
"""


def prepare(address: str, folder: Path) -> Path:
    """Pages, a certificate and the configuration of nginx."""
    pages = folder / "www"
    pages.mkdir(parents=True, exist_ok=True)
    for name, size in (("small", 300), ("middle", 4_000), ("large", 40_000)):
        (pages / name).write_bytes(b"x" * size)
    subject = ("-subj", "/CN=example.com", "-days", "2", "-nodes")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    subprocess.run(["openssl", "req", "-x509", *curve, *subject, *files], check=True, capture_output=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, address=address, idle=IDLE))
    return configuration


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a line, think for as long as it says, answer, read to the end of the stream, close."""
    if line := await reader.readline():
        await asyncio.sleep(float(line))
        writer.write(b"y" * random.randint(20, 1_400))  # one segment: its reader need not know how long it is
        await reader.read()
    writer.close()


async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read to the end, say nothing, close."""
    while await reader.read(65536):
        pass
    writer.close()


async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first; say goodbye when told to, and close first."""
    writer.write(b"220 ready\r\n")
    while (line := await reader.readline()) and line != b"QUIT\r\n":
        writer.write(b"250 fine\r\n")
    writer.write(b"221 bye\r\n")
    writer.close()


async def serve(address: str) -> None:
    """All of them, for ever."""
    for port, handle in ((ANSWERS, answers), (SINK, sink), (GREETS, greets)):
        await asyncio.start_server(handle, address, port, backlog=4096)
    await asyncio.Event().wait()


def main() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1]))


if __name__ == "__main__":
    main()
