#!/usr/bin/env python3
"""Ollama's registry protocol on loopback, with faults: what `mlx-cache` and the real Ollama pull from in tests.

Serves a folder that is laid out as Ollama's own store (manifests/<host>/<namespace>/<model>/<tag>, blobs/sha256-*):

    GET /v2/<namespace>/<model>/manifests/<tag>      the manifest, byte for byte
    GET /v2/<namespace>/<model>/tags/list            {"tags": [...]}
    HEAD, GET /v2/<namespace>/<model>/blobs/<digest> 307 to a second origin that answers ranges

Prints one JSON line {"registry": url, "cdn": url} and ends when stdin does. --auth asks for a bearer token
(`right`: the realm is this registry's; `foreign`: another host's; `signed`: given only to the owner of one of `keys`, who must
sign the request with it, soon and once). --rules names a JSON file that is read anew for
each request: a list of {"server", "method", "path" (a regular expression), "times", and what to do}:

    status, headers, body     this answer instead        cut            the connection closes after n bytes
    corrupt                   the first byte changed     endless        the body never ends
    gzip_bomb                 n MiB of zeros as gzip     pause_ms       before each KiB
    etag                      another entity tag         no_ranges      200 for a range

--record gets a JSON line for each request: server, method, path, range, authorization (what came).
"""

import argparse
import base64
import contextlib
import gzip
import hashlib
import json
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


