"""The outside world behind the ports of the core. Adapters import only the core, never each other."""
