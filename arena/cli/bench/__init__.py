"""`arena bench …`: what `arena.bench` measures, as tables and as JSON, one file a bench; those
whose figures have something to reach share one.

It does not know how that is done.
"""

from arena.cli.bench.figures import BENCHES

COMMANDS = {
    "hosts": "each model on each host: first token, tokens/s, many users, cost",
    "engine": "the embedded engine beside the server within it, and beside an Ollama",
    "draws": "each policy of the draw: votes until the best is known, how true the intervals are",
    "rigging": "votes that it takes to move the first rank by one, with and without each defence",
    "standings": "how long standings take, from memory and from the ledger",
    "capacity": "how many battles at once an arena carries, beside other programs",
    "cpu": "what a battle costs an arena, and where that goes",
    "overhead": "what the page's path adds to a reply, beside the official client",
    "wait": "from the last token until the vote is open",
    "memory": "what open pages and battles that are over keep",
    "votes": "durable votes a second and their acknowledgement, SQLite and the database that is named",
    "two-hosts": "two hosts against one, and a cold one beside a warm one",
    "soak": "what tabs that close at random and hosts that restart leave behind",
    "start": "from starting the arena to its first page, beside a plain Gradio app",
    "idle": "what an arena costs that nobody uses",
    "page": "what the page takes of a browser: loading it, and while replies stream in",
}

TOGETHER = BENCHES
"""Those of them that have no file of their own."""
