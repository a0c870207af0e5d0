//! EC2 hosts: instances, images, launch templates, disks, snapshots, and with whom they are shared.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, GroupIdentifier, Image, ImageAttributeName, Instance, InstanceNetworkInterface,
    LaunchTemplate, LaunchTemplateVersion, Reservation, ResponseLaunchTemplateData, Snapshot,
    SnapshotAttributeName, Volume,
};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Account;
use super::call::{IN_FLIGHT, PAGE};
use super::shape::{Object, tags};
use crate::CollectError;

/// Image ids in one request.
const IMAGES_AT_ONCE: usize = 100;

/// Collects a region's hosts and their disks.
pub(super) async fn collect(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    let (instances, templates, own, ..) = try_join!(
        instances(account, region, &ec2),
        launch_templates(account, region, &ec2),
        own_images(account, region, &ec2),
        volumes(account, region, &ec2),
        snapshots(account, region, &ec2),
        encryption_defaults(account, region, &ec2),
    )?;
    let used: BTreeSet<String> = instances.into_iter().chain(templates).collect();
    let further: Vec<String> = used.into_iter().filter(|image| !own.contains(image)).collect();
    for (number, images) in further.chunks(IMAGES_AT_ONCE).enumerate() {
        let mut question = account.whole_in(region, "ec2:DescribeImages");
        question.subject = format!("{}/in-use/{}", question.subject, number + 1);
        question.request = json!({"ImageIds": images});
        account
            .ask(question, ec2.describe_images().set_image_ids(Some(images.to_vec())).send(), |answer| {
                Object::new().list("Images", answer.images(), image_json).build()
            })
            .await?;
    }
    Ok(())
}

/// Hands on the images that instances run from.
async fn instances(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
) -> Result<Vec<String>, CollectError> {
    let pages = account
        .ask_pages(
            account.whole_in(region, "ec2:DescribeInstances"),
            |token| ec2.describe_instances().max_results(PAGE).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Reservations", page.reservations(), reservation_json).build(),
        )
        .await?;
    let reservations = pages.iter().flat_map(|page| page.reservations());
    let images = reservations.flat_map(|reservation| reservation.instances()).filter_map(|i| i.image_id());
    Ok(images.map(str::to_owned).collect())
}

/// Hands on the images that launch templates name.
async fn launch_templates(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
) -> Result<Vec<String>, CollectError> {
    let pages = account
        .ask_pages(
            account.whole_in(region, "ec2:DescribeLaunchTemplates"),
            |token| ec2.describe_launch_templates().max_results(PAGE).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("LaunchTemplates", page.launch_templates(), template_json).build(),
        )
        .await?;
    let templates = pages.iter().flat_map(|page| page.launch_templates());
    let images: Vec<Vec<String>> =
        stream::iter(templates.filter_map(|template| template.launch_template_id()))
            .map(|id| launch_template_versions(account, region, ec2, id))
            .buffer_unordered(IN_FLIGHT)
            .try_collect()
            .await?;
    Ok(images.into_iter().flatten().collect())
}

async fn launch_template_versions(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
    id: &str,
) -> Result<Vec<String>, CollectError> {
    const VERSIONS: [&str; 2] = ["$Default", "$Latest"];
    let subject = account.ec2_arn(region, &format!("launch-template/{id}"));
    let request = json!({"LaunchTemplateId": id, "Versions": VERSIONS});
    let pages = account
        .ask_pages(
            account.about_in(region, "ec2:DescribeLaunchTemplateVersions", subject, request),
            |token| {
                ec2.describe_launch_template_versions()
                    .launch_template_id(id)
                    .set_versions(Some(VERSIONS.map(str::to_owned).to_vec()))
                    .set_next_token(token)
                    .send()
            },
            |page| page.next_token(),
            |page| {
                Object::new()
                    .list("LaunchTemplateVersions", page.launch_template_versions(), version_json)
                    .build()
            },
        )
        .await?;
    let versions = pages.iter().flat_map(|page| page.launch_template_versions());
    let images = versions.filter_map(|version| version.launch_template_data()?.image_id());
    // A template may name a parameter to look the image up with instead of an image.
    Ok(images.filter(|image| image.starts_with("ami-")).map(str::to_owned).collect())
}

