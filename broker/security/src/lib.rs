//! TLS, SASL, principal mapping, authorizer and quotas.
