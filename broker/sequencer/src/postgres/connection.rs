//! Connections that come back: each is made when needed, and again after it was lost.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Row, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::PostgresConfig;
use crate::error::SequencerError;

/// SQLSTATE of `apply_transition` for an object that is known already.
const OBJECT_EXISTS: &str = "CD004";
/// SQLSTATE of `apply_transition` for slices that are gone although the partition's version did not change.
const SLICE_GONE: &str = "CD003";

/// What a call came to, if not to an answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// It may or may not have taken effect, or did not; trying again may help.
    Lost(String),
    /// An object of the transition is known already; nothing took effect.
    ObjectExists,
    /// The rows contradict their version.
    SliceGone,
    /// The server refuses for good.
    Refused(String),
}

impl CallError {
    fn of(error: &tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else { return Self::Lost(chain(error)) };
        let code = refusal.code().code();
        let reason = format!("{} ({code})", refusal.message());
        match code {
            OBJECT_EXISTS => Self::ObjectExists,
            SLICE_GONE => Self::SliceGone,
            // Connection, resources, operator intervention, system; serialization, deadlock, lock timeout; read-only
            // standby. PostgreSQL documentation, appendix A.
            _ if ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class)) => {
                Self::Lost(reason)
            }
            "55P03" | "25006" | "XX000" => Self::Lost(reason),
            _ => Self::Refused(reason),
        }
    }
}

impl From<CallError> for SequencerError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Lost(reason) | CallError::Refused(reason) => Self::Unavailable { reason },
            CallError::ObjectExists => Self::Conflict { what: "the object".to_owned() },
            CallError::SliceGone => Self::Tampered { what: "slices are missing".to_owned() },
        }
    }
}

/// The error with its causes; `tokio_postgres` prints only the outermost.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    setup: String,
    call_timeout: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connector").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(settings: &PostgresConfig) -> Result<Self, SequencerError> {
        let mut config: Config = settings.connection.parse().map_err(|error| {
            SequencerError::Setting(format!("the connection string cannot be read: {}", chain(&error)))
        })?;
        if let Some(password) = &settings.password {
            config.password(password.as_bytes());
        }
        let is_local = config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)));
        if settings.tls.is_some() {
            config.ssl_mode(SslMode::Require);
        } else if config.get_ssl_mode() != SslMode::Disable && !is_local {
            return Err(SequencerError::Setting(
                "without TLS settings the connection string must say `sslmode=disable`".to_owned(),
            ));
        }
        config.connect_timeout(settings.call_timeout);
        config.tcp_user_timeout(settings.call_timeout);
        config.keepalives_idle(settings.call_timeout);
        config.application_name("cadastre");
        if settings.schema.is_empty() || settings.schema.contains(['"', '\0']) {
            return Err(SequencerError::Setting(format!("`{}` cannot be a schema", settings.schema)));
        }
        let limit = settings.call_timeout.as_millis();
        let setup = format!(
            "SET search_path TO \"{}\"; SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
             SET idle_in_transaction_session_timeout = {limit}; SET default_transaction_isolation = 'read committed'; \
             SET client_min_messages = warning; SET plan_cache_mode = force_generic_plan",
            settings.schema
        );
        let tls = settings.tls.as_ref().map(|tls| MakeRustlsConnect::new(rustls::ClientConfig::clone(tls)));
        Ok(Self { config, tls, setup, call_timeout: settings.call_timeout })
    }

    /// A new connection; notifications go to `notifications`, whose closing tells that the connection is gone.
    pub(crate) async fn connect(
        &self,
        notifications: Option<mpsc::Sender<String>>,
    ) -> Result<Session, CallError> {
        let connecting = async {
            match self.tls.clone() {
                Some(tls) => self.start(tls, notifications).await,
                None => self.start(NoTls, notifications).await,
            }
        };
        let client = within(self.call_timeout, connecting).await?;
        let session = Session { client, statements: Mutex::default(), call_timeout: self.call_timeout };
        session.script(&self.setup).await?;
        Ok(session)
    }

    async fn start<T>(&self, tls: T, notifications: Option<mpsc::Sender<String>>) -> Result<Client, CallError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        <T as MakeTlsConnect<Socket>>::TlsConnect: Send,
        <<T as MakeTlsConnect<Socket>>::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (client, connection) = self.config.connect(tls).await.map_err(|error| CallError::of(&error))?;
        tokio::spawn(drive(connection, notifications));
        Ok(client)
    }
}

/// Moves bytes for a connection until it ends.
async fn drive<S, T>(mut connection: Connection<S, T>, notifications: Option<mpsc::Sender<String>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = std::future::poll_fn(|context| connection.poll_message(context)).await {
        match (message, &notifications) {
            (Ok(AsyncMessage::Notification(notification)), Some(notifications)) => {
                // A full channel means that a refresh is due anyway.
                let _full = notifications.try_send(notification.payload().to_owned());
            }
            (Ok(_), _) => {}
            (Err(error), _) => {
                tracing::debug!(error = %chain(&error), "a database connection ended");
                return;
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(CallError::Lost(format!("no answer within {} ms", limit.as_millis()))),
    }
}

/// One connection with its prepared statements. Calls may overlap; the server answers them in order.
pub(crate) struct Session {
    client: Client,
    statements: Mutex<BTreeMap<&'static str, Statement>>,
    call_timeout: Duration,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("is_closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, CallError> {
        within(self.call_timeout, async {
            let statement = self.prepared(sql).await?;
            self.client.query(&statement, parameters).await.map_err(|error| CallError::of(&error))
        })
        .await
    }

    /// The first column of the only row.
    pub(crate) async fn value<T>(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<T, CallError>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let rows = self.query(sql, parameters).await?;
        let row = rows.first().ok_or_else(|| CallError::Refused("the database gave no row".to_owned()))?;
        row.try_get(0).map_err(|error| CallError::Refused(chain(&error)))
    }

    /// Statements without parameters, in one transaction unless they say otherwise.
    pub(crate) async fn script(&self, sql: &str) -> Result<(), CallError> {
        within(self.call_timeout, async {
            self.client.batch_execute(sql).await.map_err(|error| CallError::of(&error))
        })
        .await
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, CallError> {
        let mut statements = self.statements.lock().await;
        if let Some(statement) = statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await.map_err(|error| CallError::of(&error))?;
        statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// A connection that is made again when it was lost.
#[derive(Debug)]
pub(crate) struct Link {
    connector: Connector,
    session: Mutex<Option<Arc<Session>>>,
}

impl Link {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, session: Mutex::new(None) }
    }

    pub(crate) async fn session(&self) -> Result<Arc<Session>, CallError> {
        let mut held = self.session.lock().await;
        if let Some(session) = held.as_ref().filter(|session| !session.client.is_closed()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.connector.connect(None).await?);
        *held = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Gives a session up whose call got no answer: nobody may wait behind it.
    pub(crate) async fn give_up(&self, session: &Arc<Session>) {
        let mut held = self.session.lock().await;
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, session)) {
            *held = None;
        }
    }

    pub(crate) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, CallError> {
        let session = self.session().await?;
        let answer = session.query(sql, parameters).await;
        if let Err(CallError::Lost(_)) = &answer {
            self.give_up(&session).await;
        }
        answer
    }

    pub(crate) async fn value<T>(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<T, CallError>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let session = self.session().await?;
        let answer = session.value(sql, parameters).await;
        if let Err(CallError::Lost(_)) = &answer {
            self.give_up(&session).await;
        }
        answer
    }
}
