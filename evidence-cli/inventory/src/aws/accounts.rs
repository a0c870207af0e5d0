//! The accounts that records or the declaration name, with the control policies that bind them.

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::asset::identity::CloudAccount;
use cadastre_model::asset::{EvidenceIds, PolicyKind};
use cadastre_model::declaration::{Declaration, Provider};

use crate::aws::organizations::Organization;
use crate::reader::Reader;

/// Reads every account.
pub(crate) fn read(reader: &mut Reader<'_>, declaration: &Declaration) -> Vec<CloudAccount> {
    let declared = declaration.accounts.iter().filter(|account| account.provider == Provider::Aws);
    let mut ids: BTreeSet<String> = declared.map(|account| account.id.clone()).collect();
    let observed = reader.answers.records().filter(|record| record.collector == "aws");
    ids.extend(observed.filter_map(|record| record.scope.account.clone()));

    let views: Vec<(&String, Organization)> =
        ids.iter().map(|id| (id, Organization::read(reader, id))).collect();
    ids.iter().map(|id| account(id, &views)).collect()
}

/// Prefers the view of whichever account could walk the tree down to this one: a member account, as a
/// rule, is not told about it.
fn account(id: &str, views: &[(&String, Organization)]) -> CloudAccount {
    let own = views.iter().find(|(viewer, _)| viewer.as_str() == id).map(|(_, view)| view);
    let placed = own
        .filter(|view| view.places(id))
        .or_else(|| views.iter().map(|(_, view)| view).find(|view| view.places(id)));
    let view = placed.or(own);
    let Some(view) = view else {
        let missing = || "organizations:DescribeOrganization was not asked".to_owned();
        return CloudAccount {
            id: id.to_owned(),
            service_control: Known::Unknown(missing()),
            resource_control: Known::Unknown(missing()),
            management: Known::Unknown(missing()),
            organization: Known::Unknown(missing()),
            evidence: EvidenceIds::new(),
        };
    };
    let levels = |kind| match (&view.id, placed) {
        (Known::Absent, None) => Known::Absent,
        (Known::Unknown(missing), None) => Known::Unknown(missing.clone()),
        _ => view.levels(id, kind),
    };
    CloudAccount {
        id: id.to_owned(),
        service_control: levels(PolicyKind::ServiceControl),
        resource_control: levels(PolicyKind::ResourceControl),
        management: match &view.management_account {
            Known::Observed(management) => Known::Observed(management == id),
            Known::Absent => Known::Absent,
            Known::Unknown(missing) => Known::Unknown(missing.clone()),
        },
        organization: view.id.clone(),
        evidence: view.evidence.clone(),
    }
}
