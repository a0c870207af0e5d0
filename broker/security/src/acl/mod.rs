//! Access control lists: the stored bindings, their parts, and the filter that finds them.

mod binding;
mod codes;
mod filter;
mod host;

pub use binding::{AclBinding, AclBindingError, CLUSTER_NAME, ResourcePattern, WILDCARD_NAME};
pub use codes::{AclCodeError, Operation, PatternType, Permission, ResourceType};
pub use filter::{AclBindingFilter, PatternFilter};
pub use host::{HostPattern, HostPatternError, address_text};
