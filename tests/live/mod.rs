//! What only a kernel can tell: the back-ends on interfaces that the tests make, each in a network namespace
//! of its own that ends with its thread. They need root; where they are not, they say so and pass.

mod capture;
mod doctor;
pub mod namespace;
mod sandbox;
