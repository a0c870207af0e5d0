//! What vendors did, and which declared function it serves.

use cadastre_model::graph::Side;
use cadastre_model::usage::{Act, VendorAct};

use super::Subject;
use super::uses::Call;

/// Every call of a vendor, sorted: by its declared roles, its accounts and networks, and by roles that only it can become.
pub(super) fn acts(calls: &[Call<'_>], subject: &Subject<'_>) -> Vec<VendorAct> {
    let mut acts = Vec::new();
    for call in calls {
        let act = Act {
            principal: call.principal,
            account: call.principal_account,
            action: call.action,
            resources: call.names,
            source: call.source,
        };
        let mut declared = false;
        for vendor in &subject.declaration.vendors {
            if let Some(function) = vendor.function_of(&act) {
                declared = true;
                acts.push(told(call, &vendor.name, function));
            }
        }
        let lent = subject.graph.principals.iter().find(|view| view.id == call.principal);
        if let Some(view) = lent.filter(|view| !declared && view.side == Side::Vendor) {
            acts.push(told(call, view.vendor.as_deref().unwrap_or("an undeclared vendor"), None));
        }
    }
    acts.sort();
    acts
}

fn told(call: &Call<'_>, vendor: &str, function: Option<&str>) -> VendorAct {
    VendorAct {
        vendor: vendor.to_owned(),
        principal: call.principal.to_owned(),
        action: call.action.to_owned(),
        targets: call.names.to_vec(),
        function: function.map(str::to_owned),
        error: call.error.map(str::to_owned),
        count: call.count,
        first: call.first,
        last: call.last,
        evidence: call.evidence.clone(),
    }
}
