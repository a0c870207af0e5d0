//! The features that `ApiVersions` names (KIP-584): transaction version 2 (KIP-890) and the newer protocol of consumer groups
//! (KIP-848) are in force.

use cadastre_protocol::StrBytes;
use cadastre_protocol::messages::ApiVersionsResponse;
use cadastre_protocol::messages::api_versions_response::{FinalizedFeatureKey, SupportedFeatureKey};

/// Each feature with the highest version, which is the one in force.
pub(super) const FEATURES: [(&str, i16); 2] = [("group.version", 1), ("transaction.version", 2)];
/// The first version whose clients take a feature that may be at level 0.
const WITH_LEVEL_ZERO: i16 = 4;

/// The response with the features, as a client of `version` takes them.
pub(super) fn announce(response: ApiVersionsResponse, version: i16) -> ApiVersionsResponse {
    if version < 3 {
        return response;
    }
    let finalized = FEATURES.map(|(name, level)| {
        FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str(name))
            .with_max_version_level(level)
            .with_min_version_level(level)
    });
    let response = response.with_finalized_features_epoch(0).with_finalized_features(finalized.to_vec());
    if version < WITH_LEVEL_ZERO {
        return response;
    }
    let supported = FEATURES.map(|(name, level)| {
        SupportedFeatureKey::default()
            .with_name(StrBytes::from_static_str(name))
            .with_min_version(0)
            .with_max_version(level)
    });
    response.with_supported_features(supported.to_vec())
}
