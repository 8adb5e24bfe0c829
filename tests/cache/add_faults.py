#!/usr/bin/env python3
"""`mlx-cache add` against a server that misbehaves in every way we know: it gets over what passes and says so, refuses
the rest with a reason, leaves nothing half-published and lets no token out.

    tests/cache/add_faults.py build/release/bin/mlx-cache
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from adding import Adding, check

WEIGHTS = {"server": "cdn", "method": "GET", "path": "/data/"}


class Case:
    def __init__(self, program: str, place: pathlib.Path, number: int, **more):
        self.adding = Adding(program, place / str(number), 400_000, **more)

    def __enter__(self) -> Adding:
        return self.adding

    def __exit__(self, *unused) -> None:
        self.adding.close()


def passes(adding: Adding, what: str, said: str, *words: str) -> None:
    status, text = adding.add(*words)
    check(status == 0 and adding.is_whole() and not adding.leftovers(), f"{what}: got over {text if status else ''}")
    check(said in text, f"{what}: said '{said}' in '{text}'")


def refused(adding: Adding, what: str, said: str) -> None:
    status, text = adding.add()
    check(status != 0 and said in text, f"{what}: refused with '{said}': {text.strip()}")
    check(adding.model() is None, f"{what}: nothing was published")
    adding.rules()
    status, text = adding.add()
    check(status == 0 and adding.is_whole(), f"{what}: the next call against a good server succeeds {text if status else ''}")


def server_faults(program: str, place: pathlib.Path) -> None:
    cases = [
        ("connection cut", passes, {**WEIGHTS, "cut": 150_000, "times": 2}, "again in"),
        ("503", passes, {**WEIGHTS, "status": 503, "times": 2}, "503, again in"),
        ("429 with Retry-After", passes, {**WEIGHTS, "status": 429, "headers": {"Retry-After": "1"}, "times": 1}, "429, again in 1.0 s"),
        ("no ranges", passes, {**WEIGHTS, "no_ranges": True}, ""),
        ("changed bytes", refused, {**WEIGHTS, "corrupt": True}, "not what was announced"),
        ("wrong size", refused, {**WEIGHTS, "headers": {"Content-Length": "7"}, "body": "abcdefg"}, "bytes as listed"),
        ("endless body", refused, {**WEIGHTS, "endless": True}, "more than the"),
        ("gzip bomb as weights", refused, {**WEIGHTS, "gzip_bomb": 50}, "gzip"),
        ("gzip bomb as manifest", refused, {"path": "/manifests/", "gzip_bomb": 200}, "refused"),
        ("endless manifest", refused, {"path": "/manifests/", "endless": True}, "refused"),
        ("blob is gone", refused, {**WEIGHTS, "status": 404}, "404"),
        ("redirect to plain http elsewhere", refused,
         {"server": "registry", "path": "/blobs/", "status": 307, "headers": {"Location": "http://models.example/x"}}, "plain http"),
        ("redirect to a file", refused,
         {"server": "registry", "path": "/blobs/", "status": 307, "headers": {"Location": "file:///etc/passwd"}}, "redirect refused"),
    ]
    for number, (what, expected, rule, said) in enumerate(cases):
        with Case(program, place, number) as adding:
            adding.rules(rule)
            expected(adding, what, said)


def resumes(program: str, place: pathlib.Path) -> None:
    with Case(program, place, 100) as adding:
        adding.rules({**WEIGHTS, "path": "/data/", "cut": 150_000, "times": 3}, {**WEIGHTS, "status": 404})
        status, text = adding.add()
        check(status != 0, "a stop in the middle is a failure")
        adding.rules()
        passes(adding, "the next call", "goes on after")
        begins = [line["range"] for line in adding.weight_requests() if line["range"]]
        check(any("bytes=150000-" in begin for begin in begins), f"it went on at the byte: {begins}")
    with Case(program, place, 101) as adding:
        adding.rules({**WEIGHTS, "cut": 150_000, "times": 3}, {**WEIGHTS, "status": 404})
        adding.add()
        adding.rules({**WEIGHTS, "etag": '"another"'})
        passes(adding, "another ETag", "changed on the server")


def tokens_stay(program: str, place: pathlib.Path) -> None:
    with Case(program, place, 200, auth="right") as adding:
        passes(adding, "bearer token", "")
        check(any(adding.server.token in line["authorization"] for line in adding.requests() if line["server"] == "registry"),
              "the registry got the token")
        check(not any(line["authorization"] for line in adding.requests() if line["server"] == "cdn"), "the other host got none")
        secrets = [adding.server.token.encode(), b"signed-secret"]
        for path in adding.home.rglob("*"):
            if path.is_file() and any(secret in path.read_bytes() for secret in secrets):
                sys.exit(f"FAILED: {path.name} holds a token or a signed address")
        check(True, "neither token nor signed address in any file that was written")


def add_on_mount(adding: Case, options: str) -> subprocess.CompletedProcess | None:
    """The add with the store on a file system of its own, so that root is held off too; None (and SKIPPED) without."""
    script = f'mkdir -p "$1/.mlx-cache" && mount -t tmpfs -o {options} none "$1/.mlx-cache" || exit 42; shift; exec "$@"'
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", str(adding.home), adding.program, "add",
                           adding.uri, "--no-publish"], env=adding.environment, capture_output=True, text=True)
    if done.returncode == 42 or "unshare" in done.stderr:
        print("SKIPPED: no mount of our own here: " + done.stderr.strip())
        return None
    return done


def read_only_store(program: str, place: pathlib.Path) -> None:
    with Case(program, place, 300) as adding:
        done = add_on_mount(adding, "ro")
        if done:
            check(done.returncode == 1 and "Read-only" in done.stderr, f"read-only store: {done.stderr.strip()}")


def full_disk(program: str, place: pathlib.Path) -> None:
    with Case(program, place, 301) as adding:
        done = add_on_mount(adding, "size=200k")
        if done:
            check(done.returncode == 1 and "free" in done.stderr, f"full disk: {done.stderr.strip()}")
            check(not adding.weight_requests(), "full disk: said before anything was fetched")


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for test in (server_faults, resumes, tokens_stay, read_only_store, full_disk):
            test(program, pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
