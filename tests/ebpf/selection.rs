//! Which packets go up.
