//! Reachability over routes, security groups, network ACLs and endpoints.
