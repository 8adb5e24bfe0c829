#!/usr/bin/env python3
"""A Hugging Face hub on the loopback: real protocol, faults on request. Python's own library only.

  hub_server.py --repos FOLDER [--rules rules.json] [--log requests.jsonl]

FOLDER/<org>/<name>/<revision>/... are the files of a model; a file of 4 KiB or more, or one whose name ends in
.safetensors, .gguf or .bin, is in Git LFS. The commit is made from the content, so it is the same each time.
Prints {"hub": "http://127.0.0.1:port", "cdn": "http://127.0.0.1:port"} and serves until its input ends.

What real clients ask and what stands here: GET /api/models/{repo}[/revision/{rev}], /api/models/{repo}/tree/{rev}
(recursive, pages of --page entries with a Link header), /api/models/{repo}/refs, /api/models?search=, /api/whoami-v2,
HEAD and GET /{repo}/resolve/{rev}/{path}: small files here with ETag, LFS files by redirect to the second origin
with a signed address, X-Repo-Commit, X-Linked-Etag and X-Linked-Size.

A rule is an object: {"path": <regular expression of method and target, such as "GET .*safetensors">, "times": n (default
always), and one of
  "status": 503, "headers": {...}, "body": "..."       that answer
  "cut": n          the connection closes after n bytes of the body
  "endless": true   the body again and again
  "bomb": true      a small gzip body that unpacks to 1 GiB
  "pause_ms": n     before each kilobyte
  "flip": n         the byte at n is another one (right size, wrong digest)
  "grow": n         n bytes more than promised, promised so too
  "location": url   redirect there
  "etag": text      another ETag
  "json": value     that JSON instead
The file is read anew for every request, so a test may change it.
"""

import argparse
import gzip
import hashlib
import hmac
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse

LFS_BYTES = 4096
LFS_NAMES = (".safetensors", ".gguf", ".bin")
SECRET = b"signs addresses of the second origin"


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class File:
    def __init__(self, path: str, content: bytes):
        self.path, self.content = path, content
        self.lfs = len(content) >= LFS_BYTES or path.endswith(LFS_NAMES)
        self.sha256 = hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(content)}\n"
        self.oid = git_blob(pointer.encode() if self.lfs else content)
        self.pointer_size = len(pointer)
        self.etag = self.sha256 if self.lfs else self.oid

    def listed(self) -> dict:
        entry = {"type": "file", "oid": self.oid, "size": len(self.content), "path": self.path}
        if self.lfs:
            entry["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": self.pointer_size}
        return entry


class Revision:
    def __init__(self, folder: pathlib.Path):
        self.files = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                self.files[name] = File(name, path.read_bytes())
        self.commit = hashlib.sha1("".join(f"{f.oid} {f.path}\n" for f in self.files.values()).encode()).hexdigest()


