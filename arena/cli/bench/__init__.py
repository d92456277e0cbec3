"""`arena bench …`: what `arena.bench` measures, as tables and as JSON, one file a bench.

It does not know how that is done.
"""

COMMANDS = {
    "hosts": "each model on each host: first token, tokens/s, many users, cost",
    "draws": "each policy of the draw: votes until the best is known, how true the intervals are",
    "standings": "how long standings take, from memory and from the ledger; beside arena-rank",
    "capacity": "how many battles at once an arena carries, beside other programs",
    "cpu": "what a battle costs an arena, and where that goes",
    "idle": "what an arena costs that nobody uses, beside a plain Gradio app",
    "page": "what the page takes of a browser: loading it, and while replies stream in",
}
