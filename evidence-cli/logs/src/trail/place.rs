//! Where CloudTrail puts its files, and what their names say.
//!
//! `[prefix/]AWSLogs/[o-…/]ACCOUNT/CloudTrail-Digest/REGION/YYYY/MM/DD/`
//! `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_YYYYMMDDTHHMMSSZ[_backfill].json.gz` for digests, and
//! `…/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_UNIQUE.json.gz` for log files
//! (AWS CloudTrail user guide, "CloudTrail digest file structure" and "CloudTrail log file name format").

use cadastre_model::Timestamp;

/// The folder of digests.
const DIGESTS: &str = "CloudTrail-Digest";

/// What ends the name of a file that keeps a digest object's metadata.
pub(crate) const METADATA_SUFFIX: &str = ".metadata.json";

/// One chain of digests: one account's, in one region, of one trail. Backfill digests form a chain of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChainName {
    pub(crate) organization: Option<String>,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) trail: String,
    pub(crate) home_region: String,
    pub(crate) backfill: bool,
}

/// What a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A digest.
    Digest {
        chain: ChainName,
        /// The end of its hour, by its name, in seconds since the epoch.
        end: i64,
    },
    /// Among digests, and not named or placed as one.
    NoDigest,
    /// A log file.
    Log(LogPlace),
    /// Anything else.
    Other,
}

/// A log file's place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogPlace {
    /// The account whose folder it is in; empty where the directory begins below it.
    pub(crate) account: String,
    pub(crate) region: String,
    /// `CloudTrail`, `CloudTrail-Insight` and the like.
    pub(crate) service: String,
    /// When it was delivered, by its name, in seconds since the epoch.
    pub(crate) delivered: Option<i64>,
}

/// Says what a path stands for.
pub(crate) fn classify(path: &str) -> Place {
    let segments: Vec<&str> = path.split('/').collect();
    let Some(file) = segments.last().copied().filter(|file| file.ends_with(".json.gz")) else {
        return Place::Other;
    };
    let from_end = |n: usize| segments.len().checked_sub(n).and_then(|at| segments.get(at)).copied();
    let among_digests = segments.contains(&DIGESTS);
    let (Some(service), Some(region)) = (from_end(6), from_end(5)) else {
        return if among_digests { Place::NoDigest } else { Place::Other };
    };
    let date: String = [from_end(4), from_end(3), from_end(2)].into_iter().flatten().collect();
    let dated = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    let account = from_end(7).filter(|account| *account != "AWSLogs");
    if service == DIGESTS {
        let placed = dated.then(|| digest_name(file)).flatten().filter(|(chain, stamp, _)| {
            chain.region == region
                && stamp.starts_with(&date)
                && account.is_none_or(|account| account == chain.account)
        });
        return match placed {
            Some((mut chain, _, end)) => {
                chain.organization = from_end(8).filter(|name| name.starts_with("o-")).map(str::to_owned);
                Place::Digest { chain, end }
            }
            None => Place::NoDigest,
        };
    }
    if among_digests {
        return Place::NoDigest;
    }
    if dated && (service == "CloudTrail" || service.starts_with("CloudTrail-")) {
        return Place::Log(LogPlace {
            account: account.unwrap_or_default().to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            delivered: delivered(file),
        });
    }
    Place::Other
}

/// The parts of a digest's name: chain, time stamp as text, end in seconds.
fn digest_name(file: &str) -> Option<(ChainName, &str, i64)> {
    let name = file.strip_suffix(".json.gz")?;
    let (name, backfill) = name.strip_suffix("_backfill").map_or((name, false), |name| (name, true));
    let (account, rest) = name.split_once("_CloudTrail-Digest_")?;
    let (region, rest) = rest.split_once('_')?;
    let (rest, stamp) = rest.rsplit_once('_')?;
    let (trail, home_region) = rest.rsplit_once('_')?;
    let end = stamp_seconds(stamp)?;
    let chain = ChainName {
        organization: None,
        account: account.to_owned(),
        region: region.to_owned(),
        trail: trail.to_owned(),
        home_region: home_region.to_owned(),
        backfill,
    };
    Some((chain, stamp, end))
}

/// When a log file was delivered, by its name.
fn delivered(file: &str) -> Option<i64> {
    let (rest, _unique) = file.strip_suffix(".json.gz")?.rsplit_once('_')?;
    stamp_seconds(rest.rsplit('_').next()?)
}

