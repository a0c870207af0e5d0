//! Puts cases to the authorizer, in the form that `fixtures/authorizer/StandardAuthorizerCases.java` reads too.
//!
//! `authorizer decide CASES.ndjson` prints, for each case, a string of A and D, one for each request.
//! `authorizer measure CASES.ndjson SECONDS` asks the first case's requests over and over, and prints how many it
//! decided a second of its thread's processor time (`/proc/thread-self/schedstat`).

#![expect(clippy::print_stdout, reason = "a program that answers on standard output")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;

use cadastre_security::acl::{AclBinding, Operation, ResourceType};
use cadastre_security::authorizer::{Authorizer, SuperUsers};
use cadastre_security::principal::Principal;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Case {
    super_users: String,
    default_allow: bool,
    acls: Vec<AclBinding>,
    requests: Vec<Request>,
}

#[derive(Debug, Deserialize)]
struct Request {
    principal: Principal,
    host: IpAddr,
    operation: Operation,
    resource_type: ResourceType,
    /// None where any resource of the type will do.
    name: Option<String>,
}

impl Request {
    fn is_allowed(&self, authorizer: &Authorizer) -> bool {
        let decision = match &self.name {
            Some(name) => {
                authorizer.authorize(&self.principal, self.host, self.operation, self.resource_type, name)
            }
            None => authorizer.authorize_by_resource_type(
                &self.principal,
                self.host,
                self.operation,
                self.resource_type,
            ),
        };
        decision.allowed
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["decide", path] => decide(path),
        ["measure", path, seconds] => measure(path, seconds.parse()?),
        _ => Err("expected: decide CASES.ndjson, or measure CASES.ndjson SECONDS".into()),
    }
}

fn read(line: &str) -> Result<(Authorizer, Vec<Request>), Box<dyn Error>> {
    let case: Case = serde_json::from_str(line)?;
    let super_users = SuperUsers::parse(&case.super_users)?;
    Ok((Authorizer::new(case.acls, super_users, case.default_allow), case.requests))
}

fn decide(path: &str) -> Result<(), Box<dyn Error>> {
    for line in BufReader::new(File::open(path)?).lines() {
        let (authorizer, requests) = read(&line?)?;
        let answers: String =
            requests.iter().map(|request| if request.is_allowed(&authorizer) { 'A' } else { 'D' }).collect();
        println!("{answers}");
    }
    Ok(())
}

fn measure(path: &str, seconds: f64) -> Result<(), Box<dyn Error>> {
    let mut lines = BufReader::new(File::open(path)?).lines();
    let (authorizer, requests) = read(&lines.next().ok_or("no case")??)?;
    let begin = processor_seconds()?;
    let mut decided = 0_usize;
    let mut allowed = 0_usize;
    let mut spent = 0.0;
    while spent < seconds {
        allowed += requests.iter().filter(|request| request.is_allowed(&authorizer)).count();
        decided += requests.len();
        spent = processor_seconds()? - begin;
    }
    if allowed == 0 {
        return Err("nothing was allowed".into());
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate, for people")]
    let rate = decided as f64 / spent;
    println!("{rate:.0}");
    Ok(())
}

/// What the kernel says this thread ran, in seconds.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().ok_or("no figure in schedstat")?.parse()?;
    Ok(nanoseconds / 1e9)
}
