"""All cases, in the order of the index."""

from . import cases_openssl, cases_sessions, cases_stacks, cases_sdk, cases_wrapped, cases_derived, cases_more, cases_old  # noqa: F401
