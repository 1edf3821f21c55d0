"""Settings that hold for every test."""

from hypothesis import settings

from cli_cases import chrysalis, harbour
from embedding_cases import local_model
from memory_cases import memory

__all__ = ["chrysalis", "harbour", "local_model", "memory"]

# Time limits for single examples fail on busy machines and say nothing about correctness.
settings.register_profile("chrysalis", deadline=None)
settings.load_profile("chrysalis")
