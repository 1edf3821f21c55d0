"""What the tests of embedding share: the local model, installed by the project's own installer."""

from __future__ import annotations

from pathlib import Path

import pytest

from chrysalis_memory import ModelError
from chrysalis_memory.embedding.local import MINILM, is_installed, model_folder
from chrysalis_memory.embedding.local.installation import install


@pytest.fixture(scope="session")
def local_model() -> Path:
    """The folder of the local model; installed into this user's data folder unless it is there from before."""
    if not is_installed():
        try:
            install()
        except ModelError as error:
            pytest.fail(f"{MINILM.name} is needed by this test and could not be installed: {error} {error.hint}")
    return model_folder()
