"""The tree of errors: what a caller can rely on."""

import pickle
import re
from pathlib import Path

import pytest

from chrysalis_memory import errors
from chrysalis_memory.errors import ChrysalisError, NotAllowed, NotFound, Refused, StoreError, StoreLocked, TooLarge

ALL_ERRORS = [getattr(errors, name) for name in errors.__all__ if name != "from_core"]


def test_every_error_has_the_one_root():
    assert all(issubclass(kind, ChrysalisError) for kind in ALL_ERRORS)


def test_no_error_shadows_a_builtin():
    assert not set(errors.__all__) & set(dir(__builtins__))


def test_codes_are_stable_and_unique():
    codes = {kind.default_code: kind.__name__ for kind in ALL_ERRORS}
    assert codes == {
        "error": "ChrysalisError",
        "refused": "Refused",
        "bad_signature": "BadSignature",
        "malformed": "Malformed",
        "too_large": "TooLarge",
        "not_allowed": "NotAllowed",
        "equivocation": "Equivocation",
        "too_far_ahead": "TooFarAhead",
        "store_error": "StoreError",
        "store_locked": "StoreLocked",
        "store_corrupt": "StoreCorrupt",
        "store_encrypted": "StoreEncrypted",
        "store_too_new": "StoreTooNew",
        "read_only": "StoreReadOnly",
        "disk_full": "DiskFull",
        "link_error": "LinkError",
        "unreachable": "Unreachable",
        "peer_misbehaved": "PeerMisbehaved",
        "link_timeout": "LinkTimeout",
        "link_closed": "LinkClosed",
        "model_error": "ModelError",
        "not_found": "NotFound",
    }


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_every_hint_is_a_sentence_of_advice(kind):
    assert kind("something happened").hint.endswith(".")


def test_data_stands_on_the_error_as_attributes():
    error = TooLarge("content of 70000 bytes", size=70000, limit=65536)
    assert (error.size, error.limit) == (70000, 65536)
    assert NotFound("no memory").id is None


def test_to_dict_holds_all_that_the_error_says():
    error = NotFound("no memory m-1", hint="Look again.", id="m-1")
    assert error.to_dict() == {"code": "not_found", "message": "no memory m-1", "hint": "Look again.", "id": "m-1"}


def test_an_error_survives_the_way_to_another_process():
    error = StoreLocked("waited for 30 s", code="store_locked_by_stopped", hint="Wake it.", path="/s", waited_s=30.0)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is StoreLocked
    assert copy.to_dict() == error.to_dict()
    assert copy.waited_s == 30.0


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_every_code_of_the_core_finds_its_class(kind):
    assert type(errors.from_core(kind.default_code, "because")) is kind


def test_a_finer_code_finds_the_nearest_class_and_is_kept():
    error = errors.from_core("withdrawn", "these words were withdrawn", id="m-1")
    assert type(error) is NotAllowed
    assert (error.code, error.id) == ("withdrawn", "m-1")
    assert isinstance(error, Refused)
    assert not isinstance(error, StoreError)


def test_an_unknown_code_is_still_an_error_of_ours():
    error = errors.from_core("of_a_later_version", "what")
    assert type(error) is ChrysalisError
    assert error.code == "of_a_later_version"


def test_every_code_of_the_rust_sources_has_a_class():
    sources = Path(__file__).parent.parent / "crates"
    codes = {code for name in ("core", "store") for code in _codes(sources / name / "src" / "error.rs")}
    assert len(codes) > 15
    # Misuse becomes ValueError before a class is looked for.
    unknown = {code for code in codes - {"invalid"} if type(errors.from_core(code, "because")) is ChrysalisError}
    assert unknown == set()


def _codes(source):
    body = re.search(r"pub fn code\(&self\).*?\n    }\n", source.read_text("utf-8"), re.DOTALL)
    return re.findall(r'=> "([a-z_]+)"', body[0])
