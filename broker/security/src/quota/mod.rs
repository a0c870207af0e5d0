//! Client quotas: who has which, and how long a client must be held back.
//!
//! Pure: time is an argument, in milliseconds since any fixed point. Following KIP-219 the caller answers first and
//! then keeps the connection muted for the time returned here.

mod bucket;
mod entity;
mod limits;
mod meters;
mod rate;

pub use entity::{QuotaEntity, QuotaEntityError, QuotaName};
pub use limits::{EffectiveQuota, QuotaKind, QuotaLimits, QuotaScope, QuotaValueError};
pub use meters::{ClientQuotas, QuotaSettings, percentage_of};
