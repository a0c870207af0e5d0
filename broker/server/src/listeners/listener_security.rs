//! What a listener demands of its peers: TLS, client certificates, SASL.

use std::collections::BTreeMap;
use std::sync::Arc;

use cadastre_security::Principal;
use cadastre_security::jaas::{JaasEntry, PLAIN_LOGIN_MODULE};
use cadastre_security::principal_mapping::PrincipalMapping;
use cadastre_security::sasl::{CredentialLookup, DecoySecret, PlainPassword, SaslMechanism};
use cadastre_security::tls::{PeerNameError, TlsError, peer_principal};
use cadastre_storage::Clock;
use rustls::pki_types::CertificateDer;
use tokio_rustls::TlsAcceptor;

use super::certificates::{Altered, ListenerTls};
use super::token_issuer::TokenIssuer;
use crate::config::ListenerConfig;
use crate::state::scram::{ListenerCredentials, ScramUsers};

/// A listener's security, ready to be used.
pub(crate) struct ListenerSecurity {
    tls: Option<Arc<ListenerTls>>,
    mapping: PrincipalMapping,
    mechanisms: Vec<SaslMechanism>,
    credentials: Arc<ListenerCredentials>,
}

/// A listener's security properties cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("listener {listener}: {reason}")]
pub struct ListenerSecurityError {
    listener: String,
    reason: String,
}

impl ListenerSecurityError {
    pub(crate) fn new(listener: &ListenerConfig, reason: String) -> Self {
        Self { listener: listener.name.clone(), reason }
    }
}

impl ListenerSecurity {
    /// Reads key stores, as they were altered through the admin API, and JAAS configurations.
    pub(crate) fn new(
        listener: &ListenerConfig,
        altered: &Altered,
        scram: Arc<ScramUsers>,
        decoys: DecoySecret,
        clock: Clock,
    ) -> Result<Self, ListenerSecurityError> {
        let refuse = |reason: String| ListenerSecurityError::new(listener, reason);
        let encrypted = listener.protocol.is_encrypted();
        let tls = encrypted.then(|| ListenerTls::open(listener, altered, clock.clone())).transpose()?;
        let mut mechanisms = Vec::new();
        let mut plain = BTreeMap::new();
        let mut issuer = None;
        if listener.protocol.uses_sasl() {
            for name in listener.sasl_mechanisms() {
                // Those that are not supported were named when the configuration was read.
                let Ok(mechanism) = name.parse::<SaslMechanism>() else { continue };
                match mechanism {
                    SaslMechanism::Plain => plain = plain_users(listener).map_err(refuse)?,
                    SaslMechanism::Oauthbearer => {
                        let opened = TokenIssuer::open(listener, clock.clone()).map_err(refuse)?;
                        issuer = Some(Arc::new(opened));
                    }
                    SaslMechanism::Scram(_) => {}
                }
                mechanisms.push(mechanism);
            }
        }
        let credentials = Arc::new(ListenerCredentials { scram, plain, issuer, decoys });
        let rules = listener.property("ssl.principal.mapping.rules").unwrap_or("DEFAULT");
        let mapping = PrincipalMapping::parse(rules).map_err(|error| refuse(chain(&error)))?;
        Ok(Self { tls: tls.map(Arc::new), mapping, mechanisms, credentials })
    }

    /// What the next connection is accepted with, on listeners with TLS.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().map(|tls| tls.acceptor())
    }

    /// The TLS side, for listeners that have one.
    pub(crate) fn tls(&self) -> Option<Arc<ListenerTls>> {
        self.tls.clone()
    }

    /// The issuer of bearer tokens, for listeners that take them.
    pub(crate) fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.credentials.issuer.clone()
    }

    /// The mechanisms that clients may choose from.
    pub(crate) fn mechanisms(&self) -> &[SaslMechanism] {
        &self.mechanisms
    }

    /// Where the credentials are found.
    pub(crate) fn credentials(&self) -> Arc<dyn CredentialLookup> {
        Arc::clone(&self.credentials) as Arc<dyn CredentialLookup>
    }

    /// Who a verified client certificate stands for.
    ///
    /// # Errors
    ///
    /// [`PeerNameError`] when the name cannot be read or no mapping rule applies; the connection must be closed.
    pub(crate) fn principal(&self, chain: Option<&[CertificateDer<'_>]>) -> Result<Principal, PeerNameError> {
        peer_principal(chain, &self.mapping)
    }
}

/// The users of a listener's PLAIN login module.
fn plain_users(listener: &ListenerConfig) -> Result<BTreeMap<String, PlainPassword>, String> {
    let Some(text) = listener.mechanism_property("PLAIN", "sasl.jaas.config") else {
        let name = listener.name.to_lowercase();
        return Err(format!("PLAIN needs listener.name.{name}.plain.sasl.jaas.config"));
    };
    let entry: JaasEntry = text.parse().map_err(|error| chain(&error))?;
    if entry.login_module() != PLAIN_LOGIN_MODULE {
        return Err(format!("PLAIN needs login module {PLAIN_LOGIN_MODULE}"));
    }
    Ok(entry.plain_users().map(|(user, password)| (user.to_owned(), password.clone())).collect())
}

pub(super) fn explain(error: &TlsError) -> String {
    let hint = error.hint().map_or_else(String::new, |hint| format!("; hint: {hint}"));
    format!("{}{hint}", chain(error))
}

/// An error with everything behind it, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
