//! One line of a VPC flow log.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::format::{FIELDS, Field, Format};
use super::notice::NoticeKind;
use super::record::{FlowAction, FlowKey, FlowParts, FlowSums};

/// More bytes or packets than any interface moves in an aggregation interval: a petabyte.
const IMPLAUSIBLE: u64 = 1 << 50;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A flow.
    Flow {
        key: FlowKey,
        sums: FlowSums,
        /// It ends before it starts.
        skewed: bool,
        /// An address was IPv4-mapped.
        mapped: bool,
    },
    /// No traffic in the interval.
    NoData,
    /// Records were left out.
    SkipData,
    /// No flow, and nothing says whether there was none.
    Unsaid,
}

/// Why a line is not used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) kind: NoticeKind,
    pub(crate) detail: String,
}

impl Rejected {
    fn field(field: Field, text: &[u8]) -> Self {
        let text: String = String::from_utf8_lossy(text).chars().take(64).collect();
        Self { kind: NoticeKind::BadField, detail: format!("{} is `{text}`", field.name()) }
    }
}

/// The fields of a line, each as its bytes; empty where the format has none.
pub(crate) type Fields<'a> = [&'a [u8]; FIELDS];

/// Splits a line by its format.
pub(crate) fn split<'a>(line: &'a [u8], format: &Format) -> Result<Fields<'a>, Rejected> {
    let columns = format.columns();
    // One place more, into which go the columns that are not needed.
    let mut fields: [&[u8]; FIELDS + 1] = [&[]; FIELDS + 1];
    let mut at = 0;
    let mut begin = 0;
    for end in memchr::memchr_iter(b' ', line).chain(std::iter::once(line.len())) {
        if let Some(slot) = columns.get(at).and_then(|place| fields.get_mut(usize::from(*place))) {
            *slot = line.get(begin..end).unwrap_or_default();
        }
        at += 1;
        begin = end + 1;
    }
    if at != columns.len() {
        return Err(Rejected {
            kind: NoticeKind::WrongColumns,
            detail: format!("{at} columns where {} are stated", columns.len()),
        });
    }
    let [needed @ .., _rest] = fields;
    Ok(needed)
}

/// Reads a line by its format.
pub(crate) fn read(line: &[u8], format: &Format) -> Result<Line, Rejected> {
    let fields = split(line, format)?;
    if !format.is_stated() && of(&fields, Field::Version) != b"2" {
        let version =
            String::from_utf8_lossy(of(&fields, Field::Version)).chars().take(16).collect::<String>();
        return Err(Rejected {
            kind: NoticeKind::NoHeader,
            detail: format!("version `{version}` without a header; only version 2 has a default format"),
        });
    }
    match (format.has_status(), of(&fields, Field::Status)) {
        (true, b"OK") => {}
        (true, b"NODATA") => return Ok(Line::NoData),
        (true, b"SKIPDATA") => return Ok(Line::SkipData),
        (true, other) => return Err(Rejected::field(Field::Status, other)),
        (false, _) => {
            let nothing = |field| matches!(of(&fields, field), b"-" | b"");
            if nothing(Field::Source) && nothing(Field::Destination) && nothing(Field::Bytes) {
                return Ok(Line::Unsaid);
            }
        }
    }
    flow(&fields)
}

fn of<'a>(fields: &Fields<'a>, field: Field) -> &'a [u8] {
    fields.get(field as usize).copied().unwrap_or_default()
}

