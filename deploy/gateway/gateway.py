"""A gateway before one or several `mlx-toolkit serve`: every user has a token of their own, and a request goes to a server
that has its model. Settings are a JSON file named by GATEWAY_CONFIG:

    {"servers": [{"url": "http://127.0.0.1:8080", "token_file": "/etc/toolkit/server-token"}],
     "users": {"ann": "<sha256 of her token, hexadecimal>"}}

    GATEWAY_CONFIG=gateway.json uvicorn gateway:app --port 9000
"""

import hashlib
import hmac
import json
import os
import pathlib
import time

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse

CONFIG = json.loads(pathlib.Path(os.environ["GATEWAY_CONFIG"]).read_text())
BODY_LIMIT = 16 << 20
FORWARDED = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}
KEPT_HEADERS = {"content-type", "retry-after"}

app = FastAPI(title="mlx-toolkit gateway", docs_url=None, redoc_url=None)
client = httpx.AsyncClient(timeout=httpx.Timeout(600, connect=5))
known: dict[str, str] = {}  # model -> server
looked = 0.0


def user(request: Request) -> str:
    """Whose token it is; every one is compared, so that the time tells nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    digest, found = hashlib.sha256(token.encode()).hexdigest(), ""
    for name, wanted in CONFIG["users"].items():
        if hmac.compare_digest(digest, wanted) and scheme.lower() == "bearer":
            found = name
    if not found:
        raise HTTPException(401, "a token is needed", {"WWW-Authenticate": "Bearer"})
    return found


def headers_of(server: dict) -> dict[str, str]:
    if "token_file" not in server:
        return {}
    return {"Authorization": "Bearer " + pathlib.Path(server["token_file"]).read_text().strip()}


async def models() -> list[dict]:
    """Of all servers that answer; remembered for routing."""
    global looked
    found = []
    for server in CONFIG["servers"]:
        try:
            answer = await client.get(server["url"] + "/v1/models", headers=headers_of(server), timeout=5)
            for model in answer.raise_for_status().json()["data"]:
                known[model["id"]] = server["url"]
                found.append(model)
        except (httpx.HTTPError, KeyError, ValueError):
            continue
    looked = time.monotonic()
    return found


async def server_of(model: str) -> dict:
    if model not in known and time.monotonic() - looked > 1:
        await models()
    for server in CONFIG["servers"]:
        if server["url"] == known.get(model):
            return server
    raise HTTPException(404, f"model '{model}' not found")


@app.exception_handler(HTTPException)
async def in_openai_form(_: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": {"message": error.detail, "type": "gateway_error", "param": None, "code": None}},
                        error.status_code, error.headers)


@app.get("/v1/models")
async def list_models(_: str = Depends(user)) -> dict:
    return {"object": "list", "data": await models()}


@app.post("/v1/{path:path}")
async def forward(path: str, request: Request, _: str = Depends(user)):
    if f"/v1/{path}" not in FORWARDED:
        raise HTTPException(404, "this gateway forwards chats, completions and embeddings")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT:
            raise HTTPException(413, f"the body is larger than {BODY_LIMIT} bytes")
    try:
        model = json.loads(body)["model"]
    except (ValueError, KeyError, TypeError):
        raise HTTPException(400, "expected a JSON object with a model") from None
    server = await server_of(str(model))
    asked = client.build_request("POST", f"{server['url']}/v1/{path}", content=body,
                                 headers=headers_of(server) | {"Content-Type": "application/json"})
    try:
        answer = await client.send(asked, stream=True)
    except httpx.HTTPError:
        raise HTTPException(502, "the model's server does not answer") from None

    async def pieces():
        try:
            async for piece in answer.aiter_raw():
                yield piece
        finally:  # a client that goes ends the answer at the server too
            await answer.aclose()

    kept = {name: value for name, value in answer.headers.items() if name in KEPT_HEADERS}
    return StreamingResponse(pieces(), answer.status_code, kept)
