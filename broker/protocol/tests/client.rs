//! The admin client against peers that misbehave: every one gives a typed error, in bounded time and memory.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::time::Duration;

use bytes::Bytes;
use cadastre_protocol::api::{self, KAFKA_4_1, RequestHeader, SupportedApis};
use cadastre_protocol::client::{
    Address, Client, ClientConfig, ClientError, Mechanism, Password, Sasl, Security, Tls, Trust,
};
use cadastre_protocol::frame::{FrameLimits, FrameReader, FrameWriter};
use cadastre_protocol::messages::{
    ApiVersionsResponse, MetadataRequest, MetadataResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
};
use cadastre_protocol::{ApiKey, ResponseError, StrBytes};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

/// Serves one connection with `serve` and returns where.
async fn peer<F, S>(serve: S) -> Address
where
    S: FnOnce(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _peer) = listener.accept().await.unwrap();
        serve(stream).await;
    });
    Address { host: "127.0.0.1".to_owned(), port }
}

/// A peer that answers each request with what `answer` makes of it, until that is `None`.
async fn broker(mut answer: impl FnMut(&RequestHeader) -> Option<Bytes> + Send + 'static) -> Address {
    peer(|stream| async move {
        let (reader, writer) = stream.into_split();
        let (mut reader, mut writer) =
            (FrameReader::new(reader, FrameLimits::DEFAULT), FrameWriter::new(writer));
        while let Ok(Some(mut frame)) = reader.read_frame().await {
            let header = RequestHeader::decode(&mut frame).unwrap();
            let Some(payload) = answer(&header) else { return };
            writer.write_frame(&payload).await.unwrap();
        }
    })
    .await
}

fn api_versions(header: &RequestHeader) -> Bytes {
    let supported = SupportedApis::new(KAFKA_4_1.iter().copied());
    let response = ApiVersionsResponse::default().with_api_keys(supported.to_response());
    api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap()
}

fn config(security: Security) -> ClientConfig {
    ClientConfig {
        connect_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_millis(300),
        limits: FrameLimits::of(64 * 1024),
        ..ClientConfig::new("test", security)
    }
}

