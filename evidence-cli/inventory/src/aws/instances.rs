//! EC2 instances, joined to their role, addresses and network interfaces.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::network::NetworkInterface;

use crate::aws::addresses::Addresses;
use crate::aws::instance_profiles::InstanceProfiles;
use crate::aws::interfaces::Addressing;
use crate::aws::tags;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every instance.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    profiles: &InstanceProfiles,
    elastic: &Addresses,
    interfaces: &[NetworkInterface],
) -> Vec<Instance> {
    let mut attached: BTreeMap<&str, Vec<&NetworkInterface>> = BTreeMap::new();
    for interface in interfaces {
        if let Some(instance) = &interface.instance {
            attached.entry(instance).or_default().push(interface);
        }
    }
    let mut items = Vec::new();
    for reservation in reader.items("ec2:DescribeInstances", "Reservations") {
        items.extend(reader.accept(reservation.list("Instances")));
    }
    reader.assets_from(items, |_, item| {
        let id = item.owned_text("InstanceId")?;
        let mut evidence = EvidenceIds::new();
        let mut joined = Joined::read(item)?;
        for interface in attached.get(id.as_str()).into_iter().flatten() {
            joined.add(interface);
            evidence.extend(interface.evidence.iter().cloned());
        }
        elastic.join(&id, &mut joined.addressing.public, &mut evidence);
        let profile = match item.optional_object("IamInstanceProfile")? {
            Some(profile) => Some(profile.owned_text("Arn")?),
            None => None,
        };
        let zone = match item.optional_object("Placement")? {
            Some(placement) => placement.optional_owned_text("AvailabilityZone")?,
            None => None,
        };
        let metadata_tokens = match item.optional_object("MetadataOptions")? {
            Some(options) => options.optional_owned_text("HttpTokens")?,
            None => None,
        };
        Ok(Some(Instance {
            account: item.account()?.to_owned(),
            region: item.region()?.to_owned(),
            state: item.object("State")?.owned_text("Name")?,
            image: item.owned_text("ImageId")?,
            role: profile.as_ref().map_or(Known::Absent, |profile| profiles.role(profile, &mut evidence)),
            instance_profile: profile,
            subnet: item.optional_owned_text("SubnetId")?,
            vpc: item.optional_owned_text("VpcId")?,
            zone,
            private_addresses: joined.addressing.private.into_iter().collect(),
            public_addresses: joined.addressing.public.into_iter().collect(),
            security_groups: joined.security_groups.into_iter().collect(),
            interfaces: joined.interfaces.into_iter().collect(),
            volumes: volumes(item)?,
            metadata_tokens,
            key_pair: item.optional_owned_text("KeyName")?,
            tags: tags::read(item, "Tags")?,
            id,
            evidence,
        }))
    })
}

/// What an instance has through its network interfaces, as it says itself and as they say.
#[derive(Debug, Default)]
struct Joined {
    addressing: Addressing,
    security_groups: BTreeSet<String>,
    interfaces: BTreeSet<String>,
}

impl Joined {
    fn read(instance: &Node<'_>) -> Read<Self> {
        let mut joined = Self::default();
        joined.addressing.private.extend(instance.optional_owned_text("PrivateIpAddress")?);
        joined.addressing.public.extend(instance.optional_owned_text("PublicIpAddress")?);
        joined.addressing.public.extend(instance.optional_owned_text("Ipv6Address")?);
        joined.security_groups.extend(instance.texts_of("SecurityGroups", "GroupId")?);
        for interface in instance.optional_list("NetworkInterfaces")? {
            let Addressing { private, public } = Addressing::read(&interface)?;
            joined.addressing.private.extend(private);
            joined.addressing.public.extend(public);
            joined.security_groups.extend(interface.texts_of("Groups", "GroupId")?);
            joined.interfaces.extend(interface.optional_owned_text("NetworkInterfaceId")?);
        }
        // Services that leave a thing out of an answer write an empty string now and then.
        joined.addressing.private.remove("");
        joined.addressing.public.remove("");
        Ok(joined)
    }

    fn add(&mut self, interface: &NetworkInterface) {
        self.addressing.private.extend(interface.private_addresses.iter().cloned());
        self.addressing.public.extend(interface.public_addresses.iter().cloned());
        self.security_groups.extend(interface.security_groups.iter().cloned());
        self.interfaces.insert(interface.id.clone());
    }
}

fn volumes(instance: &Node<'_>) -> Read<Vec<String>> {
    let mut volumes = BTreeSet::new();
    for mapping in instance.optional_list("BlockDeviceMappings")? {
        if let Some(device) = mapping.optional_object("Ebs")? {
            volumes.extend(device.optional_owned_text("VolumeId")?);
        }
    }
    Ok(volumes.into_iter().collect())
}
