//! What connecting to an endpoint showed, and what an identity without permission could do.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::kafka::{Certificate, DenialProbe};
use cadastre_model::{Known, Outcome};

use crate::answers::{Answer, Series};
use crate::kafka::clusters::Asking;
use crate::node::{Node, Read};
use crate::reader::{Pages, not_asked};

const TLS: &str = "probe:TlsHandshake";
const PLAINTEXT: &str = "probe:PlaintextConnection";
const ANONYMOUS: &str = "probe:AnonymousConnection";
const DENIED: &str = "probe:DeniedOperation";
const UNAUTHENTICATED: &str = "probe:UnauthenticatedOperation";

const VERSIONS: [&str; 4] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const TRANSPORTS: [&str; 2] = ["plaintext", "tls"];

/// All probes of endpoints.
pub(crate) const OF_ENDPOINTS: [&str; 3] = [TLS, PLAINTEXT, ANONYMOUS];

/// What the TLS handshakes with an endpoint showed.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) versions: Known<Vec<String>>,
    pub(crate) cipher_suites: Vec<String>,
    pub(crate) certificates: Known<Vec<Certificate>>,
}

/// Whether a client without credentials is served, by any transport.
pub(crate) fn anonymous_access(
    asking: &mut Asking<'_, '_>,
    endpoint: &str,
    evidence: &mut EvidenceIds,
) -> Known<bool> {
    let mut missing = None;
    for transport in TRANSPORTS {
        let answer = asking.reader.answers.within(ANONYMOUS, asking.scope, endpoint);
        let series = answer.and_then(|answer| answer.asked_with("transport", transport));
        let served = asking
            .reader
            .known_from(ANONYMOUS, series, evidence, |pages| pages.only()?.boolean("served").map(Some));
        match served {
            Known::Observed(true) => return Known::Observed(true),
            Known::Observed(false) => {}
            Known::Absent => missing = Some(format!("{ANONYMOUS} found nothing")),
            Known::Unknown(why) => missing = Some(why),
        }
    }
    missing.map_or(Known::Observed(false), Known::Unknown)
}

/// Whether Kafka is spoken without TLS.
pub(crate) fn plaintext(
    asking: &mut Asking<'_, '_>,
    endpoint: &str,
    evidence: &mut EvidenceIds,
) -> Known<bool> {
    asking.reader.known_within(PLAINTEXT, asking.scope, endpoint, evidence, |pages| {
        pages.only()?.boolean("speaks_kafka").map(Some)
    })
}

/// One handshake, for one version.
#[derive(Debug)]
struct Handshake {
    accepted: bool,
    /// Whether anything in the answer shows that TLS is spoken at all.
    speaks_tls: bool,
    cipher_suites: Vec<String>,
    /// Absent where the answer shows none.
    certificates: Known<Vec<Certificate>>,
}

/// What the endpoint negotiates, over the handshakes for all versions.
pub(crate) fn tls(asking: &mut Asking<'_, '_>, endpoint: &str, evidence: &mut EvidenceIds) -> Tls {
    let mut accepted = Vec::new();
    let mut cipher_suites = BTreeSet::new();
    let mut certificates = Known::Absent;
    let mut speaks_tls = false;
    let mut missing = None;
    for version in VERSIONS {
        let answer = asking.reader.answers.within(TLS, asking.scope, endpoint);
        let series = answer.and_then(|answer| answer.asked_with("tls_version", version));
        let handshake = asking.reader.known_from(TLS, series, evidence, handshake);
        match handshake {
            Known::Observed(handshake) => {
                speaks_tls |= handshake.speaks_tls;
                cipher_suites.extend(handshake.cipher_suites);
                if handshake.accepted {
                    accepted.push(version.to_owned());
                }
                if handshake.certificates != Known::Absent {
                    certificates = handshake.certificates;
                }
            }
            Known::Absent => missing = Some(format!("{TLS} found nothing for {version}")),
            Known::Unknown(why) => missing = Some(format!("{why} ({version})")),
        }
    }
    let certificates = match (certificates, &missing) {
        (Known::Absent, Some(missing)) => Known::Unknown(missing.clone()),
        (Known::Absent, None) if speaks_tls => Known::Unknown(format!("{TLS} shows no certificate")),
        (certificates, _) => certificates,
    };
    let versions = match missing {
        Some(missing) => Known::Unknown(missing),
        None if speaks_tls => Known::Observed(accepted),
        None => Known::Absent,
    };
    Tls { versions, cipher_suites: cipher_suites.into_iter().collect(), certificates }
}