fn flow(fields: &Fields<'_>) -> Result<Line, Rejected> {
    let field = |field| of(fields, field);
    let (source, source_mapped) = address(Field::Source, field(Field::Source))?;
    let (destination, destination_mapped) = address(Field::Destination, field(Field::Destination))?;
    let port = bounded(Field::Port, field(Field::Port))?;
    let protocol = bounded(Field::Protocol, field(Field::Protocol))?;
    let action = match field(Field::Action) {
        b"ACCEPT" => Some(FlowAction::Accept),
        b"REJECT" => Some(FlowAction::Reject),
        b"-" | b"" => None,
        other => return Err(Rejected::field(Field::Action, other)),
    };
    let bytes = amount(Field::Bytes, field(Field::Bytes))?;
    let packets = amount(Field::Packets, field(Field::Packets))?;
    let start = time(Field::Start, field(Field::Start))?;
    let end = time(Field::End, field(Field::End))?;
    let first = start.into_iter().chain(end).min();
    let last = start.into_iter().chain(end).max();
    Ok(Line::Flow {
        key: FlowKey::pack(&FlowParts { source, destination, port, protocol, action }),
        sums: FlowSums::of(bytes, packets, 1, first, last),
        skewed: matches!((start, end), (Some(start), Some(end)) if end < start),
        mapped: source_mapped || destination_mapped,
    })
}

/// A number that a column may leave out.
fn number(text: &[u8]) -> Result<Option<u64>, ()> {
    match text {
        b"-" | b"" => Ok(None),
        digits if digits.len() <= 19 => {
            let mut value = 0_u64;
            for byte in digits {
                if !byte.is_ascii_digit() {
                    return Err(());
                }
                value = value * 10 + u64::from(byte - b'0');
            }
            Ok(Some(value))
        }
        _ => Err(()),
    }
}

fn bounded<T: TryFrom<u64>>(field: Field, text: &[u8]) -> Result<Option<T>, Rejected> {
    let rejected = || Rejected::field(field, text);
    number(text)
        .map_err(|()| rejected())?
        .map(|value| T::try_from(value).map_err(|_out_of_range| rejected()))
        .transpose()
}

fn amount(field: Field, text: &[u8]) -> Result<Option<u64>, Rejected> {
    match number(text) {
        Ok(Some(value)) if value > IMPLAUSIBLE => Err(Rejected::field(field, text)),
        Ok(value) => Ok(value),
        Err(()) => Err(Rejected::field(field, text)),
    }
}

/// Seconds since the epoch, before the year 10000.
fn time(field: Field, text: &[u8]) -> Result<Option<i64>, Rejected> {
    match number(text) {
        Ok(None) => Ok(None),
        Ok(Some(value)) if value < 253_402_300_800 => Ok(i64::try_from(value).ok()),
        _ => Err(Rejected::field(field, text)),
    }
}

/// An address, and whether it was IPv4-mapped.
fn address(field: Field, text: &[u8]) -> Result<(Option<IpAddr>, bool), Rejected> {
    if matches!(text, b"-" | b"") {
        return Ok((None, false));
    }
    parse_address(text)
        .map(|(address, mapped)| (Some(address), mapped))
        .ok_or_else(|| Rejected::field(field, text))
}

/// Reads an address; an IPv4-mapped one (RFC 4291 §2.5.5.2) is the IPv4 address.
pub(crate) fn parse_address(text: &[u8]) -> Option<(IpAddr, bool)> {
    if let Some(v4) = dotted(text) {
        return Some((IpAddr::V4(v4), false));
    }
    let v6: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(match v6.to_ipv4_mapped() {
        Some(v4) => (IpAddr::V4(v4), true),
        None => (IpAddr::V6(v6), false),
    })
}

