//! Arguments of `cadastre packet`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::assess::{Inputs, TableFormat};

/// `cadastre packet`
#[derive(Debug, Subcommand)]
pub(crate) enum Packet {
    /// Assess evidence and pack it with graph, verdicts, reports and policies into one file
    Create(Create),
    /// Sign a packet
    Sign(Sign),
    /// Add a timestamp authority's answer to a signed packet that asks for one
    Timestamp(AttachTimestamp),
    /// Verify a packet offline, with nothing but public keys
    Verify(Verify),
    /// Write a packet without what must not be shared, which still verifies against the same signature
    Redact(Redact),
    /// Show what a packet says of itself, without verifying it
    Show(Show),
    /// Print the public key of a signing key, for those who verify
    Key(Key),
    /// Write the report of a signed packet as one page that checks its own evidence in a browser
    Page(Page),
}

/// `cadastre packet create`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  openssl genpkey -algorithm ed25519 -out review.key && chmod 600 review.key
  cadastre packet create evidence -b boundary.yaml -o packet.zip --sign-key review.key
  cadastre packet create evidence -b boundary.yaml -o packet.zip --sign-key review.key --previous last.zip

With --sign-key the report is written beside the packet too, as `packet.html`, a page that checks its own evidence.
Without it the packet is unsigned; sign it with `cadastre packet sign`.")]
pub(crate) struct Create {
    #[command(flatten)]
    pub inputs: Inputs,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Key that signs: a PKCS #8 PEM file (Ed25519, ECDSA on P-256 or P-384), `awskms:///ARN` or
    /// `azurekms://VAULT/NAME`
    #[arg(long, visible_alias = "key", value_name = "KEY")]
    pub sign_key: Option<String>,
    /// The packet before this one, signed with the same key
    #[arg(long, value_name = "PACKET", requires = "sign_key")]
    pub previous: Option<PathBuf>,
    /// Further files to pack, under `attachments/`
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
}

/// `cadastre packet sign`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre packet sign packet.zip --sign-key review.key -o signed.zip
  cadastre packet sign packet.zip --sign-key review.key -o signed.zip --timestamp

With --timestamp the packet verifies only with a timestamp authority's answer (RFC 3161) to the imprint that is
printed: openssl ts -query -sha256 -cert -digest IMPRINT -out query.tsq, then `cadastre packet timestamp`.")]
pub(crate) struct Sign {
    /// An unsigned packet
    pub packet: PathBuf,
    /// Key that signs: a PKCS #8 PEM file (Ed25519, ECDSA on P-256 or P-384), `awskms:///ARN` or
    /// `azurekms://VAULT/NAME`
    #[arg(long, visible_alias = "key", value_name = "KEY")]
    pub sign_key: String,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Require a timestamp
    #[arg(long)]
    pub timestamp: bool,
}

/// `cadastre packet key`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre packet key review.key > review.pub
  cadastre packet key awskms:///arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab > review.pub
  cadastre packet key azurekms://reviews.vault.azure.net/packets > review.pub

AWS needs kms:GetPublicKey and, to sign, kms:Sign. Azure needs keys/get and keys/sign; its credential is
AZURE_ACCESS_TOKEN_FILE, or AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE,
or AZURE_USE_MANAGED_IDENTITY=true. Verification needs neither, only what this prints.")]
pub(crate) struct Key {
    /// A PKCS #8 PEM file, `awskms:///ARN` or `azurekms://VAULT/NAME[/VERSION]`
    pub key: String,
}

/// `cadastre packet timestamp`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre packet timestamp signed.zip --response answer.tsr --timestamp-authority authority.pem -o stamped.zip")]
pub(crate) struct AttachTimestamp {
    /// A signed packet
    pub packet: PathBuf,
    /// The authority's answer, a DER TimeStampResp
    #[arg(long, value_name = "FILE")]
    pub response: PathBuf,
    /// Certificates of the authority, PEM
    #[arg(long, value_name = "FILE", required = true)]
    pub timestamp_authority: Vec<PathBuf>,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Keys and the like that a packet is verified with.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// Public key or certificate of the signer, PEM; may be given more than once
    #[arg(long, value_name = "FILE", required = true)]
    pub public_key: Vec<PathBuf>,
    /// Public key of a redactor, PEM
    #[arg(long, value_name = "FILE")]
    pub redactor_key: Vec<PathBuf>,
    /// Certificates of a timestamp authority, PEM
    #[arg(long, value_name = "FILE")]
    pub timestamp_authority: Vec<PathBuf>,
    /// Take a packet whose timestamp cannot be checked for want of an authority
    #[arg(long)]
    pub accept_unchecked_timestamp: bool,
    /// The packet that this one must continue
    #[arg(long, value_name = "PACKET")]
    pub previous: Option<PathBuf>,
}

/// `cadastre packet verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  openssl pkey -in review.key -pubout -out review.pub
  cadastre packet verify packet.zip --public-key review.pub
  cadastre packet verify packet.zip --public-key review.pub --previous last.zip --format json

Exit codes: 0 verified · 1 cannot be judged (unreadable, unknown schema, key not given) · 3 not what was signed")]
pub(crate) struct Verify {
    /// The packet
    pub packet: PathBuf,
    #[command(flatten)]
    pub trust: Trust,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// `cadastre packet redact`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre packet redact packet.zip --rules redaction.yaml --public-key review.pub -o shared.zip

redaction.yaml:
  schema: cadastre/redaction-rules/v1
  accounts: all
  addresses: all
  principals: all
  names: [acme-payments]
  withhold: {records: {operations: ['iam:*']}, files: ['reports/*.pdf']}

docs/formats/packet.md describes every rule. Nothing is written when a value that a rule names is found anywhere in
the result.")]
pub(crate) struct Redact {
    /// A signed packet
    pub packet: PathBuf,
    #[command(flatten)]
    pub trust: Trust,
    /// Rules
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Key of the redactor, who vouches for what was put in place; a file or a key of a service
    #[arg(long, visible_alias = "key", value_name = "KEY")]
    pub sign_key: Option<String>,
}

/// `cadastre packet show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The packet
    pub packet: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// `cadastre packet page`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre packet page packet.zip --public-key review.pub -o packet.html

The page carries the records that it cites, with their places under the signed root, and checks them with WebCrypto when it
is opened. It shows the key it was signed with: compare that with the one you were given. What it cannot check is itself;
`cadastre packet verify` checks every byte of the packet.")]
pub(crate) struct Page {
    /// A signed packet
    pub packet: PathBuf,
    #[command(flatten)]
    pub trust: Trust,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}
