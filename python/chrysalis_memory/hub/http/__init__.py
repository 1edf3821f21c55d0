"""What a hub answers over HTTP: health, figures, and the JSON interface for agents that keep no store."""
