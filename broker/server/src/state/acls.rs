//! The ACLs and the authorizer that reads them.

use std::sync::{Arc, RwLock};

use cadastre_security::acl::AclBinding;
use cadastre_security::authorizer::{Authorizer, SuperUsers};
use cadastre_storage::{MetadataChange, MetadataKind, Storage};
use tokio::sync::Mutex;

use super::StateError;
use crate::sync::{read, write};

/// The cluster's ACLs.
#[derive(Debug)]
pub(crate) struct Acls {
    storage: Storage,
    super_users: SuperUsers,
    default_allow: bool,
    authorizer: RwLock<Arc<Authorizer>>,
    changes: Mutex<()>,
}

impl Acls {
    /// Reads the ACLs that the storage holds.
    pub(crate) fn load(
        storage: &Storage,
        super_users: SuperUsers,
        default_allow: bool,
    ) -> Result<Self, StateError> {
        let read = read_authorizer(storage, super_users.clone(), default_allow)?;
        let authorizer = RwLock::new(Arc::new(read));
        Ok(Self { storage: storage.clone(), super_users, default_allow, authorizer, changes: Mutex::new(()) })
    }

    /// Takes over what other brokers changed.
    pub(crate) async fn reload(&self) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        let fresh = read_authorizer(&self.storage, self.super_users.clone(), self.default_allow)?;
        *write(&self.authorizer) = Arc::new(fresh);
        Ok(())
    }

    /// The authorizer as it stands now.
    pub(crate) fn authorizer(&self) -> Arc<Authorizer> {
        Arc::clone(&read(&self.authorizer))
    }

    /// Adds ACLs; those that exist already stay as they are.
    pub(crate) async fn add(&self, bindings: Vec<AclBinding>) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        let changes =
            bindings.iter().map(|binding| change(binding, Some(Vec::new()))).collect::<Result<_, _>>()?;
        self.storage.metadata().commit(changes).await?;
        self.swap(|authorizer| {
            for binding in bindings {
                authorizer.add(binding);
            }
        });
        Ok(())
    }

    /// Removes ACLs.
    pub(crate) async fn remove(&self, bindings: &[AclBinding]) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        let changes = bindings.iter().map(|binding| change(binding, None)).collect::<Result<_, _>>()?;
        self.storage.metadata().commit(changes).await?;
        self.swap(|authorizer| {
            for binding in bindings {
                authorizer.remove(binding);
            }
        });
        Ok(())
    }

    fn swap(&self, edit: impl FnOnce(&mut Authorizer)) {
        let mut authorizer = Authorizer::clone(&self.authorizer());
        edit(&mut authorizer);
        *write(&self.authorizer) = Arc::new(authorizer);
    }
}

fn read_authorizer(
    storage: &Storage,
    super_users: SuperUsers,
    default_allow: bool,
) -> Result<Authorizer, StateError> {
    let mut bindings: Vec<AclBinding> = Vec::new();
    for key in storage.metadata().entries(MetadataKind::Acl).into_keys() {
        bindings
            .push(serde_json::from_str(&key).map_err(|error| StateError::unreadable("acl", &key, error))?);
    }
    Ok(Authorizer::new(bindings, super_users, default_allow))
}

/// The whole ACL is the key: it has no other identity.
fn change(binding: &AclBinding, value: Option<Vec<u8>>) -> Result<MetadataChange, StateError> {
    let key = serde_json::to_string(binding)
        .map_err(|error| StateError::unreadable("acl", &binding.to_string(), error))?;
    Ok(MetadataChange { kind: MetadataKind::Acl, key, value })
}
