"""One or many Ollama hosts through the official client; to the core they are one port.

`HostPool` chooses the host, leases its slots and keeps watch; `OllamaHost` speaks to one. They
do not know battles: only contenders, messages and replies.
"""

from arena.adapters.hosts.client import HostTimeouts, OllamaHost
from arena.adapters.hosts.pool import HostPool

__all__ = ["HostPool", "HostTimeouts", "OllamaHost"]
