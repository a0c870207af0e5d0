//! Secrets of AWS Secrets Manager: who they are shared with and which key protects them, never what they hold.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::PolicyKind;
use cadastre_model::asset::msk::Secret;

use crate::aws::keys::KeyIndex;
use crate::aws::tags;
use crate::reader::Reader;

/// Reads every secret.
pub(crate) fn read(reader: &mut Reader<'_>, keys: &KeyIndex<'_>) -> Vec<Secret> {
    reader.assets("secretsmanager:ListSecrets", "SecretList", |reader, secret| {
        let arn = secret.owned_text("ARN")?;
        let (account, region) = (secret.account()?, secret.region()?);
        let mut evidence = EvidenceIds::new();
        Ok(Some(Secret {
            name: secret.owned_text("Name")?,
            account: account.to_owned(),
            region: region.to_owned(),
            key: secret.optional_text("KmsKeyId")?.map(|key| keys.resolve_or_keep(key, account, region)),
            policy: reader.known("secretsmanager:GetResourcePolicy", &arn, &mut evidence, |pages| {
                pages.only()?.policy("ResourcePolicy", "secret-policy", PolicyKind::Resource)
            }),
            tags: tags::read(secret, "Tags")?,
            arn,
            evidence,
        }))
    })
}
