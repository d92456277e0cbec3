"""One or many Ollama hosts through the official client; to the core they are one port.

`HostPool` gives each reply a host, `Fleet` knows what the hosts are, `HostState` what one is,
`OllamaHost` speaks to it. They do not know battles: only contenders, messages and replies.
"""

from arena.adapters.hosts.host import HostTimeouts
from arena.adapters.hosts.ollama import OllamaHost
from arena.adapters.hosts.pool import HostPool

__all__ = ["HostPool", "HostTimeouts", "OllamaHost"]
