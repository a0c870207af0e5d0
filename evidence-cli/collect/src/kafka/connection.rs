//! A connection that is opened again after an answer was lost, but not for ever.

use cadastre_protocol::Request;
use cadastre_protocol::client::{Address, Client, ClientConfig, ClientError};

use super::recorder::Trouble;

/// After so many lost answers a broker is left alone: each one costs a full timeout.
const PATIENCE: u32 = 3;

/// One broker, asked one request at a time.
pub(super) struct Connection<'a> {
    address: Address,
    config: &'a ClientConfig,
    client: Option<Client>,
    lost: u32,
}

impl<'a> Connection<'a> {
    pub(super) fn established(client: Client, config: &'a ClientConfig) -> Self {
        Self { address: client.address().clone(), config, client: Some(client), lost: 0 }
    }

    /// The open client, connecting again where it was lost.
    pub(super) async fn client(&mut self) -> Result<&mut Client, Trouble> {
        if self.client.is_none() {
            if self.lost >= PATIENCE {
                return Err(Trouble::not_tried(&format!(
                    "`{}` left {PATIENCE} requests unanswered",
                    self.address
                )));
            }
            match Client::connect(&self.address, self.config).await {
                Ok(client) => self.client = Some(client),
                Err(error) => {
                    self.lost = PATIENCE;
                    return Err(error.into());
                }
            }
        }
        self.client.as_mut().ok_or_else(|| Trouble::not_tried("there is no connection"))
    }

    /// Sends the request that `build` makes for the version in use.
    pub(super) async fn ask<R: Request>(
        &mut self,
        build: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, Trouble> {
        let client = self.client().await?;
        let version = client.version_of::<R>()?;
        let answer: Result<R::Response, ClientError> = client.send_version(version, &build(version)).await;
        if let Err(error) = &answer
            && !error.was_answered()
        {
            self.client = None;
            self.lost += 1;
        }
        Ok(answer?)
    }

    pub(super) async fn close(self) {
        if let Some(client) = self.client {
            client.close().await;
        }
    }
}
