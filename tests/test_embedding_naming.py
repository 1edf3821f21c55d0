"""Functions without a name of their own do not pass for one another."""

import functools
import subprocess
import sys

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.embedding.naming import name_of
from memory_cases import bag_of_words


def scaled(text, by=1.0):
    return [value * by for value in bag_of_words(text)]


def closure(model, factor):
    def embed(text):
        return [value * factor for value in model(text)]

    return embed


class Client:
    def __init__(self, model):
        self.model = model
        self.calls = 0

    def __call__(self, text):
        self.calls += 1
        return bag_of_words(text)

    def embed(self, text):
        return self(text)


def test_a_function_of_a_module_is_known_by_its_name():
    assert name_of(bag_of_words) == "memory_cases.bag_of_words"


def test_what_may_share_a_name_is_told_apart():
    small, large = Client("small"), Client("large")
    functions = [
        lambda text: [1.0, float(len(text))],
        lambda text: [float(len(text)), 1.0],
        closure(bag_of_words, 1.0),
        closure(bag_of_words, 2.0),
        closure(scaled, 1.0),
        closure(small, 1.0),
        closure(large, 1.0),
        functools.partial(scaled, by=1.0),
        functools.partial(scaled, by=2.0),
        small,
        large,
        small.embed,
        large.embed,
    ]
    names = [name_of(function) for function in functions]
    assert len(set(names)) == len(functions), names


def test_the_same_function_keeps_its_name():
    client = Client("small")
    name = name_of(client)
    client("text")
    assert name_of(client) == name == name_of(Client("small"))
    assert name_of(closure(bag_of_words, 2.0)) == name_of(closure(bag_of_words, 2.0))


def test_a_script_that_runs_again_finds_its_vectors_and_another_script_does_not(tmp_path):
    program = (
        "import sys\n"
        "from chrysalis_memory import ChrysalisMemory\n"
        "def embed(text): return [float(len(text)), {one}]\n"
        "with ChrysalisMemory(sys.argv[1], embedder=embed) as memory:\n"
        "    memory.remember('kiln', id='kiln')\n"
        "    memory.flush()\n"
        "    print(len(memory.vector_models()))\n"
    )

    def run(one):
        command = [sys.executable, "-c", program.format(one=one), str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    assert [run("1.0"), run("1.0"), run("2.0"), run("1.0")] == ["1", "1", "2", "2"]


def test_a_function_that_refers_to_itself_has_a_name():
    def embed(text):
        return embed(text[1:]) if text else [1.0]

    assert name_of(embed).count("#") == 1


def test_two_lambdas_in_one_store_are_two_models(tmp_path):
    for embedder in (lambda text: [1.0, float(len(text))], lambda text: [float(len(text)), 1.0]):
        with ChrysalisMemory(tmp_path, embedder=embedder) as memory:
            memory.remember("kiln", id="kiln")
            memory.flush()
            count = len(memory.vector_models())
    assert count == 2
