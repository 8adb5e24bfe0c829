#!/usr/bin/env python3
"""The memory that is planned for a model, against what the process holds when its cache is full: within 15 %. A model that
is unloaded gives it back to the system."""

import sys
import time

from served import MODEL, Served, check, has_sample, skip

PROGRAM_BYTES = 36e6  # code, libraries, threads: there without a model, too


def resident_bytes(process: int, field: str) -> float:
    with open(f"/proc/{process}/status", encoding="utf-8") as status:
        return int(next(line for line in status if line.startswith(field)).split()[1]) * 1024.0


if not has_sample():
    skip("no sample model; run scripts/setup")
if not sys.platform.startswith("linux"):
    skip("reads /proc")
with Served(sys.argv[1], "--model", MODEL, "--cache-gb", "0.3") as server:
    planned = server.request("GET", "/api/ps")[1]["models"][0]["size"]
    sentence = "The bicycle that stands before the old house beside the river belongs to a man who repairs clocks. "
    for number in range(40):  # different prompts until the cache has been filled once
        server.request("POST", "/v1/completions", {"model": MODEL, "prompt": f"{number} " + sentence * 24, "max_tokens": 1})
        status, metrics = server.request("GET", "/metrics")
        usage = next(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("toolkit_kv_cache_usage_perc{"))
        if usage > 0.99:
            break
    check(usage > 0.95, f"the cache is full ({usage:.0%})")
    held = resident_bytes(server.process.pid, "VmHWM")
    expected = planned + PROGRAM_BYTES
    check(abs(held / expected - 1) < 0.15, f"planned {expected / 1e6:.0f} MB, held at most {held / 1e6:.0f} MB ({held / expected - 1:+.0%})")

    server.request("POST", "/api/generate", {"model": MODEL, "keep_alive": 0})
    for _ in range(100):
        if not server.request("GET", "/api/ps")[1]["models"]:
            break
        time.sleep(0.1)
    time.sleep(1)  # it is not shown any more, and freed then
    left = resident_bytes(server.process.pid, "VmRSS")
    check(left < 1.5 * PROGRAM_BYTES, f"an unloaded model leaves {left / 1e6:.0f} MB of {held / 1e6:.0f}")
