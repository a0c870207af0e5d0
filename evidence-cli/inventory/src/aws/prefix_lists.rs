//! Managed prefix lists.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::PrefixList;

use crate::reader::Reader;

/// Reads every managed prefix list.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<PrefixList> {
    reader.assets("ec2:DescribeManagedPrefixLists", "PrefixLists", |reader, list| {
        let arn = list.text("PrefixListArn")?;
        let mut evidence = EvidenceIds::new();
        Ok(Some(PrefixList {
            id: list.owned_text("PrefixListId")?,
            name: list.owned_text("PrefixListName")?,
            entries: reader.known("ec2:GetManagedPrefixListEntries", arn, &mut evidence, |pages| {
                let mut entries = pages.all("Entries", |entry| entry.range("Cidr"))?;
                entries.sort();
                entries.dedup();
                Ok(Some(entries))
            }),
            evidence,
        }))
    })
}
