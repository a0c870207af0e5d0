//! Collectors: the only room that calls clouds and clusters.
