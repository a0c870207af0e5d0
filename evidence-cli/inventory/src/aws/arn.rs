//! Amazon Resource Names, taken apart.

/// The parts of `arn:partition:service:region:account:resource` ("Amazon Resource Names", IAM User Guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        let (_partition, _service) = (parts.next()?, parts.next()?);
        Some(Self { region: parts.next()?, account: parts.next()?, resource: parts.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_keeps_its_colons() {
        let arn = Arn::parse("arn:aws:logs:eu-central-1:111122223333:log-group:/a:*");
        let expected = Arn { region: "eu-central-1", account: "111122223333", resource: "log-group:/a:*" };
        assert_eq!(arn, Some(expected));
        assert_eq!(Arn::parse("arn:aws:s3"), None);
        assert_eq!(Arn::parse("alias/a"), None);
    }
}