class Hub:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.repos: dict[str, dict[str, Revision]] = {}
        self.renamed: dict[str, str] = {}
        for folder in sorted(pathlib.Path(options.repos).glob("*/*")):
            name = f"{folder.parent.name}/{folder.name}"
            self.repos[name] = {r.name.replace("%2F", "/"): Revision(r) for r in sorted(folder.iterdir()) if r.is_dir()}
        for pair in options.renamed:
            old, new = pair.split("=")
            self.renamed[old] = new
        self.lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.hub_origin = self.cdn_origin = ""

    def rule_for(self, text: str) -> dict | None:
        if not self.options.rules or not pathlib.Path(self.options.rules).exists():
            return None
        with self.lock:
            for rule in json.loads(pathlib.Path(self.options.rules).read_text()):
                key = json.dumps(rule, sort_keys=True)
                if re.search(rule["path"], text) and self.counts.get(key, 0) < rule.get("times", 1 << 60):
                    self.counts[key] = self.counts.get(key, 0) + 1
                    return rule
        return None

    def record(self, entry: dict) -> None:
        if self.options.log:
            with self.lock, open(self.options.log, "a") as log:
                log.write(json.dumps(entry) + "\n")

    def revision(self, repo: str, name: str) -> Revision | None:
        revisions = self.repos.get(repo, {})
        if name in revisions:
            return revisions[name]
        return next((r for r in revisions.values() if r.commit == name), None)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    origin_name = "hub"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def answer(self):
        self.hub.record({"origin": self.origin_name, "method": self.command, "target": self.path,
                         "headers": {k.lower(): v for k, v in self.headers.items()}})
        self.rule = self.hub.rule_for(f"{self.command} {self.path}") or {}
        rule = self.rule
        try:
            if "location" in rule:
                return self.send({"Location": rule["location"], **rule.get("headers", {})}, b"", rule.get("status", 302))
            if "status" in rule:
                return self.send(rule.get("headers", {}), rule.get("body", "").encode(), rule["status"])
            if "json" in rule:
                return self.send_json(rule["json"], rule.get("headers", {}))
            self.route()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def send_json(self, value, headers=None, status=200):
        self.send({"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode(), status)

    def refuse(self, status: int, code: str, message: str, headers=None):
        self.send_json({"error": message}, {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})}, status)

    def send(self, headers: dict, body: bytes, status: int = 200):
        rule = self.rule
        if "flip" in rule and rule["flip"] < len(body):
            body = body[: rule["flip"]] + bytes([body[rule["flip"]] ^ 1]) + body[rule["flip"] + 1 :]
        if "grow" in rule:
            body += b"x" * rule["grow"]
        if "bomb" in rule:
            headers = {**headers, "Content-Encoding": "gzip"}
            body = gzip.compress(b"[" + b" " * (1 << 20)) * 1024
        if "etag" in rule:
            headers = {**headers, "ETag": rule["etag"]}
        headers = {k: v for k, v in headers.items() if v is not None}
        self.send_response(status)
        if "endless" not in rule and not any(k.lower() == "content-length" for k in headers):
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        if "endless" in rule or "cut" in rule:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        if "cut" in rule:
            body = body[: rule["cut"]]
        if "endless" in rule:
            body = (body or b" ") * (1 + 65536 // max(len(body), 1))
        while True:
            if "pause_ms" in rule:
                for at in range(0, len(body), 1024):
                    time.sleep(rule["pause_ms"] / 1000)
                    self.wfile.write(body[at : at + 1024])
                    self.wfile.flush()
            else:
                self.wfile.write(body)
            if "endless" not in rule:
                return

    def send_content(self, content: bytes, headers: dict):
        asked = self.headers.get("Range")
        unchanged = self.headers.get("If-Range") in (None, headers.get("ETag"))
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "") if unchanged else None
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **headers}
        if not match:
            return self.send(headers, content)
        first, last = int(match[1]), min(int(match[2] or len(content) - 1), len(content) - 1)
        if first >= len(content) or last < first:
            return self.send({"Content-Range": f"bytes */{len(content)}"}, b"", 416)
        self.send({**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"}, content[first : last + 1], 206)

    def authorized(self, repo: str) -> bool:
        """Answers and returns False when this repository needs a token that did not come."""
        options, token = self.hub.options, self.headers.get("Authorization", "")
        if repo in options.private and token != f"Bearer {options.token}":
            self.refuse(401, "RepoNotFound", "Repository not found")
            return False
        if repo in options.gated and token != f"Bearer {options.token}":
            message = f"Access to model {repo} is restricted. You must be authenticated to access it."
            self.refuse(403 if token else 401, "GatedRepo", message)
            return False
        return True

    def route(self):
        address = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(address.query)
        path = address.path
        if path == "/api/whoami-v2":
            return self.send_json({"type": "user", "name": "tester", "auth": {"type": "access_token"}})
        if path == "/api/models":
            word = query.get("search", [""])[0].lower()
            return self.send_json([{"id": r, "modelId": r} for r in self.hub.repos if word in r.lower()])
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(.*))?", path):
            return self.api(match[1], (match[2] or "").split("/"), query)
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.resolve(match[1], urllib.parse.unquote(match[2]), urllib.parse.unquote(match[3]))
        self.refuse(404, "", "no such route")

    def known(self, repo: str) -> bool:
        if repo in self.hub.renamed:
            self.send({"Location": self.path.replace(repo, self.hub.renamed[repo], 1)}, b"", 307)
            return False
        if repo not in self.hub.repos:
            self.refuse(401 if "Authorization" not in self.headers else 404, "RepoNotFound", "Repository not found")
            return False
        return self.authorized(repo)

    def api(self, repo: str, rest: list[str], query: dict):
        if not self.known(repo):
            return
        kind, revision_name = rest[0], urllib.parse.unquote("/".join(rest[1:])) or "main"
        if kind == "refs":
            return self.send_json({"branches": [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": r.commit}
                                                for n, r in self.hub.repos[repo].items()], "tags": [], "converts": []})
        revision = self.hub.revision(repo, revision_name)
        if revision is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision_name}")
        if kind in ("", "revision"):
            return self.send_json({"_id": "1", "id": repo, "modelId": repo, "sha": revision.commit, "private": False,
                                   "gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
                                   "siblings": [{"rfilename": name} for name in revision.files]})
        if kind == "tree":
            start, size = int(query.get("cursor", ["0"])[0]), self.hub.options.page
            entries = [f.listed() for f in revision.files.values()]
            folders = {p.as_posix() for f in revision.files for p in pathlib.PurePosixPath(f).parents} - {"."}
            entries = [{"type": "directory", "path": p, "oid": git_blob(p.encode()), "size": 0} for p in sorted(folders)] + entries
            headers = {}
            if start + size < len(entries):
                more = f"{self.hub.hub_origin}/api/models/{repo}/tree/{revision_name}?recursive=true&expand=false&cursor={start + size}"
                headers["Link"] = f'<{more}>; rel="next"'
            return self.send_json(entries[start : start + size], headers)
        self.refuse(404, "", "no such route")

    def resolve(self, repo: str, revision_name: str, path: str):
        if not self.known(repo):
            return
        revision = self.hub.revision(repo, revision_name)
        if revision is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision_name}")
        commit = {"X-Repo-Commit": revision.commit}
        file = revision.files.get(path)
        if file is None:
            return self.refuse(404, "EntryNotFound", "Entry not found", commit)
        etag = f'"{file.etag}"'
        if not file.lfs:
            return self.send_content(file.content, {**commit, "ETag": etag})
        signed = hmac.new(SECRET, file.sha256.encode(), "sha256").hexdigest()
        where = f"{self.hub.cdn_origin}/{repo}/{file.sha256}?X-Amz-Signature={signed}&Expires={int(time.time()) + 3600}"
        self.send({**commit, "Location": where, "X-Linked-Etag": etag, "X-Linked-Size": str(len(file.content)),
                   "ETag": f'"{file.oid}"'}, b"", 302)


