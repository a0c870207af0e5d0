//! IAM: users, groups, roles, policies, keys, federation.

use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
use aws_sdk_iam::operation::get_credential_report::GetCredentialReportOutput;
use aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput;
use aws_sdk_iam::types::{
    AccessKeyMetadata, AttachedPermissionsBoundary, AttachedPolicy, GroupDetail, InstanceProfile,
    ManagedPolicyDetail, PasswordPolicy, PolicyDetail, PolicyVersion, Role, RoleDetail, UserDetail,
};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use serde_json::{Map, Value, json};

use super::Account;
use super::call::IN_FLIGHT;
use super::shape::{Object, encoded_document, masked, tags};
use crate::CollectError;

/// How often the credential report is asked for while IAM prepares it.
const REPORT_ATTEMPTS: u32 = 10;
/// Between two of these, in seconds.
const REPORT_PAUSE: u64 = 2;

/// Collects the account's identities and what they may do.
pub(super) async fn collect(account: &Account<'_>) -> Result<(), CollectError> {
    try_join!(
        authorization_details(account),
        roles(account),
        summary(account),
        credential_report(account),
        instance_profiles(account),
        open_id_connect_providers(account),
        saml_providers(account),
        password_policy(account),
    )?;
    Ok(())
}

async fn authorization_details(account: &Account<'_>) -> Result<(), CollectError> {
    let iam = account.session.iam();
    let pages = account
        .ask_pages(
            account.whole("iam:GetAccountAuthorizationDetails"),
            |marker| iam.get_account_authorization_details().max_items(500).set_marker(marker).send(),
            |page| page.marker().filter(|_| page.is_truncated()),
            details_json,
        )
        .await?;
    let users = pages.iter().flat_map(GetAccountAuthorizationDetailsOutput::user_detail_list);
    stream::iter(users.filter_map(|user| Some((user.user_name()?, user.arn()?))))
        .map(|(name, arn)| access_keys(account, name, arn))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn access_keys(account: &Account<'_>, user: &str, arn: &str) -> Result<(), CollectError> {
    let iam = account.session.iam();
    let pages = account
        .ask_pages(
            account.about("iam:ListAccessKeys", arn, json!({"UserName": user})),
            |marker| iam.list_access_keys().user_name(user).set_marker(marker).send(),
            |page| page.marker().filter(|_| page.is_truncated()),
            |page| json!({"AccessKeyMetadata": page.access_key_metadata().iter().map(access_key_json).collect::<Value>()}),
        )
        .await?;
    for key in pages.iter().flat_map(|page| page.access_key_metadata()).filter_map(|key| key.access_key_id())
    {
        let subject = format!("{arn}/access-key/{}", masked(key));
        account
            .ask(
                account.about("iam:GetAccessKeyLastUsed", subject, json!({"AccessKeyId": masked(key)})),
                iam.get_access_key_last_used().access_key_id(key).send(),
                |answer| {
                    Object::new()
                        .text("UserName", answer.user_name())
                        .nested("AccessKeyLastUsed", answer.access_key_last_used(), |used| {
                            Object::new()
                                .time("LastUsedDate", used.last_used_date())
                                .text("ServiceName", Some(used.service_name()))
                                .text("Region", Some(used.region()))
                                .build()
                        })
                        .build()
                },
            )
            .await?;
    }
    Ok(())
}

async fn roles(account: &Account<'_>) -> Result<(), CollectError> {
    let iam = account.session.iam();
    account
        .ask_pages(
            account.whole("iam:ListRoles"),
            |marker| iam.list_roles().max_items(1000).set_marker(marker).send(),
            |page| page.marker().filter(|_| page.is_truncated()),
            |page| json!({"Roles": page.roles().iter().map(role_session_json).collect::<Value>()}),
        )
        .await?;
    Ok(())
}

async fn summary(account: &Account<'_>) -> Result<(), CollectError> {
    let answer = account.session.iam().get_account_summary().send();
    account
        .ask(account.whole("iam:GetAccountSummary"), answer, |answer| {
            let members = answer.summary_map().into_iter().flatten();
            let map: Map<String, Value> =
                members.map(|(key, count)| (key.as_str().to_owned(), Value::from(*count))).collect();
            json!({"SummaryMap": map})
        })
        .await?;
    Ok(())
}

/// IAM prepares the report when it is asked to, which takes a few seconds.
async fn credential_report(account: &Account<'_>) -> Result<(), CollectError> {
    let iam = account.session.iam();
    let mut attempts = 0;
    // Only the last answer is kept: the earlier ones say no more than that the report is on its way.
    let asked = account.whole("iam:GenerateCredentialReport");
    loop {
        attempts += 1;
        let answer = iam.generate_credential_report().send().await;
        let complete = answer
            .as_ref()
            .map_or(true, |answer| answer.state().is_some_and(|state| state.as_str() == "COMPLETE"));
        if complete || attempts == REPORT_ATTEMPTS || account.recorder.is_cancelled() {
            account
                .ask(asked, std::future::ready(answer), |answer| {
                    Object::new()
                        .text("State", answer.state().map(|state| state.as_str()))
                        .text("Description", answer.description())
                        .build()
                })
                .await?;
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(REPORT_PAUSE)).await;
    }
    account
        .ask(account.whole("iam:GetCredentialReport"), iam.get_credential_report().send(), report_json)
        .await?;
    Ok(())
}

async fn instance_profiles(account: &Account<'_>) -> Result<(), CollectError> {
    let iam = account.session.iam();
    account
        .ask_pages(
            account.whole("iam:ListInstanceProfiles"),
            |marker| iam.list_instance_profiles().max_items(1000).set_marker(marker).send(),
            |page| page.marker().filter(|_| page.is_truncated()),
            |page| {
                json!({"InstanceProfiles": page.instance_profiles().iter().map(instance_profile_json).collect::<Value>()})
            },
        )
        .await?;
    Ok(())
}

async fn open_id_connect_providers(account: &Account<'_>) -> Result<(), CollectError> {
    let iam = account.session.iam();
    let answer = account
        .ask(
            account.whole("iam:ListOpenIDConnectProviders"),
            iam.list_open_id_connect_providers().send(),
            |answer| {
                Object::new()
                    .list("OpenIDConnectProviderList", answer.open_id_connect_provider_list(), |provider| {
                        Object::new().text("Arn", provider.arn()).build()
                    })
                    .build()
            },
        )
        .await?;
    let providers = answer.iter().flat_map(|answer| answer.open_id_connect_provider_list());
    for arn in providers.filter_map(|provider| provider.arn()) {
        account
            .ask(
                account.about("iam:GetOpenIDConnectProvider", arn, json!({"OpenIDConnectProviderArn": arn})),
                iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send(),
                provider_json,
            )
            .await?;
    }
    Ok(())
}

async fn saml_providers(account: &Account<'_>) -> Result<(), CollectError> {
    let answer = account.session.iam().list_saml_providers().send();
    account
        .ask(account.whole("iam:ListSAMLProviders"), answer, |answer| {
            Object::new()
                .list("SAMLProviderList", answer.saml_provider_list(), |provider| {
                    Object::new()
                        .text("Arn", provider.arn())
                        .time("ValidUntil", provider.valid_until())
                        .time("CreateDate", provider.create_date())
                        .build()
                })
                .build()
        })
        .await?;
    Ok(())
}

async fn password_policy(account: &Account<'_>) -> Result<(), CollectError> {
    let answer = account.session.iam().get_account_password_policy().send();
    account
        .ask(account.whole("iam:GetAccountPasswordPolicy"), answer, |answer| {
            Object::new().nested("PasswordPolicy", answer.password_policy(), password_policy_json).build()
        })
        .await?;
    Ok(())
}

fn details_json(page: &GetAccountAuthorizationDetailsOutput) -> Value {
    let policies: Vec<&ManagedPolicyDetail> = page.policies().iter().filter(|p| is_relevant(p)).collect();
    Object::new()
        .list("UserDetailList", page.user_detail_list(), user_json)
        .list("GroupDetailList", page.group_detail_list(), group_json)
        .list("RoleDetailList", page.role_detail_list(), role_json)
        .list("Policies", &policies, |policy| managed_policy_json(policy))
        .build()
}

/// A policy of AWS's own that nothing uses grants nothing, and there are more than a thousand of them.
fn is_relevant(policy: &ManagedPolicyDetail) -> bool {
    let of_aws = policy.arn().is_some_and(|arn| arn.split(':').nth(4) == Some("aws"));
    let used = policy.attachment_count().unwrap_or(0) > 0
        || policy.permissions_boundary_usage_count().unwrap_or(0) > 0;
    !of_aws || used
}

fn user_json(user: &UserDetail) -> Value {
    Object::new()
        .text("Path", user.path())
        .text("UserName", user.user_name())
        .text("UserId", user.user_id())
        .text("Arn", user.arn())
        .time("CreateDate", user.create_date())
        .list("UserPolicyList", user.user_policy_list(), policy_json)
        .texts("GroupList", user.group_list())
        .list("AttachedManagedPolicies", user.attached_managed_policies(), attached_json)
        .nested("PermissionsBoundary", user.permissions_boundary(), boundary_json)
        .value("Tags", Some(tags!(user.tags())))
        .build()
}

fn group_json(group: &GroupDetail) -> Value {
    Object::new()
        .text("Path", group.path())
        .text("GroupName", group.group_name())
        .text("GroupId", group.group_id())
        .text("Arn", group.arn())
        .time("CreateDate", group.create_date())
        .list("GroupPolicyList", group.group_policy_list(), policy_json)
        .list("AttachedManagedPolicies", group.attached_managed_policies(), attached_json)
        .build()
}

fn role_json(role: &RoleDetail) -> Value {
    Object::new()
        .text("Path", role.path())
        .text("RoleName", role.role_name())
        .text("RoleId", role.role_id())
        .text("Arn", role.arn())
        .time("CreateDate", role.create_date())
        .value("AssumeRolePolicyDocument", role.assume_role_policy_document().map(encoded_document))
        .list("InstanceProfileList", role.instance_profile_list(), instance_profile_json)
        .list("RolePolicyList", role.role_policy_list(), policy_json)
        .list("AttachedManagedPolicies", role.attached_managed_policies(), attached_json)
        .nested("PermissionsBoundary", role.permissions_boundary(), boundary_json)
        .nested("RoleLastUsed", role.role_last_used(), |used| {
            Object::new().time("LastUsedDate", used.last_used_date()).text("Region", used.region()).build()
        })
        .value("Tags", Some(tags!(role.tags())))
        .build()
}

fn managed_policy_json(policy: &ManagedPolicyDetail) -> Value {
    Object::new()
        .text("PolicyName", policy.policy_name())
        .text("PolicyId", policy.policy_id())
        .text("Arn", policy.arn())
        .text("Path", policy.path())
        .text("DefaultVersionId", policy.default_version_id())
        .number("AttachmentCount", policy.attachment_count())
        .number("PermissionsBoundaryUsageCount", policy.permissions_boundary_usage_count())
        .flag("IsAttachable", Some(policy.is_attachable()))
        .text("Description", policy.description())
        .time("CreateDate", policy.create_date())
        .time("UpdateDate", policy.update_date())
        .list("PolicyVersionList", policy.policy_version_list(), policy_version_json)
        .build()
}

fn policy_version_json(version: &PolicyVersion) -> Value {
    Object::new()
        .value("Document", version.document().map(encoded_document))
        .text("VersionId", version.version_id())
        .flag("IsDefaultVersion", Some(version.is_default_version()))
        .time("CreateDate", version.create_date())
        .build()
}

fn policy_json(policy: &PolicyDetail) -> Value {
    Object::new()
        .text("PolicyName", policy.policy_name())
        .value("PolicyDocument", policy.policy_document().map(encoded_document))
        .build()
}

fn attached_json(policy: &AttachedPolicy) -> Value {
    Object::new().text("PolicyName", policy.policy_name()).text("PolicyArn", policy.policy_arn()).build()
}

fn boundary_json(boundary: &AttachedPermissionsBoundary) -> Value {
    Object::new()
        .text("PermissionsBoundaryType", boundary.permissions_boundary_type().map(|kind| kind.as_str()))
        .text("PermissionsBoundaryArn", boundary.permissions_boundary_arn())
        .build()
}

fn instance_profile_json(profile: &InstanceProfile) -> Value {
    Object::new()
        .text("Path", Some(profile.path()))
        .text("InstanceProfileName", Some(profile.instance_profile_name()))
        .text("InstanceProfileId", Some(profile.instance_profile_id()))
        .text("Arn", Some(profile.arn()))
        .time("CreateDate", Some(profile.create_date()))
        .list("Roles", profile.roles(), |role| {
            Object::new()
                .text("Path", Some(role.path()))
                .text("RoleName", Some(role.role_name()))
                .text("RoleId", Some(role.role_id()))
                .text("Arn", Some(role.arn()))
                .build()
        })
        .build()
}

fn role_session_json(role: &Role) -> Value {
    Object::new()
        .text("RoleName", Some(role.role_name()))
        .text("Arn", Some(role.arn()))
        .number("MaxSessionDuration", role.max_session_duration())
        .build()
}

fn access_key_json(key: &AccessKeyMetadata) -> Value {
    Object::new()
        .text("UserName", key.user_name())
        .text("AccessKeyId", key.access_key_id().map(masked).as_deref())
        .text("Status", key.status().map(|status| status.as_str()))
        .time("CreateDate", key.create_date())
        .build()
}

fn provider_json(provider: &GetOpenIdConnectProviderOutput) -> Value {
    Object::new()
        .text("Url", provider.url())
        .texts("ClientIDList", provider.client_id_list())
        .texts("ThumbprintList", provider.thumbprint_list())
        .time("CreateDate", provider.create_date())
        .value("Tags", Some(tags!(provider.tags())))
        .build()
}

fn password_policy_json(policy: &PasswordPolicy) -> Value {
    Object::new()
        .number("MinimumPasswordLength", policy.minimum_password_length())
        .flag("RequireSymbols", Some(policy.require_symbols()))
        .flag("RequireNumbers", Some(policy.require_numbers()))
        .flag("RequireUppercaseCharacters", Some(policy.require_uppercase_characters()))
        .flag("RequireLowercaseCharacters", Some(policy.require_lowercase_characters()))
        .flag("AllowUsersToChangePassword", Some(policy.allow_users_to_change_password()))
        .flag("ExpirePasswords", Some(policy.expire_passwords()))
        .number("MaxPasswordAge", policy.max_password_age())
        .number("PasswordReusePrevention", policy.password_reuse_prevention())
        .flag("HardExpiry", policy.hard_expiry())
        .build()
}

fn report_json(report: &GetCredentialReportOutput) -> Value {
    let content = report.content().map(|content| String::from_utf8_lossy(content.as_ref()).into_owned());
    Object::new()
        .text("ReportFormat", report.report_format().map(|format| format.as_str()))
        .time("GeneratedTime", report.generated_time())
        .value("Content", content.as_deref().map(report_rows))
        .build()
}

/// The report's rows under its column names.
fn report_rows(text: &str) -> Value {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let members = columns.iter().zip(report_fields(line, columns.len()));
            Value::Object(members.map(|(name, value)| ((*name).to_owned(), Value::from(value))).collect())
        })
        .collect()
}

