//! Reports of a small assessment, held against what they promise.

#[cfg(test)]
mod exports;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod validated;
