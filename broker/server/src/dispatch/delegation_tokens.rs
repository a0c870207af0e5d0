//! `DescribeDelegationToken`: there are none, and the answer says so in Kafka's words.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

use super::context::RequestContext;

/// Kafka's answer of a broker without `delegation.token.secret.key`.
pub(super) async fn describe(
    _context: &RequestContext<'_>,
    _request: DescribeDelegationTokenRequest,
) -> DescribeDelegationTokenResponse {
    DescribeDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenAuthDisabled.code())
}
