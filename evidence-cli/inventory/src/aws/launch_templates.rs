//! Launch templates, as their default version stands.

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::compute::LaunchTemplate;

use crate::aws::instance_profiles::InstanceProfiles;
use crate::reader::Reader;

const VERSIONS: &str = "ec2:DescribeLaunchTemplateVersions";

/// Reads every launch template.
pub(crate) fn read(reader: &mut Reader<'_>, profiles: &InstanceProfiles) -> Vec<LaunchTemplate> {
    reader.assets("ec2:DescribeLaunchTemplates", "LaunchTemplates", |reader, template| {
        let id = template.owned_text("LaunchTemplateId")?;
        let (account, region) = (template.account()?, template.region()?);
        let subject = format!("arn:aws:ec2:{region}:{account}:launch-template/{id}");
        let mut evidence = EvidenceIds::new();
        let data = reader.known(VERSIONS, &subject, &mut evidence, |pages| {
            let versions = pages.all("LaunchTemplateVersions", |version| {
                Ok((version.boolean("DefaultVersion")?, version.object("LaunchTemplateData")?))
            })?;
            Ok(versions.into_iter().find_map(|(default, data)| default.then_some(data)))
        });
        let data = match data {
            Known::Absent => Known::Unknown(format!("{VERSIONS} shows no default version")),
            data => data,
        };
        Ok(Some(LaunchTemplate {
            name: template.optional_owned_text("LaunchTemplateName")?.unwrap_or_default(),
            account: account.to_owned(),
            region: region.to_owned(),
            image: reader.property(VERSIONS, &data, |data| data.optional_owned_text("ImageId")),
            instance_profile: reader.property(VERSIONS, &data, |data| {
                let Some(profile) = data.optional_object("IamInstanceProfile")? else { return Ok(None) };
                Ok(match (profile.optional_owned_text("Arn")?, profile.optional_owned_text("Name")?) {
                    (Some(arn), _) => Some(arn),
                    (None, Some(name)) => Some(profiles.named(account, &name).unwrap_or(name)),
                    (None, None) => return Err(profile.defect("an instance profile's ARN or name")),
                })
            }),
            id,
            evidence,
        }))
    })
}
