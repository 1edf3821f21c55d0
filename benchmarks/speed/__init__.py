"""How fast recall answers: stores with real structure, each part of the answer timed, yardsticks in the same run."""
