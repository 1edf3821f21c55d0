"""Every example in the stub of the compiled core does what it says."""

import ast
import doctest
from pathlib import Path

import pytest

import chrysalis_memory

STUB = Path(chrysalis_memory.__file__).with_name("_core.pyi")
DOCUMENTED = (ast.ClassDef, ast.FunctionDef)


def documented(tree, within=""):
    for node in tree.body:
        if isinstance(node, DOCUMENTED):
            name = f"{within}{node.name}"
            if ">>>" in (ast.get_docstring(node) or ""):
                yield name, ast.get_docstring(node)
            if isinstance(node, ast.ClassDef):
                yield from documented(node, f"{name}.")


EXAMPLES = dict(documented(ast.parse(STUB.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_the_stub_are_true(name):
    public = {public: getattr(chrysalis_memory, public) for public in chrysalis_memory.__all__}
    examples = doctest.DocTestParser().get_doctest(EXAMPLES[name], public, name, str(STUB), 0)
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples).failed == 0


def test_every_type_for_direct_use_has_an_example():
    names = {"GSet", "ORSet", "LWWRegister", "GCounter", "VectorClock", "MemoryDocument"}
    assert names <= EXAMPLES.keys()
