"""The hub: a replica that listens, serves agents that keep no store, and says how it is.

Links between replicas are the business of `chrysalis_memory.network`; here is what surrounds them.
"""

__all__: list[str] = []
