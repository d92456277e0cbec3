"""What doctor, deploy-check and smoke find out about an arena, from within and from outside.

Each check gives findings. It does not know how they are told, nor adapters: what databases and
hosts say of themselves comes through compose.
"""
