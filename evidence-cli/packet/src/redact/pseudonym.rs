//! Pseudonyms: keyed, consistent, and of the same shape as what they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::hmac;

use super::leak::Searcher;
use super::rules::RulesError;
use super::values::{Kind, QUALIFIERS, Values};

/// How often another pseudonym is tried when one is taken.
const TRIES: u32 = 10_000;

/// Every text with what stands for it, in lower case.
pub(crate) type Pseudonyms = BTreeMap<String, String>;

/// Gives every value its pseudonym.
pub(crate) fn assign(values: &Values, key: &[u8; 32]) -> Result<Pseudonyms, RulesError> {
    let originals: Vec<String> =
        values.by_text.keys().cloned().chain(values.addresses.values().flatten().cloned()).collect();
    let maker = Maker {
        key: hmac::Key::new(hmac::HMAC_SHA256, key),
        originals: Searcher::new(&originals).filter(|_| !originals.is_empty()),
    };
    let mut taken = BTreeSet::new();
    let mut pseudonyms = Pseudonyms::new();
    for (text, kind) in &values.by_text {
        let pseudonym = maker.first_free(text, &mut taken, |attempt| match kind {
            Kind::Account if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                maker.shaped("account", text, attempt, true)
            }
            _ => maker.shaped(kind.plural(), text, attempt, false),
        })?;
        pseudonyms.insert(text.clone(), pseudonym);
    }
    for text in &values.qualified {
        let qualifier =
            QUALIFIERS.iter().find(|qualifier| text.starts_with(**qualifier)).copied().unwrap_or_default();
        let name = text.get(qualifier.len()..).unwrap_or_default();
        // A part that has a pseudonym of its own keeps it, so that both forms tell of the same principal.
        let part = |part: &str, attempt| {
            let own = pseudonyms.get(part).cloned();
            own.unwrap_or_else(|| maker.shaped("principals", part, attempt, false))
        };
        let whole = |attempt| {
            let parts: Vec<String> = name.split('/').map(|text| part(text, attempt)).collect();
            format!("{qualifier}{}", parts.join("/"))
        };
        let pseudonym = maker.first_free(text, &mut taken, whole)?;
        pseudonyms.insert(text.clone(), pseudonym);
    }
    for (address, spellings) in &values.addresses {
        let canonical = address.to_string();
        let pseudonym =
            maker.first_free(&canonical, &mut taken, |attempt| maker.address(*address, attempt))?;
        for spelling in spellings {
            pseudonyms.insert(spelling.clone(), pseudonym.clone());
        }
        if address.is_ipv4() {
            pseudonyms.insert(canonical.replace('.', "-"), pseudonym.replace('.', "-"));
        }
    }
    Ok(pseudonyms)
}

struct Maker {
    key: hmac::Key,
    originals: Option<Searcher>,
}

impl Maker {
    fn first_free(
        &self,
        text: &str,
        taken: &mut BTreeSet<String>,
        candidate: impl Fn(u32) -> String,
    ) -> Result<String, RulesError> {
        let free = |candidate: &String| {
            candidate != text
                && !self.originals.as_ref().is_some_and(|originals| originals.holds(candidate))
                && !taken.contains(candidate)
        };
        let found = (0..TRIES).map(candidate).find(free);
        let found = found.ok_or_else(|| RulesError::Exhausted(text.chars().count()))?;
        taken.insert(found.clone());
        Ok(found)
    }

    fn bytes(&self, domain: &str, text: &str, attempt: u32, block: u32) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in
            [domain.as_bytes(), &[0], text.as_bytes(), &[0], &attempt.to_be_bytes(), &block.to_be_bytes()]
        {
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(context.sign().as_ref()).for_each(|(byte, random)| *byte = *random);
        bytes
    }

