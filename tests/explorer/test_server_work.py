"""Work that the page is asked to do, by somebody who means it harm."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from faltung.explorer import server, uploads

JSON = {"Content-Type": "application/json"}


# Questions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "a question must be JSON"),
        (b"{", "a question must be JSON"),
        (b"\xff\xfe{}", "a question must be JSON"),
        (b'{"a": NaN}', "a question must be JSON"),
        (b'{"a": -Infinity}', "a question must be JSON"),
        (b'{"a": 1, "a": 2}', "a question must be JSON"),
        (b'{"a": %s}' % (b"9" * 10000), "a question must be JSON"),
        (b"[" * 100_000, "a question must be JSON"),
        (b'{"a":' * 100_000, "a question must be JSON"),
        (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "nested deeper than 64"),
        (b"[" * 65 + b"]" * 65, "what a view asks with must be a mapping, got type=list"),
        (b"[]", "what a view asks with must be a mapping, got type=list"),
        (b'"x"', "what a view asks with must be a mapping, got type=str"),
        (b"null", "what a view asks with must be a mapping, got type=NoneType"),
        (b'"' + b"x" * (4 * 2**20) + b'"', "a question must not be larger than 4,194,304 bytes"),
    ],
)  # fmt: skip
def test_questions_that_are_none(page: Any, body: bytes, text: str) -> None:
    status, _, got = page.request("POST", f"{page.base}/ask/test.echo", body, JSON)
    assert status == 400
    assert text in json.loads(got)["error"]
    assert page.is_well()


@pytest.mark.parametrize("name", ["nothing", "os.system", "__class__", "test.echo%00", "..", "é"])
def test_questions_that_nobody_answers(page: Any, name: str) -> None:
    status, got = page.ask(name.replace("é", "%C3%A9"))
    assert status in (400, 404)
    assert "there is no such question" in got["error"] or status == 404


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "json"])
def test_content_types(page: Any, kind: str) -> None:
    """What a form of another site could send without asking first."""
    headers = {"Content-Type": kind}
    for path, text in (("ask/test.echo", "must be JSON"), ("upload", "application/octet-stream")):
        status, _, got = page.request("POST", f"{page.base}/{path}", "{}", headers)
        assert status == 415
        assert text in json.loads(got)["error"]


def test_questions_that_do_not_end(page: Any) -> None:
    start = time.monotonic()
    status, got = page.ask("test.loop")
    assert status == 400
    assert got["error"].startswith("test.loop: it took more than 0.5 seconds and was ended.")
    assert time.monotonic() - start < 15
    assert page.is_well()


def test_questions_that_take_all_memory(page: Any) -> None:
    status, got = page.ask("test.allocate")
    assert status == 400
    assert "it needs more memory than it may use" in got["error"]
    assert page.is_well()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("crash", "the process that worked on it ended"),
        ("large", "the process that worked on it ended"),
        ("fail", "it failed, got error=RuntimeError. Please report it."),
        ("nan", "it failed, got error=ValueError. Please report it."),
    ],
)
def test_questions_that_fail(page: Any, name: str, text: str) -> None:
    """No traceback, no path; and the page goes on."""
    status, got = page.ask(f"test.{name}")
    assert status == 400
    assert text in got["error"]
    assert "/" not in got["error"]
    assert page.is_well()


def test_what_a_question_starts_ends_with_it(page: Any, tmp_path: Path) -> None:
    tell = tmp_path / "pid"
    _, got = page.ask("test.child", {"tell": str(tell)})
    assert "was ended" in got["error"]
    ended(int(tell.read_text()))


def ended(pid: int) -> None:
    """Wait until a process is gone, or nobody's any more."""
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"{pid} is alive")


# Files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "label",
    ["../../../evil.png", "/etc/passwd", "C:\\windows\\evil.png", "a%00b.png", "%0d%0aX: y.png",
     "%F0%9F%90%88.png", "%E2%80%AEgnp.exe", "x" * 3000, "", ".", "..", "con.png", "x.p/ng",
     "%C2%85.png", "a.png%2f..%2f..%2fb", "x.;rm -rf", "<script>.svg"],
)  # fmt: skip
def test_labels_of_uploads(page: Any, folder: Path, label: str) -> None:
    """A file has the name that it is given here, whatever it was called."""
    before = set(folder.iterdir())
    status, got = page.upload(b"data", label)
    assert status == 200
    assert re.fullmatch(r"[0-9a-f]{16}(\.[a-z0-9]{1,8})?", got["name"])
    (new,) = set(folder.iterdir()) - before
    assert (new.name, new.read_bytes(), got["size"]) == (got["name"], b"data", 4)
    assert new.parent == folder


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "", ".", "..", "work", "x\0y", "a/b", "a\\b", None, 3, ["x"], "x" * 999,
     {"a": 1}, ".hidden", "nobody"],
)  # fmt: skip
def test_names_of_uploads(page: Any, name: object) -> None:
    status, got = page.ask("test.read", {"file": name})
    assert status == 400
    assert "there is no such file" in got["error"]


