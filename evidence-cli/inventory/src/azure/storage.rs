//! Storage accounts, blob containers and diagnostic settings.

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::stores::{BlobContainer, DiagnosticSetting, StorageAccount};

use super::fields::{id, parent, properties, region, says, sku, subscription};
use crate::reader::Reader;

const SETTINGS: &str = "Microsoft.Insights/diagnosticSettings/read";

/// Reads every storage account.
pub(super) fn accounts(reader: &mut Reader<'_>) -> Vec<StorageAccount> {
    reader.assets("Microsoft.Storage/storageAccounts/read", "value", |_, account| {
        let id = id(account)?;
        let own = properties(account)?;
        let encryption = own.optional_object("encryption")?;
        let mut key_source = String::new();
        let (mut key, mut key_version) = (None, None);
        if let Some(encryption) = encryption {
            key_source = encryption.optional_text("keySource")?.unwrap_or_default().to_owned();
            let vault = match encryption.optional_object("keyvaultproperties")? {
                Some(vault) => Some(vault),
                None => encryption.optional_object("keyVaultProperties")?,
            };
            if let Some(vault) = vault {
                let uri = super::fields::text_of(&vault, "keyvaulturi", "keyVaultUri")?;
                let name = super::fields::text_of(&vault, "keyname", "keyName")?;
                let version = super::fields::text_of(&vault, "keyversion", "keyVersion")?;
                key_version = version.filter(|version| !version.is_empty()).map(str::to_owned);
                key = uri
                    .zip(name)
                    .map(|(uri, name)| format!("{}/keys/{name}", uri.trim_end_matches('/')).to_lowercase());
            }
        }
        let firewall = match own.optional_object("networkAcls")? {
            Some(rules) => Some(rules),
            None => own.optional_object("networkRuleSet")?,
        };
        let closed =
            firewall.map(|rules| says(&rules, "defaultAction", "Deny")).transpose()?.unwrap_or(false);
        let https = match own.optional_boolean("supportsHttpsTrafficOnly")? {
            Some(only) => Some(only),
            None => own.optional_boolean("enableHttpsTrafficOnly")?,
        };
        Ok(Some(StorageAccount {
            name: account.owned_text("name")?,
            subscription: subscription(&id),
            region: region(account)?,
            key_source,
            key,
            key_version,
            shared_key: own.optional_boolean("allowSharedKeyAccess")?.unwrap_or(true),
            public_containers: own.optional_boolean("allowBlobPublicAccess")?.map_or_else(
                || Known::Unknown("`allowBlobPublicAccess` is left to the service".to_owned()),
                Known::Observed,
            ),
            https_only: https.unwrap_or(false),
            minimum_tls: own.optional_owned_text("minimumTlsVersion")?,
            public_access: !says(&own, "publicNetworkAccess", "Disabled")?,
            open_by_default: !closed,
            replication: sku(account)?,
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}

/// Reads every blob container.
pub(super) fn containers(reader: &mut Reader<'_>) -> Vec<BlobContainer> {
    let operation = "Microsoft.Storage/storageAccounts/blobServices/containers/read";
    reader.assets(operation, "value", |_, container| {
        let id = id(container)?;
        let own = properties(container)?;
        let mut immutable = own.optional_boolean("hasImmutabilityPolicy")?.unwrap_or(false)
            || own.optional_boolean("hasLegalHold")?.unwrap_or(false);
        if let Some(versions) = own.optional_object("immutableStorageWithVersioning")? {
            immutable |= versions.optional_boolean("enabled")?.unwrap_or(false);
        }
        Ok(Some(BlobContainer {
            name: container.owned_text("name")?,
            account: parent(&id, 2),
            public: own.optional_text("publicAccess")?.unwrap_or("None").to_owned(),
            immutable,
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}

/// Reads every diagnostic setting.
pub(super) fn diagnostic_settings(reader: &mut Reader<'_>) -> Vec<DiagnosticSetting> {
    reader.assets(SETTINGS, "value", |_, setting| {
        let own = properties(setting)?;
        let mut categories = Vec::new();
        for log in own.optional_list("logs")? {
            if log.optional_boolean("enabled")?.unwrap_or(false) {
                categories.extend(log.optional_owned_text("category")?);
                categories.extend(log.optional_owned_text("categoryGroup")?);
            }
        }
        categories.sort();
        let mut destinations = Vec::new();
        for member in
            ["storageAccountId", "workspaceId", "eventHubAuthorizationRuleId", "marketplacePartnerId"]
        {
            destinations.extend(own.optional_text(member)?.map(str::to_lowercase));
        }
        Ok(Some(DiagnosticSetting {
            id: id(setting)?,
            resource: setting.record.subject.clone(),
            categories,
            destinations,
            evidence: EvidenceIds::new(),
        }))
    })
}