fn handshake(pages: &Pages<'_>) -> Read<Option<Handshake>> {
    let answer = pages.only()?;
    let accepted = answer.boolean("accepted")?;
    let mut cipher_suites = answer.optional_texts("cipher_suites")?;
    cipher_suites.extend(answer.optional_texts("weak_cipher_suites")?);
    let trusted = match answer.optional_boolean("trusted")? {
        Some(trusted) => Known::Observed(trusted),
        None => Known::Unknown("no authorities were given to check the chain against".to_owned()),
    };
    let certificates = certificates(answer, &trusted)?;
    let ended = answer.optional_text("ended")?;
    let speaks_tls = accepted
        || answer.optional_text("alert")?.is_some()
        || matches!(ended, Some("alert" | "other-version"));
    Ok(Some(Handshake { accepted, speaks_tls, cipher_suites, certificates }))
}

/// The chain; a certificate that the collector could not parse has a fingerprint and nothing else.
fn certificates(answer: &Node<'_>, trusted: &Known<bool>) -> Read<Known<Vec<Certificate>>> {
    let mut chain = Vec::new();
    for item in answer.optional_list("certificates")? {
        if item.optional_text("subject")?.is_none() {
            let fingerprint = item.text("fingerprint")?;
            return Ok(Known::Unknown(format!("{TLS} shows a certificate that is none: `{fingerprint}`")));
        }
        chain.push(certificate(&item, trusted)?);
    }
    Ok(if chain.is_empty() { Known::Absent } else { Known::Observed(chain) })
}

fn certificate(certificate: &Node<'_>, trusted: &Known<bool>) -> Read<Certificate> {
    Ok(Certificate {
        subject: certificate.owned_text("subject")?,
        issuer: certificate.owned_text("issuer")?,
        names: certificate.texts("names")?,
        not_before: certificate.time("not_before")?,
        not_after: certificate.time("not_after")?,
        fingerprint: certificate.owned_text("fingerprint")?,
        self_signed: certificate.boolean("self_signed")?,
        trusted: trusted.clone(),
    })
}

/// Reads what operations that must be refused ended with.
pub(crate) fn denials(asking: &mut Asking<'_, '_>) -> Vec<DenialProbe> {
    let answers = asking.reader.answers;
    let mut denials: BTreeMap<(String, String, String, &str), DenialProbe> = BTreeMap::new();
    for operation in [DENIED, UNAUTHENTICATED] {
        for answer in answers.in_scope(operation, asking.scope) {
            for series in newest_by_operation(answer) {
                let Some(denial) = denial(asking, operation, series) else { continue };
                asking.evidence.extend(denial.evidence.iter().cloned());
                let key = (
                    denial.principal.clone(),
                    denial.operation.clone(),
                    denial.resource.clone(),
                    answer.subject,
                );
                denials.insert(key, denial);
            }
        }
    }
    denials.into_values().collect()
}

/// The resource that is tried differs from scan to scan, so the newest try of each operation counts.
fn newest_by_operation<'s, 'a>(answer: &'s Answer<'a>) -> impl Iterator<Item = &'s Series<'a>> {
    let mut newest = BTreeMap::new();
    for series in &answer.series {
        newest.insert(series.request.get("operation").map(ToString::to_string), series);
    }
    newest.into_values()
}

fn denial(asking: &mut Asking<'_, '_>, probe: &str, series: &Series<'_>) -> Option<DenialProbe> {
    let record = series.records.last()?;
    let request = Node::request(record);
    let named = request
        .owned_text("operation")
        .and_then(|operation| Ok((operation, request.owned_text("resource")?)));
    let (operation, resource) = match named {
        Ok(named) => named,
        Err(defect) => {
            asking.reader.reject(defect);
            return None;
        }
    };
    let refused = match (series.outcome, series.pages.first()) {
        (Outcome::Observed, Some(page)) => {
            let refused = Node::response(page).boolean("refused").map(Some);
            asking.reader.settle(refused)
        }
        (Outcome::Observed, None) => Known::Unknown(not_asked(probe)),
        _ => Known::Unknown(series.missing(probe)),
    };
    let principal = if probe == UNAUTHENTICATED || record.caller.is_empty() {
        "ANONYMOUS".to_owned()
    } else {
        record.caller.clone()
    };
    let evidence = series.records.iter().map(|record| record.id().clone()).collect();
    Some(DenialProbe { principal, operation, resource, refused, evidence })
}
