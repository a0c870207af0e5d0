//! Delegation tokens (KIP-48): there are none, and the answers say so as Kafka's do without `delegation.token.secret.key`.

use cadastre_protocol::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse, ExpireDelegationTokenRequest, ExpireDelegationTokenResponse,
    RenewDelegationTokenRequest, RenewDelegationTokenResponse,
};
use cadastre_protocol::{ResponseError, StrBytes};

use super::context::RequestContext;
use crate::config::listener::SecurityProtocol;

/// Whoever is nobody, or came without proof, may not even ask.
fn refusal(context: &RequestContext<'_>) -> i16 {
    let unproven = match context.listener.config.protocol {
        SecurityProtocol::Plaintext => true,
        SecurityProtocol::Ssl => context.principal.is_anonymous(),
        SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl => false,
    };
    match unproven {
        true => ResponseError::DelegationTokenRequestNotAllowed.code(),
        false => ResponseError::DelegationTokenAuthDisabled.code(),
    }
}

pub(super) async fn describe(
    context: &RequestContext<'_>,
    _request: DescribeDelegationTokenRequest,
) -> DescribeDelegationTokenResponse {
    DescribeDelegationTokenResponse::default().with_error_code(refusal(context))
}

pub(super) async fn create(
    context: &RequestContext<'_>,
    _request: CreateDelegationTokenRequest,
) -> CreateDelegationTokenResponse {
    let kind = StrBytes::from_string(context.principal.kind().to_owned());
    let name = StrBytes::from_string(context.principal.name().to_owned());
    let response = CreateDelegationTokenResponse::default()
        .with_error_code(refusal(context))
        .with_principal_type(kind.clone())
        .with_principal_name(name.clone())
        .with_issue_timestamp_ms(-1)
        .with_expiry_timestamp_ms(-1)
        .with_max_timestamp_ms(-1);
    match context.header.version {
        3.. => response.with_token_requester_principal_type(kind).with_token_requester_principal_name(name),
        _ => response,
    }
}

pub(super) async fn renew(
    context: &RequestContext<'_>,
    _request: RenewDelegationTokenRequest,
) -> RenewDelegationTokenResponse {
    RenewDelegationTokenResponse::default().with_error_code(refusal(context))
}

pub(super) async fn expire(
    context: &RequestContext<'_>,
    _request: ExpireDelegationTokenRequest,
) -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse::default().with_error_code(refusal(context))
}
