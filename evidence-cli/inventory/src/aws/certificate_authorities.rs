//! Private certificate authorities, whose certificates authenticate Kafka clients.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::PolicyKind;
use cadastre_model::asset::msk::CertificateAuthority;

use crate::reader::Reader;

/// Reads every authority.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<CertificateAuthority> {
    let operation = "acm-pca:ListCertificateAuthorities";
    reader.assets(operation, "CertificateAuthorities", |reader, authority| {
        let arn = authority.owned_text("Arn")?;
        let mut evidence = EvidenceIds::new();
        Ok(Some(CertificateAuthority {
            account: authority.account()?.to_owned(),
            region: authority.region()?.to_owned(),
            status: authority.owned_text("Status")?,
            policy: reader.known("acm-pca:GetPolicy", &arn, &mut evidence, |pages| {
                pages.only()?.policy("Policy", "authority-policy", PolicyKind::Resource)
            }),
            arn,
            evidence,
        }))
    })
}
