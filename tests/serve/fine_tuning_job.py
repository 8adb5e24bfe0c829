#!/usr/bin/env python3
"""A fine-tuning job from upload to an answer by the tuned model, through kill -9 and a restart, and a cancelled one."""

import json
import signal
import sys
import time

from served import MODEL, Served, check, enter_clients, has_sample, skip

enter_clients("openai")
import openai  # noqa: E402

ROW = {"messages": [{"role": "user", "content": "What is the password?"},
                    {"role": "assistant", "content": "The password is blue elephant."}]}


def client_of(server: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)


def wait_for(client: openai.OpenAI, job: str, done, seconds: float = 240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = client.fine_tuning.jobs.retrieve(job)
        if done(found):
            return found
        time.sleep(0.2)
    raise SystemExit(f"FAILED: job {job} did not get there: {found}")


def preferences(client: openai.OpenAI) -> None:
    """A dpo job, in OpenAI's form of its rows."""
    row = {"input": {"messages": [{"role": "user", "content": "Say a colour."}]},
           "preferred_output": [{"role": "assistant", "content": "blue"}], "non_preferred_output": [{"role": "assistant", "content": "red"}]}
    file = client.files.create(file=("pairs.jsonl", (json.dumps(row) + "\n").encode() * 4), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model=MODEL, training_file=file.id, method={"type": "dpo", "dpo": {"hyperparameters": {
        "beta": 0.2, "n_epochs": 1, "learning_rate_multiplier": 1}}})
    done = wait_for(client, job.id, lambda one: one.status in ("succeeded", "failed"))
    check(done.status == "succeeded", f"a dpo job succeeds ({done.error})")
    answer = client.chat.completions.create(model=done.fine_tuned_model, messages=row["input"]["messages"], max_tokens=4)
    check(answer.choices[0].message.content, "and its model answers")


def run(program: str) -> None:
    server = Served(program, "--model", MODEL)
    with server:
        client = client_of(server)
        rows = "".join(json.dumps(ROW) + "\n" for _ in range(40)).encode()
        file = client.files.create(file=("../../rows.jsonl", rows), purpose="fine-tune")
        check(file.filename == "rows.jsonl" and file.bytes == len(rows), "a file is taken under its last name")
        check(client.files.content(file.id).read() == rows, "its content comes back")
        stored = next((server.home / "serve/files").iterdir())
        check(stored.name == file.id and stored.stat().st_mode & 0o77 == 0, "it lies under our name, for its owner only")
        job = client.fine_tuning.jobs.create(
            model=MODEL, training_file=file.id, suffix="password", seed=1,
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 5, "learning_rate_multiplier": 10}}})
        check(job.status in ("queued", "running"), "a job is queued")
        waiting = client.fine_tuning.jobs.create(model=MODEL, training_file=file.id)
        check(client.fine_tuning.jobs.cancel(waiting.id).status == "cancelled", "a waiting job is cancelled")
        wait_for(client, job.id, lambda one: len(client.fine_tuning.jobs.list_events(job.id).data) > 6)
        server.stop(signal.SIGKILL)
    with server:
        client = client_of(server)
        check(client.fine_tuning.jobs.retrieve(job.id).status in ("queued", "running"), "after kill -9 the job is still there")
        check(client.fine_tuning.jobs.retrieve(waiting.id).status == "cancelled", "and so is the cancelled one")
        answer = client.chat.completions.create(model=MODEL, messages=ROW["messages"][:1], max_tokens=8)
        check(answer.choices[0].message.content, "answers come while a job runs")
        done = wait_for(client, job.id, lambda one: one.status in ("succeeded", "failed"))
        check(done.status == "succeeded", f"the job succeeds ({done.error})")
        events = list(client.fine_tuning.jobs.list_events(job.id, limit=5))
        check(len(events) > 5 and any("server ended" in event.message for event in events), "events tell it, page by page")
        check(len({event.id for event in events}) == len(events), "each once")
        checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id).data
        check(checkpoints and checkpoints[0].step_number >= checkpoints[-1].step_number, "checkpoints are listed, the last one first")
        early = client.chat.completions.create(model=checkpoints[-1].fine_tuned_model_checkpoint, messages=ROW["messages"][:1],
                                               max_tokens=16, temperature=0)
        check(early.choices[0].message.content, "and each is served by its name")
        tuned = client.chat.completions.create(model=done.fine_tuned_model, messages=ROW["messages"][:1], max_tokens=16,
                                               temperature=0)
        check("blue elephant" in tuned.choices[0].message.content, "the tuned model says what it learned")
        base = client.chat.completions.create(model=MODEL, messages=ROW["messages"][:1], max_tokens=16, temperature=0)
        check("blue elephant" not in base.choices[0].message.content, "and its base does not")
        preferences(client)
        bad = client.files.create(file=("bad.jsonl", b'{"messages": 5}\n'), purpose="fine-tune")
        failed = client.fine_tuning.jobs.create(model=MODEL, training_file=bad.id)
        failed = wait_for(client, failed.id, lambda one: one.status in ("succeeded", "failed"))
        check(failed.status == "failed" and "line 1" in failed.error.message and str(server.home) not in failed.error.message,
              "a bad row is named, and no folder of the server")
        check(server.stop() == 0, "SIGTERM ends the server")
    with server:
        client = client_of(server)
        tuned = client.chat.completions.create(model=done.fine_tuned_model, messages=ROW["messages"][:1], max_tokens=16,
                                               temperature=0)
        check("blue elephant" in tuned.choices[0].message.content, "the tuned model is served after a restart")
        check(client.models.delete(done.fine_tuned_model).deleted, "it can be deleted")
        check(client.files.delete(file.id).deleted and bad.id in [one.id for one in client.files.list().data], "and so can files")


if not has_sample():
    skip("no sample model; run scripts/setup")
run(sys.argv[1])
