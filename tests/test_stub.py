"""The stub of the compiled module: it says what is there, and its examples run."""

import ast
import doctest
import importlib.util
import inspect
import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

import chrysalis_memory
from chrysalis_memory import _core

STUB = Path(chrysalis_memory.__file__).with_name("_core.pyi")
TREE = ast.parse(STUB.read_text(encoding="utf-8"))
CLASSES = {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef)}
FUNCTIONS = {node.name: node for node in TREE.body if isinstance(node, ast.FunctionDef)}

# What every object has, whether the class says so or not.
ALWAYS = set(dir(object)) | {"__module__", "__doc__"}


def members(node):
    return {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)} | {
        one.target.id: one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }


def is_property(node):
    return isinstance(node, ast.AnnAssign) or any(
        getattr(one, "id", None) == "property" or getattr(one, "attr", None) == "setter" for one in node.decorator_list
    )


def arguments(node):
    given = node.args
    return [one.arg for one in given.posonlyargs + given.args + given.kwonlyargs if one.arg not in {"self", "cls"}]


def test_the_stub_has_the_names_of_the_module():
    constants = {node.target.id for node in TREE.body if isinstance(node, ast.AnnAssign)}
    there = {name for name in dir(_core) if not name.startswith("_")}
    assert set(CLASSES) | set(FUNCTIONS) | constants == there


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_class_has_the_members_that_the_stub_says(name):
    compiled = getattr(_core, name)
    stubbed = members(CLASSES[name])
    there = set(vars(compiled)) - ALWAYS
    special = {member for member in there if member.startswith("__")}
    assert there - special == {member for member in stubbed if not member.startswith("__")}
    for member, node in stubbed.items():
        if not member.startswith("__"):
            assert is_property(node) == inspect.isgetsetdescriptor(vars(compiled)[member]), member


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_method_takes_the_arguments_that_the_stub_says(name):
    for member, node in members(CLASSES[name]).items():
        if is_property(node) or member.startswith("__"):
            continue
        signature = inspect.signature(getattr(getattr(_core, name), member))
        assert [one for one in signature.parameters if one not in {"self", "cls"}] == arguments(node), member


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_takes_the_arguments_that_the_stub_says(name):
    assert list(inspect.signature(getattr(_core, name)).parameters) == arguments(FUNCTIONS[name])


def documented():
    for node in ast.walk(TREE):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ">>>" in (ast.get_docstring(node) or ""):
            yield pytest.param(ast.get_docstring(node), id=node.name)


@pytest.mark.parametrize("text", list(documented()))
def test_the_examples_of_the_stub_are_true(text):
    names = {name: getattr(_core, name) for name in dir(_core) if not name.startswith("_")}
    test = doctest.DocTestParser().get_doctest(text, names, "stub", str(STUB), 0)
    assert test.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is among the dev extras")
def test_mypy_finds_no_difference_between_the_stub_and_the_module(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "chrysalis_memory._core", "--concise"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
        env=_environment(),
    )
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr


def _environment():
    package = str(Path(chrysalis_memory.__file__).parents[1])
    if package in site.getsitepackages():
        # Mypy finds what is installed by itself, and refuses to be shown it.
        return dict(os.environ)
    return os.environ | {"PYTHONPATH": package, "MYPYPATH": package}
