#!/usr/bin/env python3
"""Makes docs/man/mlx-cache.1 from the program's own help, which comes from its table of commands.

    scripts/make_man_page.py build/release/bin/mlx-cache            writes the page
    scripts/make_man_page.py build/release/bin/mlx-cache --check    fails when it is not up to date (a test does this)
"""

import json
import os
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "man" / "mlx-cache.1"

ENVIRONMENT = [
    ("MLX_CACHE_DIR", "the cache folder; over cache_dir of ~/.mlx-infrastructure/config.yaml, over ~/.mlx-cache"),
    ("MLX_INFRASTRUCTURE_HOME", "folder of the suite's settings and logs instead of ~/.mlx-infrastructure"),
    ("HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE",
     "as huggingface_hub reads them; a token goes to the endpoint only and is written nowhere"),
    ("OLLAMA_MODELS, OLLAMA_HOST", "Ollama's store and server"),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "proxies; servers on this machine are asked directly"),
    ("SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE", "certificates to trust instead of the system's, the first that is set"),
    ("NO_COLOR", "no colour in tables and errors"),
]
FILES = [
    ("~/.mlx-cache/models/", "one folder for each model, with .metadata.json; files are read-only"),
    ("~/.mlx-cache/registry.db", "models, apps and which app uses which model (SQLite); `mlx-cache repair` makes it again"),
    ("~/.mlx-cache/config.yaml", "settings; see `mlx-cache config`"),
    ("~/.mlx-cache/incoming/", "downloads on their way; the next `add` goes on with them"),
    ("~/.mlx-cache/journal/", "files that `sync` and `adopt` replaced by links, for --undo"),
    ("~/.ollama/id_ed25519", "the key that Ollama made: signs in where its registry asks for it"),
    ("~/.mlx-infrastructure/logs/mlx-cache.log", "what was done"),
]
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
    version = run(program, "--version")["version"]
    top = run(program, "--help")["help"]
    summary = top.split("\n")[1]
    names = re.findall(r"^  ([a-z]+) {2,}", re.search(r"\nCommands\n((  .*\n)+)", top)[1], flags=re.M)
    everywhere = re.search(r"\nEverywhere\n((  .*\n)+)", top)[1]
    page = f'.\\" Made by scripts/make_man_page.py from the program\'s help.\n'
    page += f'.TH MLX\\-CACHE 1 "" "mlx\\-cache {version}" "User Commands"\n'
    page += f".SH NAME\nmlx\\-cache \\- {roff(summary[0].lower() + summary[1:].rstrip('.'))}\n"
    page += ".SH SYNOPSIS\n.B mlx\\-cache\n.I COMMAND\n[options]\n"
    page += ".SH OPTIONS OF EVERY COMMAND\n" + preformatted(everywhere)
    page += ".SH COMMANDS\n"
    for name in names:
        text = without_everywhere(run(program, name, "--help")["help"]).split("\n", 1)[1]
        page += f".SS {name}\n" + preformatted(text)
    page += ".SH ENVIRONMENT\n" + listed(ENVIRONMENT)
    page += ".SH FILES\n" + listed(FILES)
    page += ".SH EXIT STATUS\n" + listed(EXIT)
    return page


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    page = make(sys.argv[1])
    if "--check" in sys.argv:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
            return 0
        print(f"{PAGE.name} is not what the program says: run scripts/make_man_page.py {sys.argv[1]}", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
