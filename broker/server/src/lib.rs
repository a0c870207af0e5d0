//! Listeners, dispatch and background tasks of the reference broker.
