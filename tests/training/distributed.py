#!/usr/bin/env python3
"""Data-parallel training on local processes over MLX's ring: gradients and results as on one process, one writer, one end.

    distributed.py build/release/bin/mlx-toolkit
"""

import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

from runs import Scene, largest, largest_gap, tensors


def same_gradients(scene):
    """SGD with rate 1 moves by the gradient: three steps on two processes, and on one with as many batches in a step."""
    settings = ["--steps", "3", "--optimizer", "sgd", "--learning-rate", "1", "--schedule", "constant", "--warmup", "0",
                "--clip", "0", "--json"]
    one = scene.result(scene.run(*scene.words("one", *settings, "--accumulate", "4")))
    for processes, accumulate in ((2, 2), (4, 1)):
        output = f"of{processes}"
        done = scene.run("launch", "-n", str(processes), "--", *scene.words(output, *settings, "--accumulate", str(accumulate)))
        several = scene.result(done)
        assert len(done.stdout.strip().splitlines()) == 1, done.stdout
        assert (several["processes"], several["tokens"]) == (processes, one["tokens"]), several
        a, b = tensors(scene.folder / "one"), tensors(scene.folder / output)
        gap, size = largest_gap(a, b), largest(a)
        print(f"{processes} processes: largest difference {gap:.2e} of {size:.2e}")
        assert gap < 1e-4 * size, (gap, size)
        assert abs(one["validation_loss_after"] - several["validation_loss_after"]) < 1e-4


def same_preferences(scene):
    """DPO on pairs: loss, metrics and gradients of two processes are those of one."""
    data = scene.folder / "pairs"
    data.mkdir()
    for split, count in (("train", 40), ("valid", 6)):
        rows = [{"prompt": f"Name colour {i}.", "chosen": f"Colour {i} is green{' indeed' * (i % 4)}.", "rejected": "No idea."}
                for i in range(count)]
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ["--data", str(data), "--objective", "dpo", "--steps", "3", "--optimizer", "sgd", "--learning-rate", "0.1", "--schedule",
                "constant", "--warmup", "0", "--clip", "0", "--batch-tokens", "192", "--json"]
    one = scene.result(scene.run(*scene.words("pairs-one", *settings, "--accumulate", "2")))
    two = scene.result(scene.run("launch", "-n", "2", "--", *scene.words("pairs-two", *settings)))
    a, b = tensors(scene.folder / "pairs-one"), tensors(scene.folder / "pairs-two")
    gap, size = largest_gap(a, b), largest(a)
    print(f"DPO on 2 processes: largest difference {gap:.2e} of {size:.2e}")
    assert gap < 1e-4 * size, (gap, size)
    for name, value in one["validation_metrics_after"].items():
        assert abs(value - two["validation_metrics_after"][name]) < 1e-3 * max(1, abs(value)), (name, one, two)


def resumed_on_another_number(scene):
    """Two epochs with an odd last step, stopped on two processes, go on with one."""
    settings = ["--epochs", "2", "--save-every", "2", "--keep", "99", "--json"]
    whole = scene.result(scene.run("launch", "-n", "2", "--", *scene.words("whole", *settings)))
    checkpoint = str(scene.folder / "whole/checkpoints/step-000002")
    alone = scene.result(scene.run(*scene.words("alone", *settings, "--accumulate", "2", "--resume-from", checkpoint)))
    assert alone["steps"] == whole["steps"] and alone["tokens"] == whole["tokens"], (whole, alone)
    assert abs(alone["validation_loss_after"] - whole["validation_loss_after"]) < 1e-3, (whole, alone)


def different_settings(scene):
    script = scene.folder / "uneven"
    script.write_text(f'#!/bin/sh\n[ "$MLX_RANK" = 1 ] && exec {scene.program} "$@" --seed 7\nexec {scene.program} "$@"\n')
    script.chmod(0o755)
    done = scene.run("launch", "-n", "2", "--program", str(script), "--", *scene.words("uneven-output", "--steps", "3"), check=False)
    assert done.returncode == 2 and "do not have the same settings or data" in done.stderr, (done.returncode, done.stderr)


def one_dies(scene):
    """A rank that is gone ends all within the grace time."""
    script = scene.folder / "dying"
    script.write_text(f'#!/bin/sh\n[ "$MLX_RANK" = 1 ] && {{ {scene.program} "$@" & sleep 4; kill -9 $!; exit 9; }}\nexec {scene.program} "$@"\n')
    script.chmod(0o755)
    begin = time.monotonic()
    done = scene.run("launch", "-n", "2", "--program", str(script), "--", *scene.words("dying-output", "--steps", "100000"), check=False)
    assert done.returncode != 0 and time.monotonic() - begin < 60, (done.returncode, done.stderr)


def interrupted(scene):
    """Ctrl-C at the launcher: all finish their step, the leader saves, 130."""
    process = subprocess.Popen([scene.program, "launch", "-n", "2", "--", *scene.words("stopped", "--steps", "100000", "--save-every", "0")],
                               env=scene.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = scene.folder / "stopped/metrics.jsonl"
    for _ in range(600):
        if metrics.exists() and metrics.stat().st_size > 0:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 130, (process.returncode, output, errors)
    assert list((scene.folder / "stopped/checkpoints").glob("step-*")), (output, errors)
    assert "--resume" in output, output


def free_port():
    """The first of two free ports below those that systems give to connections."""
    while True:
        port = random.randrange(20000, 32000, 2)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                pass


def over_ssh(scene):
    """A stand-in for ssh that runs the script here."""
    ssh = scene.folder / "ssh"
    ssh.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    ssh.chmod(0o755)
    settings = ["--steps", "2", "--json"]
    done = scene.run("launch", "--hosts", "127.0.0.1,localhost", "--ssh", str(ssh), "--port", str(free_port()), "--",
                     *scene.words("hosts", *settings))
    assert scene.result(done)["processes"] == 2, done.stdout


with tempfile.TemporaryDirectory() as folder:
    scene = Scene(sys.argv[1], folder)
    chosen = sys.argv[2:]
    for case in (same_gradients, same_preferences, resumed_on_another_number, different_settings, one_dies, interrupted, over_ssh):
        if not chosen or case.__name__ in chosen:
            case(scene)
            print(f"{case.__name__}: ok", flush=True)
