#!/usr/bin/env python3
"""Makes docs/man/<program>.1 of mlx-cache, mlx-dash or mlx-diag from the program's own help, which comes from its table of commands.

    scripts/make_man_page.py build/release/bin/mlx-cache            writes the page
    scripts/make_man_page.py build/release/bin/mlx-cache --check    fails when it is not up to date (a test does this)
"""

import json
import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs" / "man"

CACHE_ENVIRONMENT = [
    ("MLX_CACHE_DIR", "the cache folder; over cache_dir of ~/.mlx-infrastructure/config.yaml, over ~/.mlx-cache"),
    ("MLX_INFRASTRUCTURE_HOME", "folder of the suite's settings and logs instead of ~/.mlx-infrastructure"),
    ("HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE",
     "as huggingface_hub reads them; a token goes to the endpoint only and is written nowhere"),
    ("OLLAMA_MODELS, OLLAMA_HOST", "Ollama's store and server"),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "proxies; servers on this machine are asked directly"),
    ("SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE", "certificates to trust instead of the system's, the first that is set"),
    ("NO_COLOR", "no colour in tables and errors"),
]
CACHE_FILES = [
    ("~/.mlx-cache/models/", "one folder for each model, with .metadata.json; files are read-only"),
    ("~/.mlx-cache/registry.db", "models, apps and which app uses which model (SQLite); `mlx-cache repair` makes it again"),
    ("~/.mlx-cache/config.yaml", "settings; see `mlx-cache config`"),
    ("~/.mlx-cache/incoming/", "downloads on their way; the next `add` goes on with them"),
    ("~/.mlx-cache/journal/", "files that `sync` and `adopt` replaced by links, for --undo"),
    ("~/.ollama/id_ed25519", "the key that Ollama made: signs in where its registry asks for it"),
    ("~/.mlx-infrastructure/logs/mlx-cache.log", "what was done"),
]
DASH_ENVIRONMENT = [
    ("OLLAMA_HOST", "where Ollama is; one that names the proxy's port means the Ollama behind it"),
    ("OLLAMA_MODELS", "Ollama's store, to name the model of a runner"),
    ("MLX_INFRASTRUCTURE_HOME", "folder of the suite's settings, history and logs instead of ~/.mlx-infrastructure"),
    ("DISPLAY, WAYLAND_DISPLAY", "the windows need one of them"),
    ("NO_COLOR", "no colour in tables and errors"),
]
DASH_FILES = [
    ("~/.mlx-infrastructure/config.yaml", "preferences, section mlxdash; see `mlx-dash config`"),
    ("~/.mlx-infrastructure/mlxdash.db", "sessions, benchmarks and samples (SQLite)"),
    ("~/.ollama/logs/server.log, the journal of the service ollama", "read for live speeds, where Ollama writes them"),
    ("~/.config/autostart/mlx-dash.desktop", "launch at login, a preference"),
    ("~/.mlx-infrastructure/logs/mlx-dash.log", "what was done"),
]
DIAG_ENVIRONMENT = [
    ("MLX_INFRASTRUCTURE_HOME", "folder of the suite's settings, databases and logs instead of ~/.mlx-infrastructure"),
    ("MLX_CACHE_DIR", "the cache folder"),
    ("OLLAMA_HOST", "where Ollama is"),
    ("NO_COLOR", "no colour in tables and errors"),
]
DIAG_FILES = [
    ("~/.mlx-infrastructure/", "settings, databases and logs of the suite; only read"),
    ("mlx-diag.zip", "what `mlx-diag export` writes into the folder it runs in"),
]
PROGRAMS = {"mlx-cache": (CACHE_ENVIRONMENT, CACHE_FILES), "mlx-dash": (DASH_ENVIRONMENT, DASH_FILES),
            "mlx-diag": (DIAG_ENVIRONMENT, DIAG_FILES)}
EXIT = [("0", "done"), ("1", "failure"), ("2", "wrong usage or input"), ("70", "a bug"), ("130", "interrupted")]


def run(program: str, *words: str) -> dict:
    environment = dict(os.environ, MLX_INFRASTRUCTURE_HOME=os.devnull)
    done = subprocess.run([program, *words, "--json"], check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def preformatted(text: str) -> str:
    return ".nf\n" + roff(text.rstrip("\n")) + "\n.fi\n"


def listed(pairs: list[tuple[str, str]]) -> str:
    return "".join(f".TP\n.B {roff(name)}\n{roff(text)}\n" for name, text in pairs)


def without_everywhere(text: str) -> str:
    """The options that every command has are told once."""
    return re.sub(r"\nEverywhere\n(  .*\n)+", "", text)


def make(program: str) -> str:
    own_name = pathlib.Path(program).name
    variables, files = PROGRAMS[own_name]
    name_text = roff(own_name)
    version = run(program, "--version")["version"]
    top = run(program, "--help")["help"]
    summary = top.split("\n")[1]
    names = re.findall(r"^  ([a-z]+) {2,}", re.search(r"\nCommands\n((  .*\n)+)", top)[1], flags=re.M)
    everywhere = re.search(r"\nEverywhere\n((  .*\n)+)", top)[1]
    page = f'.\\" Made by scripts/make_man_page.py from the program\'s help.\n'
    page += f'.TH {name_text.upper()} 1 "" "{name_text} {version}" "User Commands"\n'
    page += f".SH NAME\n{name_text} \\- {roff(summary[0].lower() + summary[1:].rstrip('.'))}\n"
    page += f".SH SYNOPSIS\n.B {name_text}\n.I COMMAND\n[options]\n"
    page += ".SH OPTIONS OF EVERY COMMAND\n" + preformatted(everywhere)
    page += ".SH COMMANDS\n"
    for name in names:
        text = without_everywhere(run(program, name, "--help")["help"]).split("\n", 1)[1]
        page += f".SS {name}\n" + preformatted(text)
    page += ".SH ENVIRONMENT\n" + listed(variables)
    page += ".SH FILES\n" + listed(files)
    page += ".SH EXIT STATUS\n" + listed(EXIT)
    return page


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    path = FOLDER / f"{pathlib.Path(sys.argv[1]).name}.1"
    page = make(sys.argv[1])
    if "--check" in sys.argv:
        if path.exists() and path.read_text(encoding="utf-8") == page:
            return 0
        print(f"{path.name} is not what the program says: run scripts/make_man_page.py {sys.argv[1]}", file=sys.stderr)
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
