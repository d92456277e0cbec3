"""One or many hosts, of Ollama's kind or OpenAI's; to the core they are one port.

`HostPool` gives each reply a host, `Fleet` knows what the hosts are, `HostState` what one is,
`OllamaHost` and `OpenAIHost` speak to it. They do not know battles: only contenders, messages and replies.
"""

from arena.adapters.hosts.host import HostTimeouts
from arena.adapters.hosts.ollama import OllamaHost
from arena.adapters.hosts.pool import HostPool

__all__ = ["HostPool", "HostTimeouts", "OllamaHost"]
