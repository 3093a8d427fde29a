"""All cases, in the order of the index."""

from . import cases_openssl, cases_sessions  # noqa: F401
