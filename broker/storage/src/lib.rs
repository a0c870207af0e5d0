//! The write-ahead log: durable, encrypted, recovered after a crash.
