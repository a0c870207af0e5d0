//! The sections of a report as templates see them: plain data, in the order in which it is shown.

pub(crate) mod appendix;
pub(crate) mod coverage;
pub(crate) mod decision;
pub(crate) mod flows;
pub(crate) mod frameworks;
pub(crate) mod incidents;
pub(crate) mod kafka;
pub(crate) mod keys;
pub(crate) mod paths;
pub(crate) mod permissions;
pub(crate) mod readiness;
pub(crate) mod retention;
pub(crate) mod runbooks;
pub(crate) mod safeguards;
pub(crate) mod standing;
pub(crate) mod trails;
pub(crate) mod usage;
pub(crate) mod visibility;