class Server(ThreadingHTTPServer):
    """Clients that go in the middle of an answer are part of the tests."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        pass


class Registry:
    """Both origins, the rules and the record."""

    def __init__(self, store: pathlib.Path, host: str = "registry.ollama.ai", auth: str = "", rules=None, record=None):
        self.store, self.host, self.auth, self.rules, self.record = store, host, auth, rules, record
        self.token = "test-" + secrets.token_hex(8)
        self.used: dict[str, int] = {}
        self.keys: set[str] = set()  # public keys of accounts, as in id_ed25519.pub without the kind
        self.nonces: set[str] = set()
        self.lock = threading.Lock()
        self.servers = {name: self.start(name) for name in ("registry", "cdn")}

    def start(self, name: str) -> Server:
        handler = type(name.capitalize() + "Handler", (Handler,), {"registry": self, "server_name_here": name})
        server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.servers[name].server_address[1]}"

    def close(self) -> None:
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    def rule_for(self, name: str, method: str, path: str) -> dict:
        with self.lock:
            try:
                rules = json.loads(pathlib.Path(self.rules).read_text()) if self.rules else []
            except (FileNotFoundError, json.JSONDecodeError):
                rules = []
            for number, rule in enumerate(rules):
                if rule.get("server", name) != name or rule.get("method", method) != method:
                    continue
                if not re.search(rule.get("path", ""), path):
                    continue
                key = f"{number} {json.dumps(rule, sort_keys=True)}"
                self.used[key] = self.used.get(key, 0) + 1
                if self.used[key] <= rule.get("times", 1 << 30):
                    return rule
        return {}

    def is_signed(self, path: str, authorization: str) -> bool:
        """Whether the owner of a known key signed GET of this path just now, with a number that was not used before."""
        key, _, signature = authorization.partition(":")
        query = urllib.parse.parse_qs(path.partition("?")[2])
        nonce, seconds = query.get("nonce", [""])[0], query.get("ts", ["0"])[0]
        with self.lock:
            if key not in self.keys or not nonce or nonce in self.nonces or abs(time.time() - int(seconds)) > 300:
                return False
            self.nonces.add(nonce)
        empty_body = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
        return has_signed(key, signature, f"GET,{self.url('registry')}{path},{empty_body}".encode())

    def note(self, line: dict) -> None:
        if self.record:
            with self.lock, open(self.record, "a") as out:
                out.write(json.dumps(line) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry
    server_name_here: str

    def log_message(self, *unused) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        authorization = self.headers.get("Authorization", "")
        self.registry.note({"server": self.server_name_here, "method": self.command, "path": self.path,
                            "range": self.headers.get("Range"), "authorization": authorization})
        rule = self.registry.rule_for(self.server_name_here, self.command, self.path)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if "status" in rule or "body" in rule:
                self.send(rule.get("status", 200), rule.get("headers", {}), rule.get("body", "").encode(), rule)
            elif "gzip_bomb" in rule:
                self.send(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(rule["gzip_bomb"] << 20)), rule)
            elif self.server_name_here == "cdn":
                self.answer_blob(self.path.split("?")[0].removeprefix("/data/"), rule)
            else:
                self.answer_registry(authorization, rule)

    def answer_registry(self, authorization: str, rule: dict) -> None:
        path, _, query = self.path.partition("?")
        if path == "/token":
            if self.registry.auth == "signed" and not self.registry.is_signed(self.path, authorization):
                self.send_json(401, {"error": "unauthorized"}, rule)
            else:
                self.send_json(200, {"token": self.registry.token, "query": query}, rule)
            return
        parts = re.fullmatch(r"/v2/([^/]+)/([^/]+)/(manifests|blobs|tags)/([^/]+)", path)
        if not parts:
            self.send_json(404, {"errors": [{"code": "NOT_FOUND"}]}, rule)
        elif self.registry.auth and authorization != f"Bearer {self.registry.token}":
            realm = self.registry.url("cdn" if self.registry.auth == "foreign" else "registry")
            if self.registry.auth == "foreign":
                realm = realm.replace("127.0.0.1", "localhost")
            scope = f"repository:{parts[1]}/{parts[2]}:pull"
            challenge = f'Bearer realm="{realm}/token",service="registry",scope="{scope}"'
            self.send(401, {"WWW-Authenticate": challenge}, b'{"errors":[{"code":"UNAUTHORIZED"}]}', rule)
        else:
            self.answer_model(*parts.groups(), rule)

    def answer_model(self, name_space: str, model: str, kind: str, last: str, rule: dict) -> None:
        folder = self.registry.store / "manifests" / self.registry.host / name_space / model
        if kind == "tags":
            tags = sorted(p.name for p in folder.glob("*")) if folder.is_dir() else []
            self.send_json(200 if tags else 404, {"name": f"{name_space}/{model}", "tags": tags}, rule)
        elif kind == "manifests":
            if (folder / last).is_file():
                self.send(200, {"Content-Type": MANIFEST_TYPE}, (folder / last).read_bytes(), rule)
            else:
                self.send_json(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]}, rule)
        elif self.command == "HEAD":
            self.answer_blob(last.replace(":", "-"), rule)
        else:
            # Another host name: a client of the same host may follow at once and keep its token.
            cdn = self.registry.url("cdn").replace("127.0.0.1", "localhost")
            place = f"{cdn}/data/{last.replace(':', '-')}?X-Signature=signed-secret"
            self.send(307, {"Location": place}, b"", rule)

    def answer_blob(self, name: str, rule: dict) -> None:
        path = self.registry.store / "blobs" / name
        if not re.fullmatch(r"sha256-[0-9a-f]{64}", name) or not path.is_file():
            self.send_json(404, {"errors": [{"code": "BLOB_UNKNOWN"}]}, rule)
            return
        content = path.read_bytes()
        headers = {"ETag": rule.get("etag", f'"{name}"'), "Accept-Ranges": "bytes",
                   "Content-Type": "application/octet-stream"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if wanted and "no_ranges" not in rule and condition in (None, headers["ETag"]):
            first = int(wanted[1])
            last = min(int(wanted[2] or len(content) - 1), len(content) - 1)
            if first >= len(content):
                self.send(416, {"Content-Range": f"bytes */{len(content)}"}, b"", rule)
                return
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self.send(206, headers, content[first:last + 1], rule)
        else:
            self.send(200, headers, content, rule)

    def send_json(self, status: int, value: dict, rule: dict) -> None:
        self.send(status, {"Content-Type": "application/json"}, json.dumps(value).encode(), rule)

    def send(self, status: int, headers: dict, body: bytes, rule: dict) -> None:
        if rule.get("corrupt") and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if rule.get("endless"):
            self.send_header("Connection", "close")
            self.close_connection = True
        elif "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if "cut" in rule:
            self.wfile.write(body[:rule["cut"]])
            self.wfile.flush()
            self.close_connection = True
            return
        self.write_slowly(body, rule.get("pause_ms", 0))
        while rule.get("endless"):
            self.wfile.write(body or b"0" * 1024)

    def write_slowly(self, body: bytes, pause_ms: float) -> None:
        if not pause_ms:
            self.wfile.write(body)
            return
        for begin in range(0, len(body), 1024):
            time.sleep(pause_ms / 1000)
            self.wfile.write(body[begin:begin + 1024])
            self.wfile.flush()


def has_signed(key: str, signature: str, data: bytes) -> bool:
    """Ed25519 by OpenSSL's program; the key in SSH's wire form, both in base64."""
    wire = base64.b64decode(key)
    if wire[:19] != b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20":
        return False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + wire[19:])
        (folder / "signature").write_bytes(base64.b64decode(signature))
        (folder / "data").write_bytes(data)
        words = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin", "-in", "data", "-sigfile", "signature"]
        return subprocess.run(words, cwd=folder, capture_output=True).returncode == 0


def put_blob(store: pathlib.Path, content: bytes) -> dict:
    """Writes a blob into a store folder; returns digest and size for a manifest."""
    digest = hashlib.sha256(content).hexdigest()
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    (store / "blobs" / f"sha256-{digest}").write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def put_manifest(store: pathlib.Path, name: str, layers: list[tuple[str, bytes]], config: bytes,
                 host: str = "registry.ollama.ai") -> bytes:
    """Writes a model `namespace/model:tag` of (kind, content) layers; returns the manifest's bytes."""
    model, _, tag = name.partition(":")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **put_blob(store, config)},
        "layers": [{"mediaType": f"application/vnd.ollama.image.{kind}", **put_blob(store, content)}
                   for kind, content in layers],
    }
    path = store / "manifests" / host / model / tag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(manifest).encode())
    return path.read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=pathlib.Path, help="folder laid out as OLLAMA_MODELS")
    parser.add_argument("--host", default="registry.ollama.ai", help="which host of the store is served")
    parser.add_argument("--auth", choices=["right", "foreign", "signed"], default="")
    parser.add_argument("--rules", help="JSON file with faults")
    parser.add_argument("--record", help="file that gets a line for each request")
    parser.add_argument("--key", action="append", default=[], help="a public key that --auth signed knows")
    options = parser.parse_args()
    registry = Registry(options.store, options.host, options.auth, options.rules, options.record)
    registry.keys.update(options.key)
    print(json.dumps({"registry": registry.url("registry"), "cdn": registry.url("cdn")}), flush=True)
    sys.stdin.read()
    registry.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
