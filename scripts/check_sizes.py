#!/usr/bin/env python3
"""Reports files that have grown too long to read in one sitting; fails above the hard limit."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ADVISED = {".h": 150, ".cpp": 400, ".mm": 400, ".rs": 400, ".py": 400}
WARN = 600
STOP = 800


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    advised, failed = [], False
    for name in sorted(filter(None, listed)):
        path = ROOT / name
        if path.suffix not in ADVISED or not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > STOP:
            print(f"{name}: {lines} lines: at most {STOP}; split it by idea", file=sys.stderr)
            failed = True
        elif lines > WARN:
            print(f"{name}: {lines} lines: split it by idea before adding to it")
        elif lines > ADVISED[path.suffix]:
            advised.append(f"{name} ({lines})")
    if advised:
        print("longer than advised (headers 150, others 400): " + ", ".join(advised))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
