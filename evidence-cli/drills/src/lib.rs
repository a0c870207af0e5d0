//! Exercises against a live deployment with real clients.
