"""Names that people type for models, matched to what is installed; and the line-up they make.

Exact, then `:latest`, then squeezed (`llama3.1-8b` = `llama3.1:8b`), then a base name that only
one installed tag has. Never a download. Facts on names: Ollama's types/model/name.go.
It does not know hosts, only what they have.
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from arena.core.battle.entities import Contender
from arena.core.errors import ArenaError, ConfigError, UnknownModel

AUTO = "auto"
"""As a model's name: every installed model that can chat."""

_CLOUD = re.compile(r"[:-]cloud$")


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed model. `chats` is False for one that can only embed; `thinks` is None where
    it is not known. remote: where its answers come from, if not from the host itself."""

    digest: str
    chats: bool = True
    thinks: bool | None = None
    remote: str = ""


@dataclass(frozen=True, slots=True)
class LineUp:
    """The contenders that can play, with exact model names, and notes for the operator."""

    contenders: tuple[Contender, ...]
    notes: tuple[str, ...]


def line_up(
    roster: Sequence[Contender], installed: Mapping[str, Installed], remote: Collection[str] = ()
) -> LineUp:
    """Match the roster to what is installed, by name. A contender that is named like its model
    gets the model's exact name, unless another one has that name; no two have one. Of contenders
    that would be the same (one digest, system prompt and options) only the first stays, so that
    no model ever meets itself. remote: the models whose prompts may leave the machines, by name;
    all others have to be local."""
    allowed = {_plain(name) for name in remote}
    local = {
        name: model
        for name, model in installed.items()
        if _plain(name) in allowed or not (model.remote or _cloud(name))
    }
    found: dict[str, tuple[Contender, str]] = {}
    notes: list[str] = []
    for contender, own in _with_auto(roster, local):
        try:
            model = match(contender.model, list(local), allowed)
        except ArenaError as error:
            notes.append(_elsewhere(contender.model, installed) or str(error))
            continue
        if not local[model].chats:
            notes.append(f"{model} cannot chat (it only makes embeddings). Name another model.")
            continue
        name = model if contender.name == contender.model else contender.name
        if contender.think not in ("", "off") and local[model].thinks is False:
            notes.append(
                f"{name} is to think ({contender.think}), but {model} cannot. It was left out; "
                "name another model, or leave `think` away."
            )
            continue
        key = _identity(contender, local[model].digest or model)
        if key in found:
            notes.append(
                f"{name} is the same as {found[key][0].name} (the same files, system prompt and "
                "options) and was left out."
            )
            continue
        found[key] = replace(contender, name=name, model=model), own
    return LineUp(tuple(_of_different_names([*found.values()], notes)), tuple(notes))


def match(typed: str, installed: Sequence[str], allowed: Collection[str] = ()) -> str:
    """The installed name that is meant. allowed: cloud names that may be. Raises UnknownModel with suggestions, or ConfigError
    for a cloud name (those leave the machine) and for a name that fits several."""
    wanted = _plain(typed)
    if _cloud(wanted) and wanted not in allowed:
        raise ConfigError(
            f"{typed!r} is a cloud model: its prompts would leave your machines. Name a model "
            "that is installed on the host, or allow this one in ARENA_REMOTE_MODELS."
        )
    names = {_plain(name): name for name in installed}
    for candidate in (wanted, wanted if ":" in wanted.rsplit("/", 1)[-1] else f"{wanted}:latest"):
        if candidate in names:
            return names[candidate]
    key = _squeeze(typed), _sizes(typed)
    by_key = [n for n in installed if (_squeeze(n), _sizes(n)) == key]
    by_base = [n for n in installed if _plain(n).split(":")[0] == wanted]
    for fitting in (by_key, by_base):
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ConfigError(f"{typed!r} fits several models: {', '.join(fitting)}. Name one.")
    raise UnknownModel(_unknown(typed, wanted, names))


def _with_auto(
    roster: Sequence[Contender], installed: Mapping[str, Installed]
) -> Iterable[tuple[Contender, str]]:
    """Each with the name that is its own, whatever its model is called."""
    for contender in roster:
        if contender.model.lower() != AUTO:
            yield contender, contender.name
            continue
        chatting = sorted(name for name, model in installed.items() if model.chats)
        for name in chatting:
            yield replace(contender, name=name, model=name), f"{name} ({contender.name})"


def _of_different_names(
    found: Sequence[tuple[Contender, str]], notes: list[str]
) -> Iterable[Contender]:
    """With their own names where those they have by their models are taken: two of one name
    could be told apart neither in a vote nor on the leaderboard."""
    given = {contender.name for contender, own in found if contender.name == own}
    taken: set[str] = set()
    for contender, own in found:
        others = taken if contender.name == own else taken | given
        name = own if contender.name in others else contender.name
        if name in others:
            notes.append(
                f"Another contender is called {name}, so this one was left out. Rename one."
            )
            continue
        taken.add(name)
        yield replace(contender, name=name)


def _identity(contender: Contender, digest: str) -> str:
    options = json.dumps(dict(contender.options), sort_keys=True, default=str)
    return json.dumps([digest, contender.system, options, contender.think])


def _elsewhere(typed: str, installed: Mapping[str, Installed]) -> str:
    """What to say of a model that is served from elsewhere under a local name; empty for others."""
    names = {_plain(name): name for name in installed}
    name = names.get(_plain(typed)) or names.get(f"{_plain(typed)}:latest")
    if not name or not installed[name].remote:
        return ""
    return (
        f"{name} is served by {installed[name].remote}: its prompts would leave your machines. "
        "It was left out; ARENA_REMOTE_MODELS allows such models by name."
    )


def _unknown(typed: str, wanted: str, names: dict[str, str]) -> str:
    near: Iterable[str] = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = ", ".join(names[n] for n in near) or ", ".join(list(names.values())[:5]) or "nothing"
    return (
        f"The model {typed!r} is not installed. Near it: {hint}. "
        f"Install it (with Ollama: `ollama pull {typed}`) or change ARENA_MODELS."
    )


def _cloud(name: str) -> bool:
    return bool(_CLOUD.search(_plain(name)))


def _plain(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).strip().lower()
    for prefix in ("https://", "http://", "registry.ollama.ai/", "library/"):
        name = name.removeprefix(prefix)
    return name


def _sizes(name: str) -> list[str]:
    """Versions and numbers of parameters; 2.5:7b is not 2:57b."""
    return re.findall(r"[0-9]+", _plain(name))


def _squeeze(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _plain(name)).removesuffix("latest")
