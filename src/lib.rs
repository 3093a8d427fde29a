//! ddbwatch (architecture page to be written with the modules)

pub mod app;
pub mod capture;
pub mod classify;
pub mod cli;
pub mod config;
pub mod decode;
pub mod export;
pub mod flow;
pub mod model;
// pub mod pipeline;
pub mod policy;
pub mod telemetry;
pub mod tls;
pub mod view;
