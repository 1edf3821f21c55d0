"""Settings that hold for every test."""

from hypothesis import HealthCheck, settings

from cli_cases import chrysalis, harbour
from embedding_cases import local_model
from memory_cases import memory
from process_cases import processes

__all__ = ["chrysalis", "harbour", "local_model", "memory", "processes"]

# Time limits fail on busy machines and say nothing about correctness: neither those for single examples nor that for
# making them up.
settings.register_profile("chrysalis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("chrysalis")
