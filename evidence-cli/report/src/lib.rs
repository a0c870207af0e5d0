//! Reports, diagrams and exports.
