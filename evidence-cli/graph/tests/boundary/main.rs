//! The graph, built from small hand-made accounts.

#[cfg(test)]
mod drift;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod support;
