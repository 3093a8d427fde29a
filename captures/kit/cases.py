"""All cases, in the order of the index."""

from . import cases_openssl, cases_sessions, cases_stacks  # noqa: F401
