#!/usr/bin/env python3
"""How fast `mlx-cache add` downloads, beside curl and curl with sha256sum, from one server on this machine.

    bench/cache_download_rate.py --program build/release/bin/mlx-cache [--megabytes 512] [--folder /dev/shm]

--line-mb-s is the speed of the line that the server plays, over all connections; without it the processor is the limit.
curl only writes the bytes; mlx-cache also hashes them, records what is there, syncs and publishes. The server sends from the
page cache. `--folder` on a file system in memory leaves the disk out. The best run of each counts, taken in turn.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Line:
    """Bytes a second over all connections; 0: no limit."""

    def __init__(self, megabytes_per_second: float):
        self.bytes_per_second, self.lock, self.free_at = megabytes_per_second * 1e6, threading.Lock(), 0.0

    def wait(self, size: int) -> None:
        if not self.bytes_per_second:
            return
        with self.lock:
            now = time.perf_counter()
            self.free_at = max(self.free_at, now) + size / self.bytes_per_second
            pause = self.free_at - now
        time.sleep(pause)


def serve(blob: pathlib.Path, line: Line) -> None:
    """A registry with one model of one blob; a process of its own."""
    size = blob.stat().st_size
    digest = "sha256:" + hashlib.file_digest(open(blob, "rb"), "sha256").hexdigest()
    config = b'{"model_format":"gguf"}'
    config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": config_digest, "size": len(config)},
        "layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": size}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *unused) -> None:
            pass

        def do_GET(self) -> None:
            if not self.path.endswith(digest):
                body = config if self.path.endswith(config_digest) else manifest
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            first, last = (int(wanted[1]), int(wanted[2])) if wanted else (0, size - 1)
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(last - first + 1))
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            self.wfile.flush()
            with open(blob, "rb") as file:
                while first <= last:
                    piece = min(last - first + 1, 1 << 20 if line.bytes_per_second else 1 << 30)
                    line.wait(piece)
                    first += os.sendfile(self.connection.fileno(), file.fileno(), first, piece)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"port": server.server_address[1], "digest": digest}), flush=True)
    server.serve_forever()


def seconds_of(command: list[str], environment: dict) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return time.perf_counter() - begin


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        return serve(pathlib.Path(sys.argv[2]), Line(float(sys.argv[3])))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--folder", help="where both write (default: the system's temporary folder)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--line-mb-s", type=float, default=0)
    parser.add_argument("--ranges", type=int, default=4)
    options = parser.parse_args()
    root = pathlib.Path(tempfile.mkdtemp(prefix="mlx-cache-rate-", dir=options.folder))
    server = None
    try:
        blob = root / "blob"
        with open(blob, "wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(1_000_000))
        server = subprocess.Popen([sys.executable, __file__, "--serve", str(blob), str(options.line_mb_s)], stdout=subprocess.PIPE, text=True)
        told = json.loads(server.stdout.readline())
        host = f"127.0.0.1:{told['port']}"
        url = f"http://{host}/v2/library/m/blobs/{told['digest']}"
        environment = dict(os.environ, HOME=str(root / "home"), MLX_CACHE_DIR=str(root / "cache"))
        (root / "home").mkdir()
        commands = {
            "curl": ["curl", "-sS", "-o", str(root / "out"), url],
            "curl, then sha256sum": ["sh", "-c", f"curl -sS -o {root}/out {url} && sha256sum {root}/out"],
            "mlx-cache add": [options.program, "add", f"ollama://{host}/library/m:latest", "--no-publish", "--quiet",
                              "--ranges", str(options.ranges)],
        }
        best = dict.fromkeys(commands, float("inf"))
        for _ in range(options.runs):
            for name, command in commands.items():
                best[name] = min(best[name], seconds_of(command, environment))
                shutil.rmtree(root / "cache", ignore_errors=True)
                (root / "out").unlink(missing_ok=True)
        rates = {name: round(options.megabytes / taken) for name, taken in best.items()}
        print(json.dumps({"download_mb_per_s": rates, "of_curl": round(best["curl"] / best["mlx-cache add"], 3),
                          "of_curl_and_sha256sum": round(best["curl, then sha256sum"] / best["mlx-cache add"], 3)}))
    finally:
        if server:
            server.terminate()
            server.wait()
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