/// A row's fields. A user's name may contain commas, which then appear in the first field, the name, and as
/// often in the second, the ARN.
fn report_fields(line: &str, columns: usize) -> Vec<String> {
    let parts: Vec<&str> = line.split(',').map(|part| part.trim_matches('"')).collect();
    let commas = parts.len().saturating_sub(columns) / 2;
    let (name, rest) = parts.split_at((commas + 1).min(parts.len()));
    let (arn, rest) = rest.split_at((commas + 1).min(rest.len()));
    [name.join(","), arn.join(",")].into_iter().chain(rest.iter().map(|part| (*part).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_report_is_kept_as_rows() {
        let text = "user,arn,mfa_active\n<root_account>,arn:aws:iam::111122223333:root,true\n";
        assert_eq!(
            report_rows(text),
            json!([{"user": "<root_account>", "arn": "arn:aws:iam::111122223333:root", "mfa_active": "true"}])
        );
        assert_eq!(report_rows(""), json!([]));
    }

    #[test]
    fn a_user_name_with_commas_does_not_shift_the_report() {
        let text = "user,arn,mfa_active,access_key_1_active\na,b,arn:aws:iam::1:user/a,b,true,false\n";
        assert_eq!(
            report_rows(text),
            json!([{"user": "a,b", "arn": "arn:aws:iam::1:user/a,b", "mfa_active": "true", "access_key_1_active": "false"}])
        );
    }

    #[test]
    fn unused_policies_of_aws_are_left_out_and_the_customers_are_not() {
        let policy =
            |arn: &str, count| ManagedPolicyDetail::builder().arn(arn).attachment_count(count).build();
        assert!(!is_relevant(&policy("arn:aws:iam::aws:policy/ReadOnlyAccess", 0)));
        assert!(is_relevant(&policy("arn:aws:iam::aws:policy/ReadOnlyAccess", 1)));
        assert!(is_relevant(&policy("arn:aws:iam::111122223333:policy/unused", 0)));
    }
}