    /// Letters for letters, digits for digits, everything else as it is.
    fn shaped(&self, domain: &str, text: &str, attempt: u32, no_leading_zero: bool) -> String {
        let hexadecimal = text.len() >= 32 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let random = (0_u32..).flat_map(|block| self.bytes(domain, text, attempt, block));
        // Two bytes for each character keep the choice even enough that nothing can be read from it.
        let pairs = random.scan(None, |held: &mut Option<u8>, byte| match held.take() {
            None => {
                *held = Some(byte);
                Some(None)
            }
            Some(first) => Some(Some(u16::from_be_bytes([first, byte]))),
        });
        text.chars()
            .zip(pairs.flatten())
            .enumerate()
            .map(|(index, (character, random))| {
                let pick = |alphabet: &[u8]| {
                    let place = usize::from(random) % alphabet.len().max(1);
                    alphabet.get(place).map_or('x', |byte| char::from(*byte))
                };
                match character {
                    _ if hexadecimal && character != '-' => pick(b"0123456789abcdef"),
                    '0'..='9' if index == 0 && no_leading_zero => pick(b"123456789"),
                    '0'..='9' => pick(b"0123456789"),
                    'a'..='z' => pick(b"abcdefghijklmnopqrstuvwxyz"),
                    _ if character.is_alphanumeric() => pick(b"abcdefghijklmnopqrstuvwxyz"),
                    _ => character,
                }
            })
            .collect()
    }

    /// An address of the documentation ranges (RFC 5737, RFC 3849), or of the benchmarking range (RFC 2544)
    /// once those are used up.
    fn address(&self, address: IpAddr, attempt: u32) -> String {
        let [a, b, c, d, e, f, ..] = self.bytes("address", &address.to_string(), attempt, 0);
        match address {
            IpAddr::V6(_) => {
                let six = |high, low| u16::from_be_bytes([high, low]);
                Ipv6Addr::new(0x2001, 0xdb8, six(a, b), six(c, d), 0, 0, 0, six(e, f) | 1).to_string()
            }
            IpAddr::V4(_) if attempt < 64 => {
                let [x, y, z] = match a % 3 {
                    0 => [192, 0, 2],
                    1 => [198, 51, 100],
                    _ => [203, 0, 113],
                };
                Ipv4Addr::new(x, y, z, d).to_string()
            }
            IpAddr::V4(_) => Ipv4Addr::new(198, 18 + b % 2, c, d).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::rules::Rules;

    fn assigned(yaml: &str, text: &str, key: u8) -> Pseudonyms {
        let rules = Rules::from_yaml(&format!("schema: cadastre/redaction-rules/v1\n{yaml}")).unwrap();
        let mut values = Values::new(&rules).unwrap();
        values.collect(&rules, text).unwrap();
        assign(&values, &[key; 32]).unwrap()
    }

    #[test]
    fn shapes_survive_and_keys_decide() {
        let yaml = "accounts: all\nnames: ['Payments-Prod/07 é']\naddresses: all";
        let text = "111122223333 10.0.1.5 2001:db8:77::9";
        let one = assigned(yaml, text, 1);
        assert_eq!(one, assigned(yaml, text, 1));
        assert_ne!(one, assigned(yaml, text, 2));
        let account = &one["111122223333"];
        assert!(
            account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && !account.starts_with('0')
        );
        let name = &one["payments-prod/07 é"];
        assert!(regex::Regex::new("^[a-z]{8}-[a-z]{4}/[0-9]{2} [a-z]$").unwrap().is_match(name), "{name}");
        let address: Ipv4Addr = one["10.0.1.5"].parse().unwrap();
        assert!(address.is_documentation());
        assert_eq!(one["10-0-1-5"], one["10.0.1.5"].replace('.', "-"));
        assert!(one["2001:db8:77::9"].starts_with("2001:db8:"));
    }

    #[test]
    fn no_two_values_share_a_pseudonym_and_none_is_an_original() {
        let text: String = (0..1_000_u32).map(|n| format!("203.0.{}.{} ", n / 250, n % 250)).collect();
        let assigned = assigned("addresses: all", &text, 1);
        let distinct: BTreeSet<&String> = assigned.values().collect();
        assert_eq!(distinct.len(), assigned.len());
        assert!(distinct.iter().all(|pseudonym| !assigned.contains_key(*pseudonym)));
    }
}
