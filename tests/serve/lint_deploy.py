#!/usr/bin/env python3
"""What cannot be run here of deploy/ is read: images with a user and no secrets, units with the program's real options,
metrics in the dashboard that the server has."""

import json
import pathlib
import plistlib
import re
import subprocess
import sys

from served import ROOT, Served, check

DEPLOY = ROOT / "deploy"


def dockerfile(path: pathlib.Path) -> None:
    text = re.sub(r"\\\n", " ", path.read_text())
    words = [line.split(None, 1)[0] for line in text.splitlines() if line.strip() and not line.startswith("#")]
    check(set(words) <= {"FROM", "SHELL", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD",
                         "ENTRYPOINT", "ARG", "bash"}, f"{path.name}: known instructions")
    images = re.findall(r"^FROM (\S+)", text, re.M)
    check(all(":" in image and not image.endswith(":latest") for image in images), f"{path.name}: images with a version")
    check(words.index("USER") > len(words) - 1 - words[::-1].index("FROM"), f"{path.name}: runs as a user of its own")
    check(all("rm -rf /var/lib/apt/lists" in line for line in text.splitlines() if "apt-get install" in line),
          f"{path.name}: package lists do not stay")
    check(not re.search(r"ENV .*(TOKEN|SECRET|PASSWORD)", text), f"{path.name}: no secret in the image")
    for field in ("ENTRYPOINT", "CMD"):
        for line in re.findall(rf"^{field} (.*)$", text, re.M):
            check(isinstance(json.loads(line), list), f"{path.name}: {field} is a list")


def options_of(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("--")}


def main() -> None:
    help_page = json.loads(subprocess.run([sys.argv[1], "serve", "--help", "--json"], check=True, capture_output=True,
                                          text=True).stdout.splitlines()[-1])
    known = {"--" + name for name in re.findall(r'"name": ?"([a-z0-9-]+)"', json.dumps(help_page))}
    for name in ("Dockerfile", "Dockerfile.cuda"):
        dockerfile(DEPLOY / name)
        lists = [json.loads(line.split(None, 1)[1]) for line in (DEPLOY / name).read_text().splitlines()
                 if line.startswith(("ENTRYPOINT", "CMD"))]
        check(options_of(sum(lists, [])) <= known, f"{name}: options that serve has")
    unit = (DEPLOY / "mlx-toolkit.service").read_text()
    start = re.search(r"^ExecStart=(.*)$", unit, re.M).group(1).split()
    check(options_of(start) <= known and start[1] == "serve", "systemd unit: options that serve has")
    check(all(section in unit for section in ("[Unit]", "[Service]", "[Install]")), "systemd unit: its sections")
    with (DEPLOY / "mlx-toolkit.plist").open("rb") as file:
        plist = plistlib.load(file)
    check(options_of(plist["ProgramArguments"]) <= known, "launchd: options that serve has")
    compose = (DEPLOY / "compose.yaml").read_text()
    check("127.0.0.1:8080:8080" in compose and ":latest" not in compose, "compose: ports on loopback, images with a version")
    for path in re.findall(r"- \./([\w./-]+):", compose):
        check((DEPLOY / path).exists(), f"compose: {path} is there")
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    with Served(sys.argv[1], "--model", str(ROOT / "tests/fixtures/models/llama")) as server:
        server.request("POST", "/v1/completions", {"model": "llama", "prompt": "x", "max_tokens": 2})
        scraped = server.request("GET", "/metrics")[1]
    has = set(re.findall(r"^# TYPE (\S+)", scraped, re.M))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"toolkit_\w+", target["expr"])}
            check(names <= has, f"dashboard, {panel['title']}: {', '.join(sorted(names))}")


main()
