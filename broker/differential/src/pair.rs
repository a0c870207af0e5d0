//! Apache Kafka and the broker side by side: each request goes to both, and their answers are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use anyhow::Context;
use cadastre_protocol::Request;
use cadastre_protocol::client::{Address, Client, ClientConfig, ClientError};

use crate::compare::{Difference, compare};
use crate::fields::Node;

/// One of the two, and the connection to it.
#[derive(Debug)]
pub(crate) struct Side {
    address: Address,
    config: ClientConfig,
    client: Option<Client>,
}

impl Side {
    async fn open(address: &str, config: &ClientConfig) -> anyhow::Result<Self> {
        let address: Address = address.parse().with_context(|| format!("`{address}` is no address"))?;
        let mut side = Self { address, config: config.clone(), client: None };
        side.connected().await?;
        Ok(side)
    }

    async fn connected(&mut self) -> anyhow::Result<&mut Client> {
        if self.client.is_none() {
            let opened = Client::connect(&self.address, &self.config).await;
            self.client = Some(opened.with_context(|| format!("cannot connect to {}", self.address))?);
        }
        self.client.as_mut().context("it was connected just now")
    }

    async fn ask<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> anyhow::Result<Result<R::Response, String>> {
        let answer = self.connected().await?.send_version(version, request).await;
        Ok(answer.map_err(|error| {
            if !error.was_answered() {
                self.client = None;
            }
            match error {
                ClientError::TimedOut { .. } => "no answer in time".to_owned(),
                error if error.was_answered() => error.to_string(),
                // How a connection ends is told differently by different systems.
                _ => "the connection was closed".to_owned(),
            }
        }))
    }
}

/// What both answered; `None` where there was no answer.
#[derive(Debug)]
pub(crate) struct Both<T> {
    pub(crate) kafka: Option<T>,
    pub(crate) own: Option<T>,
}

impl<T> Both<T> {
    /// The same of each.
    pub(crate) fn map<U>(&self, take: impl Fn(&T) -> U) -> Both<U> {
        Both { kafka: self.kafka.as_ref().map(&take), own: self.own.as_ref().map(&take) }
    }
}

impl<T: Clone + Default> Both<T> {
    /// A request for each, made from what each said; from the default where it said nothing.
    pub(crate) fn requests<R>(&self, make: impl Fn(T) -> R) -> [R; 2] {
        [make(self.kafka.clone().unwrap_or_default()), make(self.own.clone().unwrap_or_default())]
    }
}

/// What a case is about: the API and the sentence that names the case.
pub(crate) type Case = (String, String);

/// Both sides, and what was found so far.
#[derive(Debug)]
pub(crate) struct Pair {
    kafka: Side,
    own: Side,
    /// Put before each case's name.
    pub(crate) prefix: &'static str,
    /// The versions in which a difference shows.
    pub(crate) found: BTreeMap<(Case, Difference), BTreeSet<i16>>,
    /// Requests that both were sent.
    pub(crate) requests: u64,
    /// Cases, by API.
    pub(crate) cases: BTreeSet<Case>,
    /// Fields of Kafka's answers.
    pub(crate) fields: u64,
}

impl Pair {
    /// Connects to both.
    pub(crate) async fn connect(
        kafka: &str,
        own: &str,
        config: &ClientConfig,
        prefix: &'static str,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            kafka: Side::open(kafka, config).await?,
            own: Side::open(own, config).await?,
            prefix,
            found: BTreeMap::new(),
            requests: 0,
            cases: BTreeSet::new(),
            fields: 0,
        })
    }

    /// Takes over what another pair found.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.requests += other.requests;
        self.fields += other.fields;
        self.cases.extend(other.cases);
        for (key, versions) in other.found {
            self.found.entry(key).or_default().extend(versions);
        }
    }

    /// The same request to both, in one version.
    pub(crate) async fn ask<R>(
        &mut self,
        case: &str,
        version: i16,
        request: &R,
    ) -> anyhow::Result<Both<R::Response>>
    where
        R: Request,
        R::Response: Debug,
    {
        let [kafka, own] = [self.kafka.ask(version, request).await?, self.own.ask(version, request).await?];
        self.compared::<R>(case, version, kafka, own)
    }

    /// A request to each, in one version: the second differs by an id that the broker gave.
    pub(crate) async fn ask_each<R>(
        &mut self,
        case: &str,
        version: i16,
        [kafka, own]: [R; 2],
    ) -> anyhow::Result<Both<R::Response>>
    where
        R: Request,
        R::Response: Debug,
    {
        let [kafka, own] = [self.kafka.ask(version, &kafka).await?, self.own.ask(version, &own).await?];
        self.compared::<R>(case, version, kafka, own)
    }

    /// A request in every version that both speak and that can carry it.
    pub(crate) async fn ask_all<R>(&mut self, case: &str, make: impl Fn(i16) -> R) -> anyhow::Result<()>
    where
        R: Request,
        R::Response: Debug,
    {
        for version in self.versions::<R>().await? {
            let request = make(version);
            let carried = request.encode(&mut bytes::BytesMut::new(), version).is_ok();
            if carried {
                self.ask(case, version, &request).await?;
            }
        }
        Ok(())
    }

    /// The versions of a request that both speak.
    async fn versions<R: Request>(&mut self) -> anyhow::Result<Vec<i16>> {
        let mut ranges = Vec::new();
        for side in [&mut self.kafka, &mut self.own] {
            let announced = &side.connected().await?.api_versions().api_keys;
            let range = announced.iter().find(|range| range.api_key == R::KEY);
            ranges.extend(range.map(|range| (range.min_version, range.max_version)));
        }
        let [kafka, own] = ranges.as_slice() else { return Ok(Vec::new()) };
        // Produce is announced from version 0 and answered from 3 (KAFKA-18659).
        let lowest = kafka.0.max(own.0).max(R::VERSIONS.min).max(if R::KEY == 0 { 3 } else { 0 });
        Ok((lowest..=kafka.1.min(own.1).min(R::VERSIONS.max)).collect())
    }

    fn compared<R>(
        &mut self,
        case: &str,
        version: i16,
        kafka: Result<R::Response, String>,
        own: Result<R::Response, String>,
    ) -> anyhow::Result<Both<R::Response>>
    where
        R: Request,
        R::Response: Debug,
    {
        let api = std::any::type_name::<R>().rsplit("::").next().unwrap_or_default();
        let api = api.trim_end_matches("Request").to_owned();
        let case = (api, format!("{}{case}", self.prefix));
        self.requests += 1;
        self.cases.insert(case.clone());
        let differences = match (&kafka, &own) {
            (Ok(kafka), Ok(own)) => {
                let [kafka, own] = [Node::read(&format!("{kafka:#?}"))?, Node::read(&format!("{own:#?}"))?];
                self.fields += kafka.leaves() as u64;
                compare(&kafka, &own)
            }
            (Err(kafka), Err(own)) if kafka == own => Vec::new(),
            (kafka, own) => {
                let shown = |answer: &Result<R::Response, String>| match answer {
                    Ok(_) => "an answer".to_owned(),
                    Err(error) => error.clone(),
                };
                vec![Difference { path: "answer".to_owned(), kafka: shown(kafka), own: shown(own) }]
            }
        };
        for difference in differences {
            self.found.entry((case.clone(), difference)).or_default().insert(version);
        }
        Ok(Both { kafka: kafka.ok(), own: own.ok() })
    }
}
