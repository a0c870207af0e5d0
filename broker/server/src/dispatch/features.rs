//! The features that `ApiVersions` names (KIP-584): transaction version 2 (KIP-890) is in force.

use cadastre_protocol::StrBytes;
use cadastre_protocol::messages::ApiVersionsResponse;
use cadastre_protocol::messages::api_versions_response::{FinalizedFeatureKey, SupportedFeatureKey};

const TRANSACTION_VERSION: &str = "transaction.version";
/// The highest version, and the one in force.
const LEVEL: i16 = 2;
/// The first version whose clients take a feature that may be at level 0.
const WITH_LEVEL_ZERO: i16 = 4;

/// The response with the features, as a client of `version` takes them.
pub(super) fn announce(response: ApiVersionsResponse, version: i16) -> ApiVersionsResponse {
    if version < 3 {
        return response;
    }
    let name = StrBytes::from_static_str(TRANSACTION_VERSION);
    let finalized = FinalizedFeatureKey::default()
        .with_name(name.clone())
        .with_max_version_level(LEVEL)
        .with_min_version_level(LEVEL);
    let response = response.with_finalized_features_epoch(0).with_finalized_features(vec![finalized]);
    if version < WITH_LEVEL_ZERO {
        return response;
    }
    let supported =
        SupportedFeatureKey::default().with_name(name).with_min_version(0).with_max_version(LEVEL);
    response.with_supported_features(vec![supported])
}
