#!/usr/bin/env python3
"""How long mlx-dash takes to read a week of history for its charts, and how large the database is: a machine that generates all day.

    dash_history.py MLX_DASH [--keep FOLDER]

Writes the samples as the program leaves them after its compaction: a second for an hour, ten seconds for a day, a minute for the rest.
"""

import argparse
import json
import math
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import time

MODELS = {"llama3.2:3b": (41.0, 3.4e9), "qwen2.5-coder:7b": (23.0, 6.0e9)}
HOUR, DAY = 3600, 86400


def ages(week: int = 7 * DAY):
    for age in range(week):
        step = 1 if age < HOUR else 10 if age < DAY else 60
        if age % step == 0:
            yield age, step


def rows(now: int):
    for age, step in ages():
        at = (now - age) // step * step
        for model, (speed, size) in MODELS.items():
            hour = (at // HOUR) % 24
            busy = 8 <= hour < 19 and (at // 1800 + len(model)) % 3 != 0
            yield (step, at, model, step, speed * (1 + 0.1 * math.sin(at / 700)) if busy else None, 70.0 if busy else 3.0,
                   62.0 if busy else 41.0, None, size, 9e9 + size)


def sessions(now: int):
    for day in range(7):
        for hour in range(8, 19, 2):
            for model, (speed, size) in MODELS.items():
                begin = now - now % DAY - day * DAY + hour * HOUR
                if begin + HOUR < now:
                    yield model, begin, begin + HOUR - 300, speed, int(speed * 2400), size / 1e9


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mlx_dash")
    parser.add_argument("--keep", help="folder for the database, kept")
    words = parser.parse_args()
    home = pathlib.Path(words.keep or tempfile.mkdtemp(prefix="dash_history_"))
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"MLX_INFRASTRUCTURE_HOME": str(home)}
    # The program itself makes the tables.
    subprocess.run([words.mlx_dash, "watch", "--seconds", "2", "--quiet"], env=environment, check=True)
    now = int(time.time())
    with sqlite3.connect(home / "mlxdash.db") as database:
        database.executemany("INSERT OR REPLACE INTO samples VALUES (?,?,?,?,?,?,?,?,?,?)", rows(now))
        database.executemany("INSERT INTO sessions(model_name, started_at, ended_at, avg_tokens_per_sec, total_tokens, peak_memory_gb) "
                             "VALUES (?, datetime(?, 'unixepoch'), datetime(?, 'unixepoch'), ?, ?, ?)", sessions(now))
    database.close()
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        done = subprocess.run([words.mlx_dash, "export", "--days", "7", "--points", "600", "--json"], env=environment, check=True,
                              capture_output=True)
        times.append(time.perf_counter() - begin)
    samples = len(json.loads(done.stdout)["samples"])
    print(f"{samples} points of a week in {sorted(times)[3] * 1000:.0f} ms with the program's start "
          f"(median of 7), database {os.path.getsize(home / 'mlxdash.db') / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
