//! TLS, SASL, principal mapping, authorizer and quotas.
//!
//! Who is on the other end of a connection ([`tls`], [`sasl`], [`principal`]), what that principal may do
//! ([`acl`], [`authorizer`]) and how much of it ([`quota`]). The authorizer and the quotas are pure: no clock, no
//! file, no socket. Only [`tls`] reads files, and only the key stores the operator named.

pub mod acl;
pub mod authorizer;
pub mod bearer;
pub mod jaas;
pub mod principal;
pub mod principal_mapping;
pub mod quota;
pub mod sasl;
pub mod scram;
pub mod tls;

pub use acl::{AclBinding, AclBindingFilter, Operation, PatternType, Permission, ResourceType};
pub use authorizer::{Authorizer, Decision, MatchedRule, SuperUsers};
pub use principal::Principal;
pub use principal_mapping::PrincipalMapping;
pub use quota::{ClientQuotas, QuotaEntity, QuotaKind};
pub use sasl::{CredentialLookup, SaslMechanism, SaslServer, SaslStep};
pub use scram::{ScramCredential, ScramMechanism};
pub use tls::{TlsProperties, TlsServerConfig};
