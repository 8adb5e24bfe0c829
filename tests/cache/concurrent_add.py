#!/usr/bin/env python3
"""Two and eight processes add the same model at once: one download, all succeed. And `add` killed with -9 again and
again: every further call goes on, at the end the model is whole and no byte to speak of came twice.

    tests/cache/concurrent_add.py build/release/bin/mlx-cache [--kills N] [--seed N]
"""

import argparse
import pathlib
import random
import signal
import subprocess
import sys
import tempfile

from adding import Adding, check


def together(program: str, folder: pathlib.Path, count: int) -> None:
    adding = Adding(program, folder, 8_000_000)
    adding.rules({"server": "cdn", "pause_ms": 0.05})  # long enough that they meet
    processes = [adding.start() for _ in range(count)]
    results = [(process.communicate(timeout=120), process.returncode) for process in processes]
    for (_, err), status in results:
        check(status == 0, f"{count} at once: a process succeeds {err if status else ''}")
    check(len(adding.weight_requests()) == 1, f"{count} at once: the weights are asked for once")
    check(adding.is_whole() and not adding.leftovers(), f"{count} at once: the model is whole, nothing is left over")
    print(f"{count} at once: {sum('waiting for' in err for (_, err), _ in results)} said for whom they waited")
    adding.close()


def killed(program: str, folder: pathlib.Path, kills: int, seed: int) -> None:
    adding = Adding(program, folder, 6_000_000)
    adding.rules({"server": "cdn", "pause_ms": 0.1})
    chance = random.Random(seed)
    survived = 0
    for _ in range(kills):
        process = adding.start()
        try:
            process.communicate(timeout=chance.uniform(0, 0.4))
            survived += 1
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        check(adding.model() is None or adding.is_whole(), "after kill -9 the model is whole or not there")
    status, said = adding.add()
    check(status == 0 and adding.is_whole(), f"after {kills - survived} kills the next call ends it {said if status else ''}")
    check(not adding.leftovers(), f"nothing is left over: {adding.leftovers()}")
    # What a connection had under way when its process was killed may come again, the rest not.
    begins = [int((line["range"] or "=0-").split("=")[1].split("-")[0]) for line in adding.weight_requests()]
    check(begins == sorted(begins), f"no call went on before the last one's byte: {begins}")
    print(f"kill -9: {kills - survived} kills in {kills} calls, resumed at bytes {sorted(set(begins))}")
    adding.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for count in (2, 8):
            together(options.program, pathlib.Path(place) / str(count), count)
        killed(options.program, pathlib.Path(place) / "killed", options.kills, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