fn scram() -> Security {
    let password = Password::new("pencil".to_owned());
    Security {
        tls: None,
        sasl: Some(Sasl { mechanism: Mechanism::ScramSha256, username: "user".to_owned(), password }),
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = Address { host: "127.0.0.1".to_owned(), port };
    let error = Client::connect(&address, &config(Security::default())).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_silent_peer_times_out() {
    let address = peer(|stream| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(stream);
    })
    .await;
    let error = Client::connect(&address, &config(Security::default())).await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_hangs_up_is_told_from_one_that_talks_nonsense() {
    let address = peer(|stream| async move { drop(stream) }).await;
    let error = Client::connect(&address, &config(Security::default())).await.unwrap_err();
    assert!(matches!(error, ClientError::Closed { .. }), "{error:?}");

    let address = peer(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;
    let error = Client::connect(&address, &config(Security::default())).await.unwrap_err();
    assert!(matches!(error, ClientError::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_plaintext_peer_gives_no_tls_session() {
    let address = broker(|header| Some(api_versions(header))).await;
    let tls = Tls::new(&Trust::Anyone, None).unwrap();
    let error =
        Client::connect(&address, &config(Security { tls: Some(tls), sasl: None })).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Tls { .. } | ClientError::TimedOut { what: "a TLS handshake", .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_to_another_request_is_malformed() {
    let address =
        broker(|header| Some(api_versions(&RequestHeader { correlation_id: 99, ..header.clone() }))).await;
    let error = Client::connect(&address, &config(Security::default())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{address}` does not answer in Kafka's protocol: response 99 to request 0")
    );
}

#[tokio::test]
async fn an_older_broker_is_asked_again_in_its_own_version() {
    let address = broker(|header| {
        if header.version > 2 {
            let offered = api::unsupported_api_versions(&SupportedApis::new([api::ApiRange {
                api: ApiKey::ApiVersions,
                minimum: 0,
                maximum: 2,
            }]));
            return Some(api::encode_response(header.api, 0, header.correlation_id, &offered).unwrap());
        }
        Some(api_versions(header))
    })
    .await;
    let client = Client::connect(&address, &config(Security::default())).await.unwrap();
    assert_eq!(client.version_of::<MetadataRequest>().unwrap(), 13);
}

#[tokio::test]
async fn what_the_broker_does_not_speak_is_not_sent() {
    let address = broker(|header| {
        let response = ApiVersionsResponse::default();
        assert_eq!(header.api, ApiKey::ApiVersions);
        Some(api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap())
    })
    .await;
    let mut client = Client::connect(&address, &config(Security::default())).await.unwrap();
    let error = client.send(&MetadataRequest::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::UnsupportedApi { api: ApiKey::Metadata, .. }), "{error:?}");
    assert!(error.was_answered());
}

#[tokio::test]
async fn a_connection_is_not_used_again_after_a_lost_answer() {
    let address = broker(|header| (header.api == ApiKey::ApiVersions).then(|| api_versions(header))).await;
    let mut client = Client::connect(&address, &config(Security::default())).await.unwrap();
    for _ in 0..2 {
        let error = client.send(&MetadataRequest::default()).await.unwrap_err();
        assert!(matches!(error, ClientError::Closed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn requests_and_responses_meet() {
    let address = broker(|header| match header.api {
        ApiKey::ApiVersions => Some(api_versions(header)),
        _ => {
            let response =
                MetadataResponse::default().with_cluster_id(Some(StrBytes::from_static_str("abc")));
            Some(api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap())
        }
    })
    .await;
    let mut client = Client::connect(&address, &config(Security::default())).await.unwrap();
    for _ in 0..3 {
        let response = client.send(&MetadataRequest::default().with_topics(None)).await.unwrap();
        assert_eq!(response.cluster_id.as_deref(), Some("abc"));
    }
    client.close().await;
}

#[tokio::test]
async fn a_refused_login_carries_the_brokers_words() {
    let address = broker(|header| match header.api {
        ApiKey::ApiVersions => Some(api_versions(header)),
        ApiKey::SaslHandshake => {
            let response = SaslHandshakeResponse::default();
            Some(api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap())
        }
        _ => {
            let response = SaslAuthenticateResponse::default()
                .with_error_code(ResponseError::SaslAuthenticationFailed.code())
                .with_error_message(Some(StrBytes::from_static_str("invalid credentials")));
            Some(api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap())
        }
    })
    .await;
    let error = Client::connect(&address, &config(scram())).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{address}` refused the login: invalid credentials"));
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_an_authentication_error_that_names_those_that_are() {
    let address = broker(|header| match header.api {
        ApiKey::ApiVersions => Some(api_versions(header)),
        _ => {
            let response = SaslHandshakeResponse::default()
                .with_error_code(ResponseError::UnsupportedSaslMechanism.code())
                .with_mechanisms(vec![StrBytes::from_static_str("PLAIN")]);
            Some(api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap())
        }
    })
    .await;
    let error = Client::connect(&address, &config(scram())).await.unwrap_err();
    assert!(matches!(error, ClientError::Authentication { .. }), "{error:?}");
    assert!(error.to_string().ends_with("SCRAM-SHA-256 is not among its mechanisms PLAIN"), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_prove_itself_is_not_trusted() {
    let address = broker(|header| match header.api {
        ApiKey::ApiVersions => Some(api_versions(header)),
        ApiKey::SaslHandshake => {
            let response = SaslHandshakeResponse::default();
            Some(api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap())
        }
        _ => {
            let token = Bytes::from_static(b"r=from-a-recording,s=QUJD,i=4096");
            let response = SaslAuthenticateResponse::default().with_auth_bytes(token);
            Some(api::encode_response(header.api, header.version, header.correlation_id, &response).unwrap())
        }
    })
    .await;
    let error = Client::connect(&address, &config(scram())).await.unwrap_err();
    assert!(matches!(error, ClientError::ServerAuthentication { .. }), "{error:?}");
}
