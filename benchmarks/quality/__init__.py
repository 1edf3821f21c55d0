"""How well recall finds: collections of questions, systems that answer them, and the figures."""
