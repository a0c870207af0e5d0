//! Delegation tokens (KIP-48): there are none, and the answers say so as Kafka's do without `delegation.token.secret.key`.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse, ExpireDelegationTokenRequest, ExpireDelegationTokenResponse,
    RenewDelegationTokenRequest, RenewDelegationTokenResponse,
};

use super::context::RequestContext;

const DISABLED: ResponseError = ResponseError::DelegationTokenAuthDisabled;

pub(super) async fn describe(
    _context: &RequestContext<'_>,
    _request: DescribeDelegationTokenRequest,
) -> DescribeDelegationTokenResponse {
    DescribeDelegationTokenResponse::default().with_error_code(DISABLED.code())
}

pub(super) async fn create(
    _context: &RequestContext<'_>,
    _request: CreateDelegationTokenRequest,
) -> CreateDelegationTokenResponse {
    CreateDelegationTokenResponse::default().with_error_code(DISABLED.code())
}

pub(super) async fn renew(
    _context: &RequestContext<'_>,
    _request: RenewDelegationTokenRequest,
) -> RenewDelegationTokenResponse {
    RenewDelegationTokenResponse::default().with_error_code(DISABLED.code())
}

pub(super) async fn expire(
    _context: &RequestContext<'_>,
    _request: ExpireDelegationTokenRequest,
) -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse::default().with_error_code(DISABLED.code())
}