class CdnHandler(Handler):
    origin_name = "cdn"

    def route(self):
        address = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(address.query)
        sha256 = address.path.rsplit("/", 1)[-1]
        signed = hmac.new(SECRET, sha256.encode(), "sha256").hexdigest()
        if query.get("X-Amz-Signature") != [signed] or int(query.get("Expires", ["0"])[0]) < time.time():
            return self.send({}, b"<Error>AccessDenied</Error>", 403)
        for revisions in self.hub.repos.values():
            for revision in revisions.values():
                for file in revision.files.values():
                    if file.sha256 == sha256:
                        return self.send_content(file.content, {"ETag": f'"{hashlib.md5(file.content).hexdigest()}"'})
        self.send({}, b"<Error>NoSuchKey</Error>", 404)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that goes is no news
            super().handle_error(request, client_address)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", required=True)
    parser.add_argument("--rules", help="file with a list of rules, read anew for every request")
    parser.add_argument("--log", help="a JSON line per request")
    parser.add_argument("--page", type=int, default=1000, help="entries per page of a tree")
    parser.add_argument("--token", default="hf_test_token")
    parser.add_argument("--private", nargs="*", default=[], help="repositories that only the token's owner sees")
    parser.add_argument("--gated", nargs="*", default=[], help="repositories whose terms only the token's owner accepted")
    parser.add_argument("--renamed", nargs="*", default=[], help="old/name=new/name")
    parser.add_argument("--behind", nargs=2, metavar=("HUB", "CDN"), help="origins of a proxy before both: what links and redirects name")
    hub = Hub(parser.parse_args())
    servers = []
    for handler in (Handler, CdnHandler):
        bound = type(handler.__name__, (handler,), {"hub": hub})
        servers.append(Server(("127.0.0.1", 0), bound))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
    # Two names of one machine are two origins; ports alone would be, too.
    hub.hub_origin, hub.cdn_origin = (f"http://127.0.0.1:{s.server_address[1]}" for s in servers)
    print(json.dumps({"hub": hub.hub_origin, "cdn": hub.cdn_origin}), flush=True)
    if hub.options.behind:
        hub.hub_origin, hub.cdn_origin = hub.options.behind
    sys.stdin.read()


if __name__ == "__main__":
    main()
