"""Settings that hold for every test."""

from hypothesis import settings

from cli_cases import chrysalis, harbour
from embedding_cases import local_model
from memory_cases import memory
from process_cases import processes

__all__ = ["chrysalis", "harbour", "local_model", "memory", "processes"]

# Time limits for single examples fail on busy machines and say nothing about correctness.
settings.register_profile("chrysalis", deadline=None)
settings.load_profile("chrysalis")
