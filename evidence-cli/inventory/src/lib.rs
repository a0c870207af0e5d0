//! Evidence records in, typed assets out.
