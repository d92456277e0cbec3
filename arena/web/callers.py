"""Who calls, as far as limits have to tell callers apart: never an address as it is.

It does not know what is limited.
"""

import hashlib
import ipaddress

from arena.web.operators import AnyRequest

HOMES = 64
"""Bits of an IPv6 address that one home or machine shares; the rest it may change at will."""


def caller_of(request: AnyRequest) -> str:
    """A token for the address that the request came from, the same on every replica; empty
    where there is none."""
    if not request.client:
        return ""
    told = request.client.host
    try:
        address = ipaddress.ip_address(told)
        if address.version == 6:
            told = str(ipaddress.ip_network((address, HOMES), strict=False))
    except ValueError:
        pass
    return hashlib.sha256(f"caller {told}".encode()).hexdigest()[:24]
