"""Every example in a docstring of the package does what it says."""

import doctest
import importlib
import itertools
import pkgutil
from contextlib import ExitStack

import pytest

import chrysalis_memory
from chrysalis_memory import ChrysalisMemory

MODULES = [
    found.name
    for found in pkgutil.walk_packages(chrysalis_memory.__path__, "chrysalis_memory.")
    if not found.name.endswith(("._core", ".__main__"))
]


@pytest.mark.parametrize("name", ["chrysalis_memory", *MODULES])
def test_examples_in_docstrings_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stores:
        numbers = itertools.count()

        def example_store():
            folder = tmp_path / f"store-{next(numbers)}"
            return stores.enter_context(ChrysalisMemory(folder, agent_id="ada", embedder="none"))

        module = importlib.import_module(name)
        outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS, extraglobs={"example_store": example_store})
    assert outcome.failed == 0
