//! `UpdateFeatures` (KIP-584): every feature stays at the level that is in force, and a request for that very level succeeds.

use cadastre_protocol::messages::update_features_response::UpdatableFeatureResult;
use cadastre_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use cadastre_protocol::{ResponseError, StrBytes};

use super::context::RequestContext;
use super::features::FEATURES;
use super::operations::ALTER_CLUSTER;

/// The first version whose answer speaks for all features at once.
const ALL_OR_NONE: i16 = 2;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let response = UpdateFeaturesResponse::default();
    if !context.allows_cluster(ALTER_CLUSTER) {
        return response.with_error_code(ResponseError::ClusterAuthorizationFailed.code());
    }
    let outcomes: Vec<(StrBytes, Option<(ResponseError, String)>)> = request
        .feature_updates
        .iter()
        .map(|update| (update.feature.clone(), refusal(&update.feature, update.max_version_level)))
        .collect();
    if context.header.version >= ALL_OR_NONE {
        let first = outcomes.into_iter().find_map(|(_, refusal)| refusal);
        return match first {
            None => response,
            Some((error, message)) => response
                .with_error_code(error.code())
                .with_error_message(Some(StrBytes::from_string(message))),
        };
    }
    let results = outcomes.into_iter().map(|(feature, refusal)| {
        let result = UpdatableFeatureResult::default().with_feature(feature);
        match refusal {
            None => result,
            Some((error, message)) => {
                result.with_error_code(error.code()).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    });
    response.with_results(results.collect())
}

/// Why a feature cannot be at that level.
fn refusal(feature: &str, level: i16) -> Option<(ResponseError, String)> {
    let Some((_, own)) = FEATURES.iter().find(|(name, _)| *name == feature) else {
        let message = format!("this broker knows no feature `{feature}`");
        return Some((ResponseError::InvalidUpdateVersion, message));
    };
    (level != *own).then(|| {
        let message = format!("feature `{feature}` is at level {own}, and this broker has it at no other");
        (ResponseError::InvalidUpdateVersion, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_stay_where_they_are() {
        for (feature, level, is_refused) in [
            ("group.version", 1, false),
            ("transaction.version", 2, false),
            ("group.version", 0, true),
            ("transaction.version", 3, true),
            ("metadata.version", 27, true),
        ] {
            assert_eq!(refusal(feature, level).is_some(), is_refused, "{feature} {level}");
        }
    }
}
