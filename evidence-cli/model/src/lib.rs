//! Evidence records, typed assets, the boundary graph, the declaration and verdicts.
