"""Many at once, and some who never finish: the page stays, whoever asks too much is told so."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from faltung.errors import ExplorerError
from faltung.explorer import run, server, work
from faltung.explorer.questions import Question
from faltung.explorer.server import listening


def head(page: Any, path: str, rest: str) -> bytes:
    return f"POST {page.base}/{path} HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n{rest}".encode()


def seconds_until_hung_up(page: Any, first: bytes, drip: bytes = b"") -> float:
    """Send the beginning of a request, and then a byte now and then, until the other side ends."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", page.port), timeout=0.1) as line:
        line.sendall(first)
        while time.monotonic() - start < 20:
            try:
                if not line.recv(65536):
                    break
            except TimeoutError:
                pass
            except OSError:
                break
            try:
                line.sendall(drip)
            except OSError:
                break
    return time.monotonic() - start


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had time: a test has not."""
    monkeypatch.setattr(run, "SECONDS_TO_ASK", 0.6)
    monkeypatch.setattr(server, "SECONDS_OF_SILENCE", 0.5)
    monkeypatch.setattr(server, "SECONDS_TO_SEND", 1.0)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("first", "drip"),
    [(b"", b""), (b"G", b""), (b"GET / HTTP/1.1\r\n", b"X"), (b"GET / HTTP/1.1\r\nA: b", b"b")],
)
def test_headers_that_never_end(page: Any, hasty: None, first: bytes, drip: bytes) -> None:
    """Silent, or one byte now and then."""
    assert 0.4 < seconds_until_hung_up(page, first, drip) < 10
    assert page.is_well()


@pytest.mark.alone
@pytest.mark.parametrize("path", ["upload", "ask/test.echo"])
@pytest.mark.parametrize("drip", [b"", b"x"])
def test_bodies_that_never_end(page: Any, hasty: None, path: str, drip: bytes) -> None:
    """Told so after a time, and then hung up on."""
    kind = "octet-stream" if path == "upload" else "json"
    request = head(page, path, f"Content-Type: application/{kind}\r\nContent-Length: 999\r\n\r\n")
    answer = page.raw(request, 10) if not drip else b"HTTP/1.1 408 "
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 0.4 < seconds_until_hung_up(page, request, drip) < 15
    assert page.is_well()


def test_endless_headers(page: Any) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(400))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "SECONDS_TO_ASK", 0.6)
        assert page.status(head(page, "upload", "") + lines, 2) in (400, 431)
    assert page.is_well()


def test_a_hundred_questions_at_once(page: Any) -> None:
    """Some are answered, the rest are told to wait; the page answers meanwhile, and after."""
    page.is_well()
    slowest = 0.0
    with ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(page.ask, "test.sleep", {"seconds": 0.1}) for _ in range(100)]
        while not all(one.done() for one in asked):
            start = time.monotonic()
            assert page.request("GET", f"{page.base}/grid.js")[0] == 200
            slowest = max(slowest, time.monotonic() - start)
    found = Counter(one.result()[0] for one in asked)
    assert set(found) == {200, 503}
    assert found[200] >= server.QUESTIONS_AT_ONCE
    refusals = [one.result()[1]["error"] for one in asked if one.result()[0] == 503]
    assert set(refusals) == {"too much is asked at once; wait a moment"}
    assert slowest < 5
    assert page.is_well()


def test_a_hundred_uploads_at_once(page: Any, folder: Path) -> None:
    with ThreadPoolExecutor(100) as pool:
        data = b"x" * 2**16
        asked = [pool.submit(page.upload, iter([data] * 8)) for _ in range(100)]
        found = Counter(one.result()[0] for one in asked)
    assert set(found) <= {200, 503}
    assert found[200] >= server.UPLOADS_AT_ONCE
    assert len([p for p in folder.iterdir() if p.is_file()]) <= 32
    assert page.is_well()


def test_a_hundred_who_say_nothing(page: Any) -> None:
    lines = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(100)]
    try:
        for line in lines:
            line.sendall(b"GET /")
        start = time.monotonic()
        assert page.is_well()
        assert time.monotonic() - start < 5
    finally:
        for line in lines:
            line.close()


def test_more_connections_than_there_may_be(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CONNECTIONS", 10)
    lines = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(30)]
    time.sleep(0.5)
    ended = 0
    for line in lines:
        line.settimeout(0.05)
        try:
            ended += line.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionResetError:
            ended += 1
        line.close()
    assert ended >= 20
    time.sleep(0.5)
    assert page.is_well()


def test_nobody_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(work, "PATIENCE", 0.05)
    workers = work.Workers(tmp_path, count=1)
    workers._free.get()
    with pytest.raises(work.BusyError, match="too much is asked at once"):
        workers.ask("test", Question("hostile:echo"), b"{}")


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_workers_that_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Nobody waits for an answer that will not come, whether the worker is there yet or not."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    workers = work.Workers(tmp_path, count=1)
    question = Question("hostile:sleep", 60.0)
    failures = []

    def ask() -> None:
        with pytest.raises(ExplorerError, match="the process that worked on it ended") as caught:
            workers.ask("test", question, b'{"seconds": 60}')
        failures.append(caught.value)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    workers.close()
    for thread in threads:
        thread.join(20)
    assert len(failures) == 3


# The next port, and the end -----------------------------------------------------------------------


def test_the_next_port() -> None:
    with listening(0) as first:
        port = first.getsockname()[1]
        with listening(port) as second:
            assert port < second.getsockname()[1] < port + 20
        with pytest.raises(ExplorerError, match=f"no port is free, got ports={port} to {port}"):
            listening(port, tries=1)
    with pytest.raises(ExplorerError, match=r"no port is free, .* Give another one with --port"):
        listening(99_999)


SERVE = """
from faltung.explorer.run import serve
if __name__ == "__main__":
    serve(0, ready=lambda url, once: print(url, flush=True))
    print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """While somebody works and somebody is connected: no process, no folder, no word is left."""
    script = tmp_path / "page.py"
    script.write_text(SERVE)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, str(script)]
    env = {**os.environ, "TMPDIR": str(temporary)}
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    assert started.stdout is not None
    url = started.stdout.readline().strip()
    host, port = url.split("/")[2].split(":")
    with socket.create_connection((host, int(port))):
        assert len([*temporary.iterdir()]) == 1
        started.send_signal(number)
        out, err = started.communicate(timeout=20)
    assert (started.returncode, out, err) == (0, "ended\n", "")
    assert not [*temporary.iterdir()]


def test_a_page_that_works_ends_at_once(hostile_page: Callable[[], Any]) -> None:
    """Its workers too, though one is in the middle of a long question."""
    got: list[Any] = []
    others = set(multiprocessing.active_children())
    with hostile_page() as page:
        asking = threading.Thread(
            target=lambda: got.append(page.ask("test.sleep", {"seconds": 15}))
        )
        asking.start()
        while not (children := set(multiprocessing.active_children()) - others):
            time.sleep(0.02)
        time.sleep(0.5)
        start = time.monotonic()
    assert time.monotonic() - start < 8
    asking.join(10)
    assert not any(child.is_alive() for child in children)
