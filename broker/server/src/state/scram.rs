//! SCRAM credentials, and how each listener finds the credentials its clients present.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use cadastre_security::bearer::{BearerError, BearerToken};
use cadastre_security::sasl::{CredentialLookup, DecoySecret, PlainPassword};
use cadastre_security::scram::{ScramCredential, ScramMechanism};
use cadastre_storage::{MetadataChange, MetadataKind, Storage};
use tokio::sync::Mutex;

use super::StateError;
use crate::listeners::token_issuer::TokenIssuer;
use crate::sync::{read, write};

type Users = BTreeMap<(String, ScramMechanism), ScramCredential>;

/// The cluster's SCRAM credentials.
#[derive(Debug)]
pub(crate) struct ScramUsers {
    storage: Storage,
    users: RwLock<Users>,
    changes: Mutex<()>,
}

impl ScramUsers {
    /// Reads the credentials that the storage holds.
    pub(crate) fn load(storage: &Storage) -> Result<Self, StateError> {
        let users = RwLock::new(read_users(storage)?);
        Ok(Self { storage: storage.clone(), users, changes: Mutex::new(()) })
    }

    /// Takes over what other brokers changed.
    pub(crate) async fn reload(&self) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        *write(&self.users) = read_users(&self.storage)?;
        Ok(())
    }

    /// The credential of `user` for `mechanism`.
    pub(crate) fn get(&self, mechanism: ScramMechanism, user: &str) -> Option<ScramCredential> {
        read(&self.users).get(&(user.to_owned(), mechanism)).cloned()
    }

    /// Users with the mechanisms and iteration counts they have.
    pub(crate) fn by_user(&self) -> BTreeMap<String, Vec<(ScramMechanism, u32)>> {
        let mut by_user: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for ((user, mechanism), credential) in read(&self.users).iter() {
            by_user.entry(user.clone()).or_default().push((*mechanism, credential.iterations()));
        }
        by_user
    }

    /// Sets credentials, or removes them where there is `None`.
    pub(crate) async fn change(
        &self,
        changes: Vec<(String, ScramMechanism, Option<ScramCredential>)>,
    ) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        let stored =
            changes.iter().map(|(user, mechanism, credential)| stored(user, *mechanism, credential.as_ref()));
        self.storage.metadata().commit(stored.collect()).await?;
        let mut users = write(&self.users);
        for (user, mechanism, credential) in changes {
            match credential {
                Some(credential) => users.insert((user, mechanism), credential),
                None => users.remove(&(user, mechanism)),
            };
        }
        Ok(())
    }
}

fn read_users(storage: &Storage) -> Result<Users, StateError> {
    let mut users = Users::new();
    for (key, value) in storage.metadata().entries(MetadataKind::ScramCredential) {
        let unreadable = |reason: &dyn std::fmt::Display| StateError::unreadable("credential", &key, reason);
        let (mechanism, name) = key.split_once(' ').ok_or_else(|| unreadable(&"no mechanism"))?;
        let mechanism: ScramMechanism = mechanism.parse().map_err(|error| unreadable(&error))?;
        let text = std::str::from_utf8(&value).map_err(|error| unreadable(&error))?;
        let credential = ScramCredential::from_stored(mechanism, text).map_err(|error| unreadable(&error))?;
        users.insert((name.to_owned(), mechanism), credential);
    }
    Ok(users)
}

/// The credential as the storage, which encrypts it, keeps it.
pub(crate) fn stored(
    user: &str,
    mechanism: ScramMechanism,
    credential: Option<&ScramCredential>,
) -> MetadataChange {
    MetadataChange {
        kind: MetadataKind::ScramCredential,
        // Mechanism names have no spaces, user names may.
        key: format!("{mechanism} {user}"),
        value: credential.map(|credential| credential.to_stored().as_bytes().to_vec()),
    }
}

/// What clients of one listener can authenticate with: SCRAM credentials of the cluster, PLAIN and SCRAM users of the
/// listener's own JAAS configuration, tokens of the issuer it trusts.
#[derive(Debug)]
pub(crate) struct ListenerCredentials {
    pub(crate) scram: Arc<ScramUsers>,
    pub(crate) plain: BTreeMap<String, PlainPassword>,
    pub(crate) issuer: Option<Arc<TokenIssuer>>,
    pub(crate) decoys: DecoySecret,
}

impl CredentialLookup for ListenerCredentials {
    fn scram_credential(&self, mechanism: ScramMechanism, user: &str) -> Option<ScramCredential> {
        self.scram.get(mechanism, user)
    }

    fn plain_password(&self, user: &str) -> Option<PlainPassword> {
        self.plain.get(user).cloned()
    }

    fn bearer_token(&self, token: &str) -> Result<BearerToken, BearerError> {
        self.issuer.as_ref().ok_or(BearerError::NotAccepted)?.verify(token)
    }

    fn decoys(&self) -> &DecoySecret {
        &self.decoys
    }
}
