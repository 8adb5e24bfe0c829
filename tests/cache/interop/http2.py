#!/usr/bin/env python3
"""`mlx-cache add hf://...` over HTTP/2: the test hub behind the real nghttpx, which speaks TLS and HTTP/2 to clients.

  http2.py MLX_CACHE

Every request comes as HTTP/2, the ranges of one file over connections of their own, and a kill -9 is resumed at its byte. A
certificate nobody trusts is refused before anything is asked. SKIPPED without nghttpx (Debian: nghttp2-proxy) or openssl.
"""

import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from hub_add import Home
from hub_cache import Server, check, contents, write_model

WEIGHT_BYTES = 140_000_000  # above two ranges of 64 MiB


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return key, certificate


class Front:
    """nghttpx before one origin of the hub."""

    def __init__(self, program: str, folder: pathlib.Path, port: int, behind: str, key: pathlib.Path, certificate: pathlib.Path):
        folder.mkdir()
        self.log = folder / "access.log"
        (folder / "nghttpx.conf").touch()
        self.process = subprocess.Popen(
            [program, f"--conf={folder}/nghttpx.conf", f"--frontend=127.0.0.1,{port}", "--backend=" + behind.removeprefix("http://").replace(":", ","),
             "--no-location-rewrite", "--no-ocsp", "--workers=1", f"--accesslog-file={self.log}", f"--errorlog-file={folder}/error.log",
             "--accesslog-format=$alpn $remote_port $status $method $path_without_query", str(key), str(certificate)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                check(self.process.poll() is None, "nghttpx ended with", self.process.returncode)
                time.sleep(0.05)
        sys.exit("FAILED: nghttpx does not listen")

    def requests(self) -> list[list[str]]:
        return [line.split(" ", 4) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def killed_and_resumed(home: Home, server: Server, certificate: pathlib.Path) -> None:
    server.rules.write_text(json.dumps([{"path": "GET /org/tiny/[0-9a-f]{64}", "pause_ms": 1}]))
    process = home.start("add", "hf://org/tiny", SSL_CERT_FILE=str(certificate))
    part_bytes = 0
    for _ in range(600):
        time.sleep(0.05)
        parts = list((home.store / "incoming").glob("**/*.state"))
        part_bytes = sum(part.with_suffix("").stat().st_blocks * 512 for part in parts if part.with_suffix("").exists())
        if part_bytes > 1_000_000:
            break
    process.kill()
    process.communicate()
    check(part_bytes > 1_000_000, "nothing arrived before the kill")
    server.rules.write_text("[]")


def main() -> None:
    nghttpx = shutil.which("nghttpx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if not nghttpx or not shutil.which("openssl"):
        print("SKIPPED: nghttpx or openssl is not installed (Debian: nghttp2-proxy)")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "repos/org/tiny/main"
        source.mkdir(parents=True)
        write_model(source, random.Random(1).randbytes(WEIGHT_BYTES))
        key, certificate = make_certificate(folder)
        ports = [free_port(), free_port()]
        server = Server(folder, folder / "repos", "--behind", *(f"https://localhost:{port}" for port in ports))
        fronts = [Front(nghttpx, folder / f"front{i}", port, behind, key, certificate)
                  for i, (port, behind) in enumerate(zip(ports, (server.hub, server.cdn)))]
        try:
            home = Home(sys.argv[1], folder / "home", f"https://localhost:{ports[0]}")
            said = home.run("add", "hf://org/tiny", status=1)
            check("certificate" in said and "SSL_CERT_FILE" in said, "a certificate nobody trusts:", said)
            check(not server.requests(), "asked over a connection that is not trusted")
            killed_and_resumed(home, server, certificate)
            before, before_lanes = len(server.requests()), len(fronts[1].requests())
            home.run("add", "hf://org/tiny", SSL_CERT_FILE=str(certificate))
            check(home.files() == contents(source), "content")
            ranges = [r["headers"].get("range", "") for r in server.requests()[before:] if r["origin"] == "cdn"]
            check(any(r and not r.startswith("bytes=0-") for r in ranges), "not resumed:", ranges)
            asked = [line for front in fronts for line in front.requests()]
            check(asked and all(line[0] == "h2" for line in asked), "not HTTP/2:", asked)
            lanes = {line[1] for line in fronts[1].requests()[before_lanes:]}
            check(len(lanes) >= 3, "ranges share a connection:", fronts[1].requests())
            print(f"ok: {len(asked)} requests, all HTTP/2, {len(lanes)} connections for the weights")
        finally:
            for front in fronts:
                front.close()
            server.close()


if __name__ == "__main__":
    main()
