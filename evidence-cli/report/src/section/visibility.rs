//! What can be known of each declared cluster, and what its customer can never see.

use cadastre_model::declaration::{Architecture, Declaration};
use cadastre_model::profile::{ArchitectureEvidence, Extent, Profile};
use serde::Serialize;

use crate::error::ReportError;
use crate::input::ReportInput;
use crate::words;

/// The section.
#[derive(Debug, Serialize)]
pub(crate) struct Visibility {
    clusters: Vec<Cluster>,
    architectures: Vec<Asks>,
}

#[derive(Debug, Serialize)]
struct Cluster {
    cluster: String,
    /// What the software or service is called.
    software: &'static str,
    evidence: Vec<Source>,
    never: &'static [String],
    sources: &'static [String],
}

#[derive(Debug, Serialize)]
struct Source {
    about: &'static str,
    from: &'static str,
    /// `all`, `part`, `nothing`.
    answered: &'static str,
    /// The verdict whose mark goes with it.
    verdict: &'static str,
    why: &'static str,
}

/// What one declared architecture asks for.
#[derive(Debug, Serialize)]
struct Asks {
    name: &'static str,
    /// Whose records rest so; empty where there is one architecture for all.
    clusters: Vec<String>,
    asks: Vec<&'static str>,
    asks_not: &'static str,
}

/// Builds the section.
///
/// # Errors
/// When a compiled-in profile cannot be read, which tests rule out.
pub(crate) fn build(input: &ReportInput<'_>) -> Result<Visibility, ReportError> {
    let clusters = input.declaration.clusters.iter().map(|cluster| {
        let profile = Profile::of(cluster)?;
        Ok(Cluster {
            cluster: cluster.name.clone(),
            software: &profile.name,
            evidence: profile
                .evidence
                .iter()
                .map(|source| {
                    let (answered, verdict) = match source.answered {
                        Extent::All => ("all of it", "pass"),
                        Extent::Part => ("part of it", "unproven"),
                        Extent::None => ("nothing", "unproven"),
                    };
                    let why = source.why.as_deref().unwrap_or_default();
                    Source { about: &source.about, from: &source.from, answered, verdict, why }
                })
                .collect(),
            never: &profile.never_visible,
            sources: &profile.sources,
        })
    });
    Ok(Visibility {
        clusters: clusters.collect::<Result<_, ReportError>>()?,
        architectures: input
            .declaration
            .architectures()
            .into_iter()
            .map(|architecture| asks(input.declaration, architecture))
            .collect::<Result<_, ReportError>>()?,
    })
}

fn asks(declaration: &Declaration, architecture: Architecture) -> Result<Asks, ReportError> {
    let evidence = ArchitectureEvidence::of(architecture)?;
    let clusters = if declaration.architectures().len() > 1 {
        let clusters = declaration.clusters.iter();
        let own = clusters.filter(|cluster| declaration.architecture_of(cluster) == architecture);
        own.map(|cluster| cluster.name.clone()).collect()
    } else {
        Vec::new()
    };
    Ok(Asks {
        name: words::architecture(architecture),
        clusters,
        asks: evidence.asks.iter().map(|asked| asked.about.as_str()).collect(),
        asks_not: &evidence.asks_not,
    })
}
