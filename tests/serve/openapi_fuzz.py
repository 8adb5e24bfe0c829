#!/usr/bin/env python3
"""schemathesis on our OpenAPI document: requests that fit it and requests that do not, on every route; no answer of 500, every
status and every body as the document says."""

import os
import pathlib
import subprocess
import sys

from served import ROOT, Served, check, enter_clients

enter_clients("schemathesis")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method"
with Served(sys.argv[1], "--model", str(ROOT / "tests/fixtures/models/llama"), "--pull-hosts", "none.example") as running:
    seconds = sys.argv[2] if len(sys.argv) > 2 else "60"
    done = subprocess.run([str(pathlib.Path(sys.executable).parent / "schemathesis"), "run", running.url + "/openapi.json", "--checks", CHECKS,
                           "--max-time", seconds, "--seed", "1", "--phases", "examples,coverage,fuzzing", "--request-timeout", "60",
                           "--suppress-health-check", "all", "--warnings", "off", "--no-color"], cwd=running.folder,
                          capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    print(done.stdout[-6000:] if done.returncode else "\n".join(done.stdout.strip().splitlines()[-12:]))
    check(done.returncode == 0, "schemathesis finds nothing " + done.stderr[-2000:])
    check(running.request("GET", "/health")[0] == 200 and running.wait_idle(60), "the server is well afterwards")
    check(running.stop() == 0, "it ends when asked to")
