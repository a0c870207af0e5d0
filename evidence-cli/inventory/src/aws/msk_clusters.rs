//! Amazon MSK clusters: how clients authenticate, the cluster policy, and the secrets of SCRAM clients.

use cadastre_model::Known;
use cadastre_model::asset::msk::{Authentication, MskCluster};
use cadastre_model::asset::{EvidenceIds, PolicyKind, Tag};

use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every cluster.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<MskCluster> {
    reader.assets("kafka:ListClustersV2", "ClusterInfoList", |reader, cluster| {
        let arn = cluster.owned_text("ClusterArn")?;
        let mut evidence = EvidenceIds::new();
        let serverless = cluster.optional_object("Serverless")?;
        let authentication = match (&serverless, cluster.optional_object("Provisioned")?) {
            (Some(serverless), _) => only_iam(serverless)?,
            (None, Some(provisioned)) => of_provisioned(&provisioned)?,
            (None, None) => unsaid(),
        };
        Ok(Some(MskCluster {
            name: cluster.owned_text("ClusterName")?,
            account: cluster.account()?.to_owned(),
            region: cluster.region()?.to_owned(),
            serverless: serverless.is_some(),
            authentication,
            policy: reader.known("kafka:GetClusterPolicy", &arn, &mut evidence, |pages| {
                pages.only()?.policy("Policy", "cluster-policy", PolicyKind::Resource)
            }),
            scram_secrets: reader.known("kafka:ListScramSecrets", &arn, &mut evidence, |pages| {
                let mut secrets = pages.all("SecretArnList", Node::own_text)?;
                secrets.sort();
                Ok(Some(secrets))
            }),
            tags: tags(cluster)?,
            arn,
            evidence,
        }))
    })
}

fn unsaid() -> Authentication {
    let unknown = || "kafka:ListClustersV2 does not say how clients authenticate".to_owned();
    Authentication {
        iam: Known::Unknown(unknown()),
        scram: Known::Unknown(unknown()),
        certificate_authorities: Known::Unknown(unknown()),
        unauthenticated: Known::Unknown(unknown()),
    }
}

fn only_iam(serverless: &Node<'_>) -> Read<Authentication> {
    Ok(Authentication {
        iam: Known::Observed(scheme(serverless, "Iam")?),
        scram: Known::Observed(false),
        certificate_authorities: Known::Absent,
        unauthenticated: Known::Observed(false),
    })
}

/// A scheme that a provisioned cluster does not name is off; one that names none at all takes whoever comes ("Create a
/// cluster", Amazon MSK Developer Guide: unauthenticated access is what is on when nothing else is chosen).
fn of_provisioned(provisioned: &Node<'_>) -> Read<Authentication> {
    let Some(client) = provisioned.optional_object("ClientAuthentication")? else {
        return Ok(Authentication {
            iam: Known::Observed(false),
            scram: Known::Observed(false),
            certificate_authorities: Known::Absent,
            unauthenticated: Known::Observed(true),
        });
    };
    let authorities = match client.optional_object("Tls")? {
        Some(tls) if tls.optional_boolean("Enabled")? != Some(false) => {
            let mut authorities = tls.optional_texts("CertificateAuthorityArnList")?;
            authorities.sort();
            // TLS without an authority encrypts and asks for no certificate.
            if authorities.is_empty() { Known::Absent } else { Known::Observed(authorities) }
        }
        _ => Known::Absent,
    };
    let unauthenticated = match client.optional_object("Unauthenticated")? {
        Some(open) => open.optional_boolean("Enabled")?.unwrap_or(false),
        None => false,
    };
    Ok(Authentication {
        iam: Known::Observed(scheme(provisioned, "Iam")?),
        scram: Known::Observed(scheme(provisioned, "Scram")?),
        certificate_authorities: authorities,
        unauthenticated: Known::Observed(unauthenticated),
    })
}

/// `ClientAuthentication.Sasl.NAME.Enabled`.
fn scheme(cluster: &Node<'_>, name: &str) -> Read<bool> {
    let mut at = Some(cluster.clone());
    for member in ["ClientAuthentication", "Sasl", name] {
        at = match &at {
            Some(node) => node.optional_object(member)?,
            None => None,
        };
    }
    match at {
        Some(scheme) => Ok(scheme.optional_boolean("Enabled")?.unwrap_or(false)),
        None => Ok(false),
    }
}

fn tags(cluster: &Node<'_>) -> Read<Vec<Tag>> {
    let Some(tags) = cluster.optional_object("Tags")? else { return Ok(Vec::new()) };
    let mut read = Vec::new();
    for (key, value) in tags.value.as_object().into_iter().flatten() {
        let value = value.as_str().ok_or_else(|| tags.defect("a map of strings"))?;
        read.push(Tag { key: key.clone(), value: value.to_owned() });
    }
    read.sort();
    Ok(read)
}