/// Four numbers below 256 without leading zeros, between dots.
fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    let mut bits = 0_u32;
    let mut part = 0_u32;
    let (mut digits, mut dots) = (0_u32, 0_u32);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                if digits > 0 && part == 0 {
                    return None;
                }
                part = part * 10 + u32::from(byte - b'0');
                digits += 1;
                if part > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && dots < 3 => {
                bits = bits << 8 | part;
                (part, digits) = (0, 0);
                dots += 1;
            }
            _ => return None,
        }
    }
    (digits > 0 && dots == 3).then(|| Ipv4Addr::from_bits(bits << 8 | part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn default(line: &str) -> Result<Line, Rejected> {
        read(line.as_bytes(), &Format::default_format())
    }

    #[track_caller]
    fn rejected(line: &str, kind: NoticeKind, detail: &str) {
        let rejected = default(line).unwrap_err();
        assert_eq!(rejected.kind, kind, "{}", rejected.detail);
        assert!(rejected.detail.contains(detail), "{}", rejected.detail);
    }

    #[test]
    fn a_record_of_version_2_is_read() {
        let line = default(
            "2 111122223333 eni-1 10.0.1.5 10.0.0.220 39812 9092 6 20 4249 1418530010 1418530070 REJECT OK",
        );
        let Ok(Line::Flow { key, sums, skewed: false, mapped: false }) = line else { panic!("{line:?}") };
        let parts = key.unpack();
        assert_eq!(parts.source, Some("10.0.1.5".parse().unwrap()));
        assert_eq!(
            (parts.port, parts.protocol, parts.action),
            (Some(9_092), Some(6), Some(FlowAction::Reject))
        );
        assert_eq!((sums.bytes(), sums.packets(), sums.flows()), (Some(4_249), Some(20), 1));
        assert_eq!((sums.first(), sums.last()), (Some(1_418_530_010), Some(1_418_530_070)));
    }

    #[test]
    fn gaps_are_no_flows() {
        assert_eq!(default("2 1 eni-1 - - - - - - - 1431280876 1431280934 - NODATA"), Ok(Line::NoData));
        assert_eq!(default("2 1 eni-1 - - - - - - - 1431280876 1431280934 - SKIPDATA"), Ok(Line::SkipData));
        let unsaid = Format::header(b"srcaddr dstaddr bytes").unwrap();
        assert_eq!(read(b"- - -", &unsaid), Ok(Line::Unsaid));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        rejected("2 1 eni-1 10.0.1.5 10.0.0.220 39812", NoticeKind::WrongColumns, "6 columns where 14");
        rejected("3 1 e 10.0.1.5 10.0.0.2 1 2 6 20 4249 1 2 ACCEPT OK", NoticeKind::NoHeader, "version `3`");
        rejected(
            "2 1 e 10.0.1.500 10.0.0.2 1 2 6 20 4249 1 2 ACCEPT OK",
            NoticeKind::BadField,
            "srcaddr is `10.0.1.500`",
        );
        rejected("2 1 e 10.0.1.5 10.0.0.2 1 65536 6 20 4249 1 2 ACCEPT OK", NoticeKind::BadField, "dstport");
        rejected("2 1 e 10.0.1.5 10.0.0.2 1 2 256 20 4249 1 2 ACCEPT OK", NoticeKind::BadField, "protocol");
        rejected("2 1 e 10.0.1.5 10.0.0.2 1 2 6 20 -1 1 2 ACCEPT OK", NoticeKind::BadField, "bytes is `-1`");
        rejected(
            "2 1 e 10.0.1.5 10.0.0.2 1 2 6 20 99999999999999999999 1 2 ACCEPT OK",
            NoticeKind::BadField,
            "bytes",
        );
        rejected(
            "2 1 e 10.0.1.5 10.0.0.2 1 2 6 20 4 1 2 accept OK",
            NoticeKind::BadField,
            "action is `accept`",
        );
        rejected("2 1 e 10.0.1.5 10.0.0.2 1 2 6 20 4 1 2 ACCEPT ok", NoticeKind::BadField, "log-status");
    }

    #[test]
    fn a_mapped_address_is_the_address_and_a_skewed_time_spans_both() {
        let line = default("2 1 e ::ffff:10.0.1.5 2001:db8::1 1 2 6 20 4 90 30 ACCEPT OK");
        let Ok(Line::Flow { key, sums, skewed: true, mapped: true }) = line else { panic!("{line:?}") };
        assert_eq!(key.unpack().source, Some("10.0.1.5".parse().unwrap()));
        assert_eq!((sums.first(), sums.last()), (Some(30), Some(90)));
    }

    proptest! {
        #[test]
        fn dotted_addresses_are_read_as_the_standard_library_reads_them(
            text in "([0-9]{1,3}\\.){3}[0-9]{1,3}|[0-9.]{0,16}"
        ) {
            prop_assert_eq!(dotted(text.as_bytes()), text.parse::<Ipv4Addr>().ok());
        }

        #[test]
        fn no_line_is_too_hostile(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _either = read(&line, &Format::default_format());
        }
    }
}
