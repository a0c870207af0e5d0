//! What goes wrong with one item of a request, as the client is told.

use cadastre_protocol::{ResponseError, StrBytes};

use cadastre_storage::StorageError;

use crate::state::StateError;

/// An error code with an optional explanation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    error: ResponseError,
    message: Option<String>,
}

impl ApiError {
    /// An error with an explanation.
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self { error, message: Some(message.into()) }
    }

    /// The wire code.
    pub(crate) fn code(&self) -> i16 {
        self.error.code()
    }

    /// The explanation for the client; without one it has words of its own for the code.
    pub(crate) fn message(&self) -> Option<StrBytes> {
        self.message.clone().map(StrBytes::from_string)
    }
}

impl From<ResponseError> for ApiError {
    fn from(error: ResponseError) -> Self {
        Self { error, message: None }
    }
}

/// What the client need not know goes to the operator's log.
impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        if let StateError::Storage(StorageError::Conflict { .. }) = error {
            // Retriable for every client, which a storage error is not for all.
            return Self::new(ResponseError::NotController, "another broker changed the same meanwhile");
        }
        tracing::error!(error = %crate::listeners::listener_security::chain(&error), "change refused");
        Self::new(ResponseError::KafkaStorageError, "the broker's log cannot be written")
    }
}

/// The code of a result, 0 when there is no error.
pub(crate) fn code_of<T>(result: &Result<T, ApiError>) -> i16 {
    result.as_ref().err().map_or(0, ApiError::code)
}

/// The explanation of a result, when there is an error.
pub(crate) fn message_of<T>(result: &Result<T, ApiError>) -> Option<StrBytes> {
    result.as_ref().err().and_then(ApiError::message)
}