/// Hands on the ids of the account's own images.
async fn own_images(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
) -> Result<BTreeSet<String>, CollectError> {
    let mut question = account.whole_in(region, "ec2:DescribeImages");
    question.request = json!({"Owners": ["self"]});
    let pages = account
        .ask_pages(
            question,
            |token| ec2.describe_images().owners("self").max_results(PAGE).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Images", page.images(), image_json).build(),
        )
        .await?;
    let ids: BTreeSet<String> = pages
        .iter()
        .flat_map(|page| page.images())
        .filter_map(|image| image.image_id())
        .map(str::to_owned)
        .collect();
    stream::iter(&ids)
        .map(|id| launch_permissions(account, region, ec2, id))
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(ids)
}

async fn launch_permissions(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
    id: &str,
) -> Result<(), CollectError> {
    let subject = account.ec2_public_arn(region, &format!("image/{id}"));
    let request = json!({"ImageId": id, "Attribute": "launchPermission"});
    account
        .ask(
            account.about_in(region, "ec2:DescribeImageAttribute", subject, request),
            ec2.describe_image_attribute()
                .image_id(id)
                .attribute(ImageAttributeName::LaunchPermission)
                .send(),
            |answer| {
                Object::new()
                    .text("ImageId", answer.image_id())
                    .list("LaunchPermissions", answer.launch_permissions(), |permission| {
                        Object::new()
                            .text("UserId", permission.user_id())
                            .text("Group", permission.group().map(|group| group.as_str()))
                            .text("OrganizationArn", permission.organization_arn())
                            .text("OrganizationalUnitArn", permission.organizational_unit_arn())
                            .build()
                    })
                    .build()
            },
        )
        .await?;
    Ok(())
}

async fn volumes(account: &Account<'_>, region: &str, ec2: &aws_sdk_ec2::Client) -> Result<(), CollectError> {
    account
        .ask_pages(
            account.whole_in(region, "ec2:DescribeVolumes"),
            |token| ec2.describe_volumes().max_results(PAGE).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Volumes", page.volumes(), volume_json).build(),
        )
        .await?;
    Ok(())
}

