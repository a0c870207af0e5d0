//! What batch evaluation answers, asked through its public function.

#[cfg(test)]
mod corners;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vectors;
