"""The worker of Python functions. See the README beside it."""
