"""Prints the Authorization header that Ollama's own code makes for the key and address of sign_in_test.cpp.

Compiles a few lines of Go against Ollama's package auth, v0.9.6 (Go 1.24 or newer; go1.26.8 was used), and lets them sign with
the key of src/core/model_store/ollama/testing_key.h.
Run: python scripts/reference/ollama_sign_in.py
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
URL = "https://registry.ollama.ai/token?service=registry&scope=repository%3Aann%2Fx%3Apull&ts=1700000000&nonce=AAECAwQFBgcICQoLDA0ODw"
PROGRAM = """package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/ollama/ollama/auth"
)

func main() {
	empty := sha256.Sum256(nil)
	body := base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(empty[:])))
	header, err := auth.Sign(context.Background(), []byte("GET,%s,"+body))
	fmt.Println(header, err)
}
""" % URL


def main() -> None:
    text = (ROOT / "src/core/model_store/ollama/testing_key.h").read_text()
    key = "\n".join(re.findall(r'"(.*)\\n"', text)) + "\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".ollama").mkdir()
        (folder / ".ollama/id_ed25519").write_text(key)
        (folder / "main.go").write_text(PROGRAM)
        for words in (["mod", "init", "example.com/sign"], ["get", "github.com/ollama/ollama@v0.9.6"], ["build", "-o", "sign", "."]):
            subprocess.run(["go", *words], cwd=folder, check=True, capture_output=True)
        subprocess.run([folder / "sign"], env=os.environ | {"HOME": name}, check=True)


if __name__ == "__main__":
    main()
