//! What batch evaluation answers, asked through its public function.

#[cfg(test)]
mod vectors;
