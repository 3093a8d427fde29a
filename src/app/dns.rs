//! stub (stand-in types until the module is there)

/// One name on the way to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Lower case, no trailing dot.
    pub name: String,
    pub address: std::net::IpAddr,
    pub ttl_seconds: u32,
}

/// All of one answer.
pub type Resolutions = Vec<Resolution>;