async fn snapshots(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
) -> Result<(), CollectError> {
    let mut question = account.whole_in(region, "ec2:DescribeSnapshots");
    question.request = json!({"OwnerIds": ["self"]});
    let pages = account
        .ask_pages(
            question,
            |token| ec2.describe_snapshots().owner_ids("self").max_results(PAGE).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Snapshots", page.snapshots(), snapshot_json).build(),
        )
        .await?;
    let ids = pages.iter().flat_map(|page| page.snapshots()).filter_map(|snapshot| snapshot.snapshot_id());
    stream::iter(ids)
        .map(|id| snapshot_permissions(account, region, ec2, id))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn snapshot_permissions(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
    id: &str,
) -> Result<(), CollectError> {
    let subject = account.ec2_public_arn(region, &format!("snapshot/{id}"));
    let request = json!({"SnapshotId": id, "Attribute": "createVolumePermission"});
    account
        .ask(
            account.about_in(region, "ec2:DescribeSnapshotAttribute", subject, request),
            ec2.describe_snapshot_attribute()
                .snapshot_id(id)
                .attribute(SnapshotAttributeName::CreateVolumePermission)
                .send(),
            |answer| {
                Object::new()
                    .text("SnapshotId", answer.snapshot_id())
                    .list("CreateVolumePermissions", answer.create_volume_permissions(), |permission| {
                        Object::new()
                            .text("UserId", permission.user_id())
                            .text("Group", permission.group().map(|group| group.as_str()))
                            .build()
                    })
                    .build()
            },
        )
        .await?;
    Ok(())
}

async fn encryption_defaults(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
) -> Result<(), CollectError> {
    account
        .ask(
            account.whole_in(region, "ec2:GetEbsEncryptionByDefault"),
            ec2.get_ebs_encryption_by_default().send(),
            |answer| Object::new().flag("EbsEncryptionByDefault", answer.ebs_encryption_by_default()).build(),
        )
        .await?;
    account
        .ask(
            account.whole_in(region, "ec2:GetEbsDefaultKmsKeyId"),
            ec2.get_ebs_default_kms_key_id().send(),
            |answer| Object::new().text("KmsKeyId", answer.kms_key_id()).build(),
        )
        .await?;
    Ok(())
}

fn reservation_json(reservation: &Reservation) -> Value {
    Object::new()
        .text("ReservationId", reservation.reservation_id())
        .text("OwnerId", reservation.owner_id())
        .text("RequesterId", reservation.requester_id())
        .list("Instances", reservation.instances(), instance_json)
        .build()
}

fn instance_json(instance: &Instance) -> Value {
    Object::new()
        .text("InstanceId", instance.instance_id())
        .text("ImageId", instance.image_id())
        .text("InstanceType", instance.instance_type().map(|kind| kind.as_str()))
        .nested("State", instance.state(), |state| {
            Object::new()
                .number("Code", state.code())
                .text("Name", state.name().map(|name| name.as_str()))
                .build()
        })
        .time("LaunchTime", instance.launch_time())
        .text("Architecture", instance.architecture().map(|architecture| architecture.as_str()))
        .text("PrivateIpAddress", instance.private_ip_address())
        .text("PublicIpAddress", instance.public_ip_address())
        .text("Ipv6Address", instance.ipv6_address())
        .text("PrivateDnsName", instance.private_dns_name())
        .text("PublicDnsName", instance.public_dns_name())
        .text("SubnetId", instance.subnet_id())
        .text("VpcId", instance.vpc_id())
        .text("KeyName", instance.key_name())
        .flag("SourceDestCheck", instance.source_dest_check())
        .flag("EbsOptimized", instance.ebs_optimized())
        .nested("IamInstanceProfile", instance.iam_instance_profile(), |profile| {
            Object::new().text("Arn", profile.arn()).text("Id", profile.id()).build()
        })
        .nested("Placement", instance.placement(), |placement| {
            Object::new()
                .text("AvailabilityZone", placement.availability_zone())
                .text("Tenancy", placement.tenancy().map(|tenancy| tenancy.as_str()))
                .build()
        })
        .list("SecurityGroups", instance.security_groups(), group_json)
        .nested("MetadataOptions", instance.metadata_options(), |options| {
            Object::new()
                .text("State", options.state().map(|state| state.as_str()))
                .text("HttpTokens", options.http_tokens().map(|tokens| tokens.as_str()))
                .number("HttpPutResponseHopLimit", options.http_put_response_hop_limit())
                .text("HttpEndpoint", options.http_endpoint().map(|endpoint| endpoint.as_str()))
                .text("HttpProtocolIpv6", options.http_protocol_ipv6().map(|protocol| protocol.as_str()))
                .text("InstanceMetadataTags", options.instance_metadata_tags().map(|tags| tags.as_str()))
                .build()
        })
        .text("RootDeviceName", instance.root_device_name())
        .text("RootDeviceType", instance.root_device_type().map(|kind| kind.as_str()))
        .list("BlockDeviceMappings", instance.block_device_mappings(), |mapping| {
            Object::new()
                .text("DeviceName", mapping.device_name())
                .nested("Ebs", mapping.ebs(), |disk| {
                    Object::new()
                        .text("VolumeId", disk.volume_id())
                        .flag("DeleteOnTermination", disk.delete_on_termination())
                        .text("Status", disk.status().map(|status| status.as_str()))
                        .time("AttachTime", disk.attach_time())
                        .build()
                })
                .build()
        })
        .list("NetworkInterfaces", instance.network_interfaces(), interface_json)
        .value("Tags", Some(tags!(instance.tags())))
        .build()
}

fn group_json(group: &GroupIdentifier) -> Value {
    Object::new().text("GroupId", group.group_id()).text("GroupName", group.group_name()).build()
}

fn interface_json(interface: &InstanceNetworkInterface) -> Value {
    Object::new()
        .text("NetworkInterfaceId", interface.network_interface_id())
        .text("SubnetId", interface.subnet_id())
        .text("VpcId", interface.vpc_id())
        .text("PrivateIpAddress", interface.private_ip_address())
        .flag("SourceDestCheck", interface.source_dest_check())
        .list("Groups", interface.groups(), group_json)
        .nested("Association", interface.association(), |association| {
            Object::new()
                .text("PublicIp", association.public_ip())
                .text("PublicDnsName", association.public_dns_name())
                .text("IpOwnerId", association.ip_owner_id())
                .build()
        })
        .list("Ipv6Addresses", interface.ipv6_addresses(), |address| {
            Object::new().text("Ipv6Address", address.ipv6_address()).build()
        })
        .list("PrivateIpAddresses", interface.private_ip_addresses(), |address| {
            Object::new()
                .flag("Primary", address.primary())
                .text("PrivateIpAddress", address.private_ip_address())
                .build()
        })
        .build()
}

fn image_json(image: &Image) -> Value {
    Object::new()
        .text("ImageId", image.image_id())
        .text("Name", image.name())
        .text("Description", image.description())
        .text("ImageLocation", image.image_location())
        .text("OwnerId", image.owner_id())
        .text("ImageOwnerAlias", image.image_owner_alias())
        .flag("Public", image.public())
        .text("State", image.state().map(|state| state.as_str()))
        .text("CreationDate", image.creation_date())
        .text("DeprecationTime", image.deprecation_time())
        .text("Architecture", image.architecture().map(|architecture| architecture.as_str()))
        .text("ImageType", image.image_type().map(|kind| kind.as_str()))
        .text("RootDeviceName", image.root_device_name())
        .text("RootDeviceType", image.root_device_type().map(|kind| kind.as_str()))
        .text("SourceImageId", image.source_image_id())
        .text("SourceImageRegion", image.source_image_region())
        .text("SourceInstanceId", image.source_instance_id())
        .text("ImdsSupport", image.imds_support().map(|support| support.as_str()))
        .list("BlockDeviceMappings", image.block_device_mappings(), image_disk_json)
        .value("Tags", Some(tags!(image.tags())))
        .build()
}

fn image_disk_json(mapping: &BlockDeviceMapping) -> Value {
    Object::new()
        .text("DeviceName", mapping.device_name())
        .nested("Ebs", mapping.ebs(), |disk| {
            Object::new()
                .text("SnapshotId", disk.snapshot_id())
                .flag("Encrypted", disk.encrypted())
                .text("KmsKeyId", disk.kms_key_id())
                .number("VolumeSize", disk.volume_size())
                .text("VolumeType", disk.volume_type().map(|kind| kind.as_str()))
                .flag("DeleteOnTermination", disk.delete_on_termination())
                .build()
        })
        .build()
}

fn template_json(template: &LaunchTemplate) -> Value {
    Object::new()
        .text("LaunchTemplateId", template.launch_template_id())
        .text("LaunchTemplateName", template.launch_template_name())
        .time("CreateTime", template.create_time())
        .text("CreatedBy", template.created_by())
        .number("DefaultVersionNumber", template.default_version_number())
        .number("LatestVersionNumber", template.latest_version_number())
        .value("Tags", Some(tags!(template.tags())))
        .build()
}

fn version_json(version: &LaunchTemplateVersion) -> Value {
    Object::new()
        .text("LaunchTemplateId", version.launch_template_id())
        .text("LaunchTemplateName", version.launch_template_name())
        .number("VersionNumber", version.version_number())
        .text("VersionDescription", version.version_description())
        .flag("DefaultVersion", version.default_version())
        .time("CreateTime", version.create_time())
        .text("CreatedBy", version.created_by())
        .nested("LaunchTemplateData", version.launch_template_data(), template_data_json)
        .build()
}

fn template_data_json(data: &ResponseLaunchTemplateData) -> Value {
    // User data may hold anything, passwords included: its hash tells whether it changed.
    let user_data = data.user_data().map(|text| hex::encode(Sha256::digest(text.as_bytes())));
    Object::new()
        .text("ImageId", data.image_id())
        .text("InstanceType", data.instance_type().map(|kind| kind.as_str()))
        .text("KeyName", data.key_name())
        .nested("IamInstanceProfile", data.iam_instance_profile(), |profile| {
            Object::new().text("Arn", profile.arn()).text("Name", profile.name()).build()
        })
        .texts("SecurityGroupIds", data.security_group_ids())
        .texts("SecurityGroups", data.security_groups())
        .text("UserDataSha256", user_data.as_deref())
        .list("BlockDeviceMappings", data.block_device_mappings(), |mapping| {
            Object::new()
                .text("DeviceName", mapping.device_name())
                .nested("Ebs", mapping.ebs(), |disk| {
                    Object::new()
                        .flag("Encrypted", disk.encrypted())
                        .text("KmsKeyId", disk.kms_key_id())
                        .text("SnapshotId", disk.snapshot_id())
                        .number("VolumeSize", disk.volume_size())
                        .text("VolumeType", disk.volume_type().map(|kind| kind.as_str()))
                        .flag("DeleteOnTermination", disk.delete_on_termination())
                        .build()
                })
                .build()
        })
        .list("NetworkInterfaces", data.network_interfaces(), |interface| {
            Object::new()
                .number("DeviceIndex", interface.device_index())
                .flag("AssociatePublicIpAddress", interface.associate_public_ip_address())
                .text("SubnetId", interface.subnet_id())
                .text("NetworkInterfaceId", interface.network_interface_id())
                .texts("Groups", interface.groups())
                .text("PrivateIpAddress", interface.private_ip_address())
                .build()
        })
        .nested("MetadataOptions", data.metadata_options(), |options| {
            Object::new()
                .text("State", options.state().map(|state| state.as_str()))
                .text("HttpTokens", options.http_tokens().map(|tokens| tokens.as_str()))
                .number("HttpPutResponseHopLimit", options.http_put_response_hop_limit())
                .text("HttpEndpoint", options.http_endpoint().map(|endpoint| endpoint.as_str()))
                .text("HttpProtocolIpv6", options.http_protocol_ipv6().map(|protocol| protocol.as_str()))
                .text("InstanceMetadataTags", options.instance_metadata_tags().map(|tags| tags.as_str()))
                .build()
        })
        .build()
}

fn volume_json(volume: &Volume) -> Value {
    Object::new()
        .text("VolumeId", volume.volume_id())
        .text("AvailabilityZone", volume.availability_zone())
        .text("State", volume.state().map(|state| state.as_str()))
        .number("Size", volume.size())
        .text("VolumeType", volume.volume_type().map(|kind| kind.as_str()))
        .flag("Encrypted", volume.encrypted())
        .text("KmsKeyId", volume.kms_key_id())
        .text("SnapshotId", volume.snapshot_id())
        .time("CreateTime", volume.create_time())
        .flag("MultiAttachEnabled", volume.multi_attach_enabled())
        .list("Attachments", volume.attachments(), |attachment| {
            Object::new()
                .text("VolumeId", attachment.volume_id())
                .text("InstanceId", attachment.instance_id())
                .text("Device", attachment.device())
                .text("State", attachment.state().map(|state| state.as_str()))
                .time("AttachTime", attachment.attach_time())
                .flag("DeleteOnTermination", attachment.delete_on_termination())
                .build()
        })
        .value("Tags", Some(tags!(volume.tags())))
        .build()
}

fn snapshot_json(snapshot: &Snapshot) -> Value {
    Object::new()
        .text("SnapshotId", snapshot.snapshot_id())
        .text("VolumeId", snapshot.volume_id())
        .text("State", snapshot.state().map(|state| state.as_str()))
        .time("StartTime", snapshot.start_time())
        .time("CompletionTime", snapshot.completion_time())
        .text("OwnerId", snapshot.owner_id())
        .text("Description", snapshot.description())
        .number("VolumeSize", snapshot.volume_size())
        .flag("Encrypted", snapshot.encrypted())
        .text("KmsKeyId", snapshot.kms_key_id())
        .text("StorageTier", snapshot.storage_tier().map(|tier| tier.as_str()))
        .value("Tags", Some(tags!(snapshot.tags())))
        .build()
}
