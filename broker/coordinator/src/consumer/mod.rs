//! Consumer groups of the newer protocol (KIP-848): members send one kind of heartbeat, the coordinator decides who reads what.
//!
//! A group has an *epoch*, which rises with every change of members, subscriptions or topics; a *target assignment*, made by an
//! assignor of the broker for one epoch; and for each member a *current assignment*, which moves towards the target heartbeat by
//! heartbeat. A partition is given to a member only once nobody else holds it.

pub(crate) mod admin;
pub(crate) mod assignor;
pub(crate) mod classic;
pub(crate) mod embedded;
pub(crate) mod group;
pub(crate) mod heartbeat;
pub(crate) mod leaving;
pub(crate) mod member;
pub(crate) mod migration;
pub(crate) mod offsets;
pub(crate) mod partitions;
pub(crate) mod pattern;
pub(crate) mod reconcile;
pub(crate) mod records;
pub(crate) mod request;
pub(crate) mod topics;
pub(crate) mod unwritten;
