//! Amazon resource names, as far as decisions need them.

/// The account of an ARN: its fifth part, where it is twelve digits.
pub(crate) fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|part| is_account(part))
}

/// The resource of an ARN: everything after the fifth colon.
pub(crate) fn resource(arn: &str) -> Option<&str> {
    arn.splitn(6, ':').nth(5)
}

/// Whether a text is an account id: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The role name and session name of an assumed-role ARN of STS.
pub(crate) fn session(arn: &str) -> Option<(&str, &str)> {
    if arn.split(':').nth(2) != Some("sts") {
        return None;
    }
    resource(arn)?.strip_prefix("assumed-role/")?.split_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_by_their_place() {
        assert_eq!(account("arn:aws:iam::111122223333:role/a"), Some("111122223333"));
        assert_eq!(account("arn:aws:s3:::bucket"), None);
        assert_eq!(resource("arn:aws:iam::111122223333:role/a:b"), Some("role/a:b"));
        assert_eq!(session("arn:aws:sts::111122223333:assumed-role/reader/scan"), Some(("reader", "scan")));
        assert_eq!(session("arn:aws:iam::111122223333:role/reader/scan"), None);
    }
}
