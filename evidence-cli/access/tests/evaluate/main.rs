//! What the engine answers, asked through its public function.

#[cfg(test)]
mod escalation;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod msk;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vectors;
