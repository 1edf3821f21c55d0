"""Every example in a docstring of the package does what it says."""

import doctest
import importlib
import pkgutil

import pytest

import chrysalis_memory

MODULES = [
    found.name
    for found in pkgutil.walk_packages(chrysalis_memory.__path__, "chrysalis_memory.")
    if not found.name.endswith(("._core", ".__main__"))
]


@pytest.mark.parametrize("name", ["chrysalis_memory", *MODULES])
def test_examples_in_docstrings_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0
