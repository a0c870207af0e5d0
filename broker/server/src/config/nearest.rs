//! Finds the known name that an unknown one was probably meant to be.

/// The candidate closest to `name`, when it is close enough to be a likely slip.
pub(crate) fn nearest<'name>(name: &str, candidates: impl Iterator<Item = &'name str>) -> Option<&'name str> {
    let limit = (name.chars().count() / 3).clamp(1, 5);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's edit distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut previous = index + 1;
        let mut next = vec![previous];
        for (&to, &above) in right.iter().zip(row.iter().skip(1)) {
            previous = (diagonal + usize::from(from != to)).min(above + 1).min(previous + 1);
            diagonal = above;
            next.push(previous);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let known = ["listeners", "log.dirs", "log.dir", "super.users", "advertised.listeners"];
        assert_eq!(nearest(name, known.into_iter()), expected);
    }

    #[test]
    fn a_slip_finds_what_was_meant() {
        check("listener", Some("listeners"));
        check("log.drs", Some("log.dirs"));
        check("super.user", Some("super.users"));
        check("advertized.listeners", Some("advertised.listeners"));
        check("zookeeper.connect", None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
