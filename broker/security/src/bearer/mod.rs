//! Bearer tokens as OAUTHBEARER clients present them: JSON Web Tokens (RFC 7519), signed by an issuer whose public keys the
//! operator named.
//!
//! The rules are those of Kafka's `DefaultJwtValidator` (KIP-768): a signature by one of the issuer's keys, `exp`, `iat` and a
//! subject that must be there, and audience and issuer as configured. Nothing in a token chooses how it is verified: algorithms
//! are those of the key, keys that are shared secrets are never used, and no address in a header is followed.

mod key_set;

use jsonwebtoken::Validation;
use serde_json::{Map, Value};

pub use key_set::{KeySet, KeySetError, MAXIMUM_KEY_SET_BYTES};

/// What a token must say, from the `sasl.oauthbearer.*` properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerRules {
    /// `sasl.oauthbearer.expected.audience`: the token must name one of them; empty when any will do.
    pub audiences: Vec<String>,
    /// `sasl.oauthbearer.expected.issuer`; `None` when any will do.
    pub issuer: Option<String>,
    /// `sasl.oauthbearer.sub.claim.name`: the claim that names the principal.
    pub subject_claim: String,
    /// `sasl.oauthbearer.scope.claim.name`: a string, or a list of them.
    pub scope_claim: String,
    /// `sasl.oauthbearer.clock.skew.seconds`.
    pub clock_skew_seconds: i64,
}

/// A token that was found to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerToken {
    /// The name of the principal.
    pub subject: String,
    /// What the issuer allowed its holder, sorted.
    pub scopes: Vec<String>,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// Why a token was refused: for the audit log, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// The listener takes no bearer tokens.
    #[error("bearer tokens are not accepted")]
    NotAccepted,
    /// Not a signed JSON Web Token, or one that asks for something that is not understood here (`crit`, RFC 7515 section 4.1.11).
    #[error("token is malformed")]
    Malformed,
    /// None of the issuer's keys is the one that the token names, or it is not for the token's algorithm.
    #[error("token was signed with a key that is not known")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("token's signature is wrong")]
    Signature,
    /// `exp` has passed.
    #[error("token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("token is not valid yet")]
    NotYetValid,
    /// `exp` or `iat` is missing or no number.
    #[error("token does not say when it was issued and when it ends")]
    Times,
    /// `aud` names none of the expected audiences.
    #[error("token is for another audience")]
    Audience,
    /// `iss` is not the expected issuer.
    #[error("token is from another issuer")]
    Issuer,
    /// The claim that names the principal is missing or empty.
    #[error("token has no subject")]
    Subject,
    /// The claim with the scopes is neither a string nor a list of strings.
    #[error("token's scope is malformed")]
    Scope,
}

impl BearerRules {
    /// Verifies a token at a moment, given in milliseconds since 1970.
    ///
    /// # Errors
    /// [`BearerError`], the first thing found to be wrong; the signature is looked at before any claim.
    pub fn verify(&self, keys: &KeySet, token: &str, now_ms: i64) -> Result<BearerToken, BearerError> {
        let claims = signed_claims(keys, token)?;
        let seconds = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => instant(value).map(Some).ok_or(BearerError::Times),
        };
        let expires_ms = seconds("exp")?.ok_or(BearerError::Times)?;
        let issued_ms = seconds("iat")?.ok_or(BearerError::Times)?;
        let begins_ms = seconds("nbf")?.unwrap_or(issued_ms).max(issued_ms);
        let skew_ms = self.clock_skew_seconds.saturating_mul(1_000);
        if now_ms.saturating_sub(skew_ms) >= expires_ms {
            return Err(BearerError::Expired);
        }
        if now_ms.saturating_add(skew_ms) < begins_ms {
            return Err(BearerError::NotYetValid);
        }
        if !self.audiences.is_empty() {
            let named = claims.get("aud").and_then(strings).ok_or(BearerError::Audience)?;
            if !named.iter().any(|audience| self.audiences.iter().any(|expected| expected == audience)) {
                return Err(BearerError::Audience);
            }
        }
        if let Some(expected) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(expected)
        {
            return Err(BearerError::Issuer);
        }
        let subject = claims.get(&self.subject_claim).and_then(Value::as_str).map(str::trim);
        let subject = subject.filter(|subject| !subject.is_empty()).ok_or(BearerError::Subject)?;
        Ok(BearerToken { subject: subject.to_owned(), scopes: self.scopes(&claims)?, expires_ms })
    }

    fn scopes(&self, claims: &Map<String, Value>) -> Result<Vec<String>, BearerError> {
        let Some(value) = claims.get(&self.scope_claim) else { return Ok(Vec::new()) };
        let named = strings(value).ok_or(BearerError::Scope)?;
        // RFC 8693 section 4.2 separates them by spaces.
        let mut scopes: Vec<String> =
            named.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
        scopes.sort();
        scopes.dedup();
        Ok(scopes)
    }
}

/// The claims, once the signature is known to be that of one of the keys.
fn signed_claims(keys: &KeySet, token: &str) -> Result<Map<String, Value>, BearerError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_malformed| BearerError::Malformed)?;
    if header.crit.is_some() {
        return Err(BearerError::Malformed);
    }
    let key = keys.find(header.kid.as_deref(), header.alg).ok_or(BearerError::UnknownKey)?;
    let mut signature_alone = Validation::new(header.alg);
    signature_alone.required_spec_claims.clear();
    signature_alone.validate_exp = false;
    signature_alone.validate_nbf = false;
    signature_alone.validate_aud = false;
    match jsonwebtoken::decode::<Map<String, Value>>(token, key, &signature_alone) {
        Ok(decoded) => Ok(decoded.claims),
        Err(error) => Err(match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => BearerError::Signature,
            _ => BearerError::Malformed,
        }),
    }
}

/// A `NumericDate` (RFC 7519 section 2), seconds with or without a fraction, in milliseconds.
fn instant(value: &Value) -> Option<i64> {
    if let Some(seconds) = value.as_i64() {
        return seconds.checked_mul(1_000);
    }
    let milliseconds = value.as_f64()? * 1_000.0;
    // Exact up to 2^53, some 285,000 years.
    #[expect(clippy::cast_possible_truncation, reason = "bounded on the line that follows")]
    let whole = milliseconds as i64;
    (milliseconds.is_finite() && milliseconds.abs() < 9.0e15).then_some(whole)
}

/// A string, or a list of nothing else.
fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => several.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
