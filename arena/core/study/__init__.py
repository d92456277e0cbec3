"""A study: a list of prompts that raters are led through. Its file, who judges what next, what it
has come to. It does not know pages, databases or hosts.
"""