/// `YYYYMMDDTHHMMSSZ` or `YYYYMMDDTHHmmZ` in seconds since the epoch.
fn stamp_seconds(stamp: &str) -> Option<i64> {
    let stamp = stamp.strip_suffix('Z')?;
    let (date, time) = stamp.split_once('T')?;
    if date.len() != 8 || !(time.len() == 6 || time.len() == 4) || !(date.is_ascii() && time.is_ascii()) {
        return None;
    }
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        date.get(..4)?,
        date.get(4..6)?,
        date.get(6..8)?,
        time.get(..2)?,
        time.get(2..4)?,
        time.get(4..6).unwrap_or("00")
    );
    text.parse::<Timestamp>().ok().map(Timestamp::seconds)
}

/// Whether a file at `path`, relative to some folder of a bucket, can be the object `key`.
pub(crate) fn is_object(path: &str, key: &str) -> bool {
    path == key
        || path.strip_suffix(key).is_some_and(|rest| rest.ends_with('/'))
        || key.strip_suffix(path).is_some_and(|rest| rest.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-2/2026/03/01/111122223333_CloudTrail-Digest_us-east-2_my_trail_eu-west-1_20260301T100000Z";

    fn chain(backfill: bool, organization: Option<&str>) -> ChainName {
        ChainName {
            organization: organization.map(str::to_owned),
            account: "111122223333".to_owned(),
            region: "us-east-2".to_owned(),
            trail: "my_trail".to_owned(),
            home_region: "eu-west-1".to_owned(),
            backfill,
        }
    }

    #[test]
    fn a_digest_is_known_by_its_path() {
        let end = 1_772_359_200;
        for (path, expected) in [
            (format!("{DIGEST}.json.gz"), chain(false, None)),
            (format!("{DIGEST}_backfill.json.gz"), chain(true, None)),
            (format!("bucket/prefix/{DIGEST}.json.gz"), chain(false, None)),
            (format!("{DIGEST}.json.gz").replace("AWSLogs/", "AWSLogs/o-abc/"), chain(false, Some("o-abc"))),
            (format!("{DIGEST}.json.gz").replace("AWSLogs/111122223333/", ""), chain(false, None)),
        ] {
            assert_eq!(classify(&path), Place::Digest { chain: expected, end }, "{path}");
        }
    }

    #[test]
    fn a_digest_in_another_ones_folder_is_none() {
        for (from, to) in [
            ("Digest/us-east-2", "Digest/us-east-1"),
            ("2026/03/01", "2026/03/02"),
            ("AWSLogs/111122223333", "AWSLogs/444455556666"),
            ("T100000Z", "T10Z"),
            ("/2026/", "/"),
        ] {
            let path = format!("{DIGEST}.json.gz").replacen(from, to, 1);
            assert_eq!(classify(&path), Place::NoDigest, "{path}");
        }
    }

    #[test]
    fn a_log_file_is_known_by_its_path_and_nothing_else_is() {
        let path = "AWSLogs/111122223333/CloudTrail/us-east-2/2026/03/01/111122223333_CloudTrail_us-east-2_20260301T0955Z_a1B2.json.gz";
        let Place::Log(log) = classify(path) else { panic!("no log file") };
        assert_eq!((log.account.as_str(), log.region.as_str()), ("111122223333", "us-east-2"));
        assert_eq!(log.delivered, Some(1_772_358_900));
        for other in [
            "AWSLogs/111122223333/Config/us-east-2/2026/03/01/x.json.gz",
            "AWSLogs/111122223333/CloudTrail/us-east-2/2026/03/01/notes.txt",
            "x.json.gz",
        ] {
            assert_eq!(classify(other), Place::Other, "{other}");
        }
    }

    #[test]
    fn a_path_is_an_object_when_one_ends_with_the_other() {
        for (path, key, expected) in [
            ("a/b/c", "a/b/c", true),
            ("bucket/a/b/c", "a/b/c", true),
            ("b/c", "a/b/c", true),
            ("xa/b/c", "a/b/c", false),
            ("a/b/d", "a/b/c", false),
        ] {
            assert_eq!(is_object(path, key), expected, "{path} {key}");
        }
    }
}
