//! Subscriptions, and whether the lists that everything in them hangs on were read to the end.

use std::collections::BTreeSet;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::Subscription;
use cadastre_model::declaration::{Declaration, Provider};
use cadastre_model::{Known, Scope};

use crate::reader::Reader;

const SUBSCRIPTION: &str = "Microsoft.Resources/subscriptions/read";

/// Every subscription that is declared, or that a record of Azure's speaks of.
pub(super) fn read(reader: &mut Reader<'_>, declaration: &Declaration) -> Vec<Subscription> {
    let declared = declaration.accounts.iter().filter(|account| account.provider == Provider::Azure);
    let recorded = reader.answers.records().filter(|record| record.collector == "azure");
    let ids: BTreeSet<String> = declared
        .map(|account| account.id.to_lowercase())
        .chain(recorded.filter_map(|record| record.scope.account.clone()))
        .collect();
    ids.into_iter()
        .map(|id| {
            let mut evidence = EvidenceIds::new();
            let scope = Scope::account(&id);
            let tenant = reader.known_within(SUBSCRIPTION, &scope, &id, &mut evidence, |pages| {
                Ok(pages.only()?.optional_text("tenantId")?.map(str::to_lowercase))
            });
            let mut whole = |operation: &str| -> Known<()> {
                let mut unused = EvidenceIds::new();
                reader.known_within(operation, &scope, &id, &mut unused, |pages| {
                    pages.all("value", |_| Ok(())).map(|_| Some(()))
                })
            };
            Subscription {
                tenant,
                role_definitions: whole("Microsoft.Authorization/roleDefinitions/read"),
                role_assignments: whole("Microsoft.Authorization/roleAssignments/read"),
                deny_assignments: whole("Microsoft.Authorization/denyAssignments/read"),
                interfaces: whole("Microsoft.Network/networkInterfaces/read"),
                id,
                evidence,
            }
        })
        .collect()
}
