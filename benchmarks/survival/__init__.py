"""How much of the evidence for questions survives when a conversation is compressed before anybody asks."""