def test_a_link_is_no_upload(page: Any, folder: Path) -> None:
    (folder / "link.png").symlink_to("/etc/passwd")
    try:
        assert "there is no such file" in page.ask("test.read", {"file": "link.png"})[1]["error"]
    finally:
        (folder / "link.png").unlink()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """As if a file may have few bytes: nobody sends 256 MiB in a test."""
    monkeypatch.setattr(uploads, "LARGEST", 1000)
    monkeypatch.setattr(server, "LARGEST", 1000)
    return 1000


def test_too_large_and_said_so(page: Any, folder: Path, small: int) -> None:
    before = set(folder.iterdir())
    for length in ("1001", "9" * 15, "9" * 19):
        request = f"POST {page.base}/upload HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
        headers = f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        answer = page.raw((request + headers).encode(), 1)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"a file must not be larger than 1,000 bytes" in answer
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "0x10", "9" * 30, "1, 2", "\u0661", "+5"])
def test_lengths_that_are_none(page: Any, length: str) -> None:
    request = f"POST {page.base}/upload HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
    headers = f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    assert page.status((request + headers).encode(), 1) == 400
    assert page.is_well()


def test_too_large_and_silent_about_it(page: Any, folder: Path, small: int) -> None:
    """In chunks, so that nobody knows the size before."""
    before = set(folder.iterdir())
    status, got = page.upload(iter([b"x" * 600, b"x" * 600]))
    assert (status, set(folder.iterdir())) == (400, before)
    assert "a file must not be larger than 1,000 bytes" in got["error"]
    assert page.upload(iter([b"x" * 600, b"x" * 400]))[0] == 200
    assert page.is_well()


def test_the_oldest_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with uploads.Uploads() as kept:
        names = [kept.add("a.bin", [b"x"]) for _ in range(uploads.MOST + 3)]
        assert [name for name in names if (kept.folder / name).exists()] == names[3:]
        monkeypatch.setattr(uploads, "TOGETHER", 100)
        last = kept.add("a.bin", [b"x" * 90])
        assert [p.name for p in kept.folder.iterdir() if p.name == last] == [last]
        assert sum(p.stat().st_size for p in kept.folder.iterdir()) <= 100
    assert not kept.folder.exists()


def test_an_upload_that_breaks_off_leaves_nothing(page: Any, folder: Path) -> None:
    before = set(folder.iterdir())
    head = f"POST {page.base}/upload HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
    head += "Content-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\nabc"
    with socket.create_connection(("127.0.0.1", page.port)) as line:
        line.sendall(head.encode())
        waited(lambda: set(folder.iterdir()) != before)
    waited(lambda: set(folder.iterdir()) == before)


def waited(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nothing_is_written_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hostile_page: Callable[[], Any]
) -> None:
    """Uploads, caches, temporary and nameless files: all in one folder, which goes at the end."""
    places = {name: tmp_path / name for name in ("home", "cache", "here", "temporary")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setenv("HOME", str(places["home"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(places["cache"]))
    monkeypatch.setenv("TMPDIR", str(places["temporary"]))
    monkeypatch.delenv("FALTUNG_CACHE", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(places["temporary"]))
    monkeypatch.chdir(places["here"])
    package = Path(uploads.__file__).parents[1]
    before = {path for path in package.rglob("*") if "__pycache__" not in path.parts}
    with hostile_page() as page:
        assert page.upload(b"data", "x.bin")[0] == 200
        assert page.ask("test.litter") == (200, None)
        assert page.ask("test.fail")[0] == 400
        (folder,) = places["temporary"].iterdir()
        written = {path.name for path in (folder / "work").rglob("*")}
        assert "here.txt" in written
        assert len(written) >= 2
    assert set(tmp_path.rglob("*")) == set(places.values())
    assert {path for path in package.rglob("*") if "__pycache__" not in path.parts} == before
