#!/usr/bin/env python3
"""Many and difficult clients: 200 at once, slow ones, half-closed and reset sockets, streams cut off, a full queue, SIGTERM
while answers run. None of them stops the others, nothing is left behind."""

import json
import os
import signal
import socket
import struct
import sys
import threading
import time

from served import ROOT, Served, check

CHAT = {"model": "llama", "messages": [{"role": "user", "content": "x"}], "ignore_eos": True}


def request(body: dict, close: bool = True) -> bytes:
    data = json.dumps(body).encode()
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n{'Connection: close' if close else 'X: y'}\r\n\r\n").encode() + data


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def connect(server: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=120)


def many_at_once(server: Served) -> None:
    """200 streams of different lengths, all open at once."""
    sockets = [connect(server) for _ in range(200)]
    for number, one in enumerate(sockets):
        one.sendall(request(CHAT | {"stream": True, "max_tokens": 4 + number % 8, "temperature": 0}))
    answers = [read_all(one) for one in sockets]
    check(all(b"[DONE]" in answer for answer in answers if b" 200 " in answer[:20]), "every answer of 200 clients is whole")
    taken = sum(b" 200 " in answer[:20] for answer in answers)
    refused = [answer for answer in answers if b" 429 " in answer[:20]]
    check(taken + len(refused) == 200 and taken >= 100, f"{taken} are answered, {len(refused)} told to come again")
    check(all(b"retry-after:" in answer.lower() for answer in refused), "with Retry-After")


def slow_ones(server: Served) -> None:
    slow = [connect(server) for _ in range(50)]
    for one in slow:
        one.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: local")  # and no more of it
    unread = [connect(server) for _ in range(20)]
    for one in unread:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(request(CHAT | {"stream": True, "max_tokens": 200}))  # and reads nothing
    begin = time.monotonic()
    status, _ = server.request("POST", "/v1/chat/completions", CHAT | {"max_tokens": 4})
    check(status == 200 and time.monotonic() - begin < 30, "beside 50 slow and 20 silent clients an answer comes")
    answers = [read_all(one) for one in slow]
    check(all(b" 408 " in answer[:20] or answer == b"" for answer in answers), "slow heads are sent away in time")
    for one in unread:
        one.close()
    check(server.wait_idle(30), "and their answers end when they go")


def half_closed(server: Served) -> None:
    with connect(server) as one:
        one.sendall(request(CHAT | {"max_tokens": 4}))
        one.shutdown(socket.SHUT_WR)
        answer = read_all(one)
        check(answer == b"" or b" 200 " in answer[:20] or b" 503 " in answer[:20], "a client that closed its side is not hung up on")
    with connect(server) as one:  # in the middle of the body
        one.sendall(request(CHAT)[:-5])
        one.shutdown(socket.SHUT_WR)
        check(b" 200 " not in read_all(one)[:20], "half a body is no request")
    for reset in (False, True):
        one = connect(server)
        one.sendall(request(CHAT | {"stream": True, "max_tokens": 200}))
        one.recv(100)
        if reset:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
        check(server.wait_idle(10), "a client that goes in the middle of a stream ends its answer")


def ending(server: Served) -> None:
    """SIGTERM while answers run: they end whole, new ones are not taken."""
    running = [connect(server) for _ in range(4)]
    for one in running:
        one.sendall(request(CHAT | {"stream": True, "max_tokens": 120}))
        one.recv(10)
    ended = threading.Thread(target=server.stop, args=(signal.SIGTERM,))
    ended.start()
    time.sleep(0.3)
    try:
        with connect(server) as late:
            late.sendall(request(CHAT))
            check(b" 200 " not in read_all(late)[:20], "nothing new is taken after SIGTERM")
    except ConnectionRefusedError:
        check(True, "nothing new is taken after SIGTERM")
    check(all(b"[DONE]" in read_all(one) for one in running), "what ran ends whole")
    ended.join(60)
    check(server.process.returncode == 0, "and the program ends well")


with Served(sys.argv[1], "--model", str(ROOT / "tests/fixtures/models/llama")) as running_server:
    descriptors = f"/proc/{running_server.process.pid}/fd"
    before = len(os.listdir(descriptors)) if os.path.isdir(descriptors) else 0
    many_at_once(running_server)
    slow_ones(running_server)
    half_closed(running_server)
    check(running_server.wait_idle(30), "nothing runs")
    if before:
        check(len(os.listdir(descriptors)) <= before + 8, "no descriptor is left open")
    ending(running_server)
