//! Whether a partition is to be cleaned, and how far.

/// Consecutive batches of a partition, summed up: an object's share, or one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset after the last record.
    pub end_offset: i64,
    /// Bytes of its batches.
    pub bytes: u64,
    /// The latest timestamp, milliseconds since the epoch.
    pub maximum_timestamp: i64,
    /// When the first batch was appended, milliseconds since the epoch.
    pub first_appended_at_ms: i64,
}

/// A topic's settings for compaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleaningRules {
    /// `min.cleanable.dirty.ratio`: clean when this share of the bytes was never cleaned.
    pub minimum_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: younger records are left alone.
    pub minimum_lag_ms: i64,
    /// `max.compaction.lag.ms`: with an older record that was never cleaned, clean whatever the ratio.
    pub maximum_lag_ms: i64,
    /// `delete.retention.ms`: how long tombstones and markers stay after they were cleaned up to.
    pub delete_retention_ms: i64,
}

impl Default for CleaningRules {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            minimum_dirty_ratio: 0.5,
            minimum_lag_ms: 0,
            maximum_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 60 * 60 * 1000,
        }
    }
}

/// What to clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleaningPlan {
    /// Records from here on were never cleaned.
    pub dirty_from: i64,
    /// Records from here on are left alone.
    pub clean_to: i64,
}

impl CleaningRules {
    /// Decides over the extents of a partition, in order. `cleaned_to` is how far an earlier pass came;
    /// `stable_to` bounds what may be cleaned: the last stable offset, and what is in objects.
    #[must_use]
    pub fn plan(
        &self,
        extents: &[Extent],
        cleaned_to: i64,
        stable_to: i64,
        now_ms: i64,
    ) -> Option<CleaningPlan> {
        let dirty_from = cleaned_to.max(extents.first()?.base_offset);
        let mut clean_to = dirty_from;
        let (mut clean_bytes, mut dirty_bytes) = (0u64, 0u64);
        let mut oldest = None;
        for extent in extents {
            if extent.end_offset <= dirty_from {
                clean_bytes = clean_bytes.saturating_add(extent.bytes);
                continue;
            }
            let young = self.minimum_lag_ms > 0
                && extent.maximum_timestamp > now_ms.saturating_sub(self.minimum_lag_ms);
            if young || extent.end_offset > stable_to {
                break;
            }
            oldest.get_or_insert(extent.first_appended_at_ms);
            dirty_bytes = dirty_bytes.saturating_add(extent.bytes);
            clean_to = extent.end_offset;
        }
        let oldest = oldest?;
        let overdue = now_ms.saturating_sub(oldest) > self.maximum_lag_ms;
        #[expect(clippy::cast_precision_loss, reason = "a ratio of byte counts needs no more precision")]
        let ratio = dirty_bytes as f64 / clean_bytes.saturating_add(dirty_bytes).max(1) as f64;
        (overdue || ratio >= self.minimum_dirty_ratio).then_some(CleaningPlan { dirty_from, clean_to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents() -> Vec<Extent> {
        [(0, 10, 100), (10, 20, 200), (20, 30, 300)]
            .map(|(base_offset, end_offset, time)| Extent {
                base_offset,
                end_offset,
                bytes: 1000,
                maximum_timestamp: time,
                first_appended_at_ms: time,
            })
            .into()
    }

    #[track_caller]
    fn check(rules: CleaningRules, cleaned_to: i64, stable_to: i64, expected: Option<(i64, i64)>) {
        let plan = rules.plan(&extents(), cleaned_to, stable_to, 310);
        assert_eq!(plan.map(|plan| (plan.dirty_from, plan.clean_to)), expected);
    }

    #[test]
    fn enough_dirt_or_age_starts_a_pass_and_lag_and_stability_bound_it() {
        let rules = CleaningRules::default();
        check(rules, 0, 30, Some((0, 30)));
        check(rules, 10, 30, Some((10, 30)));
        check(rules, 20, 30, None);
        check(rules, 30, 30, None);
        check(rules, 0, 29, Some((0, 20)));
        check(rules, 10, 10, None);
        check(CleaningRules { minimum_lag_ms: 50, ..rules }, 0, 30, Some((0, 20)));
        check(CleaningRules { minimum_lag_ms: 500, ..rules }, 0, 30, None);
        check(CleaningRules { maximum_lag_ms: 5, ..rules }, 20, 30, Some((20, 30)));
        check(CleaningRules { minimum_dirty_ratio: 0.7, ..rules }, 10, 30, None);
        assert_eq!(rules.plan(&[], 0, 30, 310), None);
    }
}
