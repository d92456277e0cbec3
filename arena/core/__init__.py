"""The rules of the arena, pure: battles, draws, pace, standings, and the ports they need.

Nothing here knows Gradio, Ollama, a database, a clock or a global source of randomness:
ids, times and generators of random numbers are passed in.
"""
