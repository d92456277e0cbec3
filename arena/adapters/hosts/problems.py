"""What is amiss on a host and how to mend it, in words for the operator. It asks nothing."""

from arena.adapters.hosts.state import LATELY_S, HostState
from arena.core.hosts.placement import Share


def problems_of(state: HostState, now: float) -> list[str]:
    """now: by the state's own clock."""
    if not state.up:
        return [state.last_fault or f"{state.url} does not answer."]
    said = [f"{m} on {state.url}: {_halved(state, m)}" for m in state.local if _halved(state, m)]
    said += [
        f"{state.url}: loading {model} unloaded {', '.join(gone)}. They do not fit together: "
        "give the host fewer models, a smaller ARENA_CONTEXT or a higher "
        "OLLAMA_MAX_LOADED_MODELS."
        for model, gone in state.evicted.items()
    ]
    said += [
        f"{state.url} unloads {model} as soon as it is loaded. Set OLLAMA_KEEP_ALIVE=-1 there."
        for model in sorted(state.fleeting)
    ]
    said += [
        f"{state.url} lists {model} but says that it does not have it. "
        f"Run `ollama pull {model}` there."
        for model in sorted(state.missing)
    ]
    said += [
        f"{state.url} lets another model answer for {model}: a proxy in between? It is not "
        f"asked for {model} for {LATELY_S / 60:.0f} minutes."
        for model in state.replaced
        if state.replaces(model)
    ]
    said += [
        f"{model} on {state.url} wrote {token}, so its chat template is broken. Its replies end "
        "there. Pull the model again or mend its TEMPLATE."
        for model, (digest, token) in state.broken.items()
        if state.digest(state.local.get(model, "")) == digest
    ]
    if state.breaker.shut(now):
        said.append(
            f"{state.url} failed several times in a row and is left alone for "
            f"{state.breaker.open_until - now:.0f} s. {state.last_fault}"
        )
    said += [
        f"{model} could not be loaded on {state.url} and is tried again in a minute. {fault}"
        for model, fault in state.load_faults.items()
        if state.loads[model].shut(now) or not state.ready(model)
    ]
    said += [
        f"{name} failed again and again on {state.url} and sits out there for "
        f"{breaker.open_until - now:.0f} s. {state.failed_with.get(name, '')}"
        for name, breaker in state.contenders.items()
        if breaker.shut(now)
    ]
    said += [
        f"{state.url} answers for {model} with a model from elsewhere, so it takes no part. "
        "Name it in ARENA_REMOTE_MODELS if its prompts may leave your machines."
        for model in sorted(state.remote)
    ]
    said += [
        f"{state.url} lets no prompt leave it (OLLAMA_NO_CLOUD), so {model} takes no part there."
        for model in state.local
        if state.barred(model)
    ]
    said += [
        f"{state.url} writes one reply of {model} at a time, so further ones wait."
        for model in state.local
        if state.slots > 1 == state.slots_of(model)
    ]
    if state.wedged:
        said.append(
            f"{state.url} answers but loads no models any more. It is used only for those it "
            "has loaded. Restart Ollama there, or raise ARENA_TIMEOUT if its disk is slow."
        )
    return said


def _halved(state: HostState, model: str) -> str:
    if state.share(model) is not Share.PART:
        return ""
    seen = state.seen[model]
    return (
        f"only {seen.size_vram / 1e9:.1f} of {seen.size / 1e9:.1f} GB are on the GPU, so it "
        "takes no replies there. Give the host fewer models or a smaller ARENA_CONTEXT."
    )
