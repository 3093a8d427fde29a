//! What a request head says of AWS: the operation, how it is signed, which SDK sent it.
//!
//! Sources: AWS General Reference, "Signature Version 4" and "Common Parameters"; the SDK's service
//! models for the names of the targets; the IAM reference for the prefixes of access key ids.

use std::borrow::Cow;

use crate::model::{HttpFacts, Signature, SigningCredential};

/// The APIs whose operations are named in records; what follows the dot is the operation.
const APIS: &[&str] = &[
    "DynamoDB_20120810",
    "DynamoDBStreams_20120810",
    // The first API, still answered.
    "DynamoDB_20111205",
    "AmazonDAXV3",
];

/// The longest operation name that is kept; the longest of the service models has 45 letters.
const MAX_OPERATION_BYTES: usize = 64;

/// Product names of User-Agent that are AWS's own clients, in lower case, or a well-known wrapper's.
const SDK_PRODUCTS: &[&str] = &[
    "aws-cli",
    "aws-sdk-android",
    "aws-sdk-cpp",
    "aws-sdk-dotnet",
    "aws-sdk-dotnet-35",
    "aws-sdk-dotnet-45",
    "aws-sdk-dotnet-core",
    "aws-sdk-dotnet-coreclr",
    "aws-sdk-go",
    "aws-sdk-go-v2",
    "aws-sdk-ios",
    "aws-sdk-java",
    "aws-sdk-js",
    "aws-sdk-kotlin",
    "aws-sdk-net",
    "aws-sdk-nodejs",
    "aws-sdk-php",
    "aws-sdk-php2",
    "aws-sdk-ruby",
    "aws-sdk-ruby2",
    "aws-sdk-ruby3",
    "aws-sdk-rust",
    "aws-sdk-swift",
    "awspowershell",
    "boto",
    "boto3",
    "botocore",
    "pynamodb",
];

/// What is said of a version before its release.
const STAGES: &[&str] = &["a", "alpha", "b", "beta", "dev", "preview", "rc", "snapshot"];

/// The most SDK tokens kept, e.g. `aws-cli/2.25.0` and `botocore/2.4.5`.
const MAX_SDK_TOKENS: usize = 3;

/// The longest version of an SDK that is kept.
const MAX_VERSION_BYTES: usize = 24;

/// The longest region or service of a credential scope that is kept.
const MAX_SCOPE_BYTES: usize = 32;

/// Where the signature of a request may be said, and what of it may be kept.
#[derive(Default)]
pub(super) struct Signing {
    signature: Option<Signature>,
    /// What the signatures come with.
    signed: Credentials,
    /// What is named without a signature: it counts only where nothing else signs.
    named: Credentials,
    /// An X-Amz-Security-Token was sent in the head.
    pub has_token: bool,
}

/// What is said of the keys beside a signature, or where one is missing.
#[derive(Default)]
struct Credentials {
    /// A key that does not expire was named, and one that does.
    has_long_term_key: bool,
    has_temporary_key: bool,
    region: Option<String>,
    service: Option<String>,
    /// An X-Amz-Security-Token was sent.
    has_token: bool,
}

impl Signing {
    /// Looks for a signature in the query string of a request target, which is how presigned URLs carry it; the headers may
    /// still say another.
    pub fn of_target(target: &[u8]) -> Self {
        let mut signing = Self::default();
        let Some(query) = target.iter().position(|byte| *byte == b'?').and_then(|at| target.get(at + 1..))
        else {
            return signing;
        };
        let mut credentials = Credentials::default();
        let (mut has_algorithm, mut has_signature) = (false, false);
        // As many as there is room for in a head: one that is not looked at may be the signature.
        for parameter in query.split(|byte| *byte == b'&') {
            let at = parameter.iter().position(|byte| *byte == b'=').unwrap_or(parameter.len());
            let Some((name, value)) = parameter.split_at_checked(at) else { continue };
            let (name, value) = (decoded(name), decoded(value.get(1..).unwrap_or_default()));
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
            if is("X-Amz-Algorithm") {
                has_algorithm = algorithm(&value).is_some();
            } else if is("X-Amz-Signature") {
                has_signature = !value.is_empty();
            } else if is("X-Amz-Credential") {
                credentials.name(&value);
            } else if is("X-Amz-Security-Token") {
                credentials.has_token |= !value.is_empty();
            }
        }
        signing.add((has_algorithm && has_signature).then_some(Signature::Presigned), credentials);
        signing
    }

    /// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
    pub fn authorization(&mut self, value: &[u8]) {
        let at = value.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(value.len());
        let Some((scheme, parameters)) = value.split_at_checked(at) else { return };
        let Some(signature) = algorithm(scheme) else { return };
        let (mut has_signature, mut credentials) = (false, Credentials::default());
        for parameter in parameters.split(|byte| *byte == b',') {
            let parameter = parameter.trim_ascii();
            if let Some(credential) = parameter.strip_prefix(b"Credential=") {
                credentials.name(credential);
            } else if parameter.strip_prefix(b"Signature=").is_some_and(|value| !value.is_empty()) {
                // Only a request that carries a signature is a signed one.
                has_signature = true;
            }
        }
        self.add(has_signature.then_some(signature), credentials);
    }

    fn add(&mut self, signature: Option<Signature>, credentials: Credentials) {
        let known = if signature.is_some() { &mut self.signed } else { &mut self.named };
        known.add(credentials);
        self.signature = signature.or(self.signature);
    }

    /// Writes down what was found; the absence of a signature only where the whole head was seen.
    pub fn finish(self, facts: &mut HttpFacts) {
        let absent = if facts.is_truncated { None } else { Some(Signature::None) };
        facts.signature = self.signature.or(absent);
        // A key that is only named, beside one that signs, signs nothing.
        let credentials = if self.signature.is_some() { self.signed } else { self.named };
        let has_token = self.has_token || credentials.has_token;
        // A token is the temporary key's, or makes the only one that is named temporary.
        let is_long_term = credentials.has_long_term_key && (credentials.has_temporary_key || !has_token);
        facts.credential = if is_long_term {
            Some(SigningCredential::LongTerm)
        } else if credentials.has_temporary_key || has_token {
            Some(SigningCredential::Temporary)
        } else {
            None
        };
        facts.scope_region = credentials.region;
        facts.scope_service = credentials.service;
    }
}

impl Credentials {
    /// Of several credentials the graver kind counts, and the scope is the first one's.
    fn add(&mut self, other: Self) {
        self.has_long_term_key |= other.has_long_term_key;
        self.has_temporary_key |= other.has_temporary_key;
        self.has_token |= other.has_token;
        if self.service.is_none() {
            self.region = other.region;
            self.service = other.service;
        }
    }

    /// `<access key id>/<date>/<region>/<service>/aws4_request`, SigV4a without the region. The key id
    /// gives its kind away by its first letters and is kept no longer than that.
    fn name(&mut self, value: &[u8]) {
        let mut parts = value.split(|byte| *byte == b'/');
        let key_id = parts.next().unwrap_or_default();
        self.has_long_term_key |= key_id.starts_with(b"AKIA");
        self.has_temporary_key |= key_id.starts_with(b"ASIA");
        let is_date = |part: &[u8]| part.len() == 8 && part.iter().all(u8::is_ascii_digit);
        if self.service.is_some() || !parts.next().is_some_and(is_date) {
            return;
        }
        let scope: arrayvec::ArrayVec<&[u8], 4> = parts.take(4).collect();
        match scope.as_slice() {
            [region, service, b"aws4_request"] => {
                self.region = scope_word(region);
                self.service = scope_word(service);
            }
            [service, b"aws4_request"] => self.service = scope_word(service),
            _ => {}
        }
    }
}

/// `DynamoDB_20120810.GetItem` and its like; anything else is not kept.
pub(super) fn target(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let (api, operation) = value.split_once('.')?;
    let is_operation = (1..=MAX_OPERATION_BYTES).contains(&operation.len())
        && operation.bytes().all(|byte| byte.is_ascii_alphabetic());
    (APIS.contains(&api) && is_operation).then(|| value.to_owned())
}

/// True for a target in the form of an operation of an API that is not one of [`APIS`].
pub(super) fn is_of_other_api(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let (api, operation) = (parts.next().unwrap_or_default(), parts.next());
    !api.is_empty() && operation.is_some() && !APIS.iter().any(|known| known.as_bytes() == api)
}

/// The tokens of User-Agent that name a known SDK, with their versions.
pub(super) fn sdk(value: &[u8]) -> Option<String> {
    let mut found = String::new();
    let tokens = value.split(|byte| byte.is_ascii_whitespace()).filter_map(sdk_token);
    for token in tokens.take(MAX_SDK_TOKENS) {
        if !found.is_empty() {
            found.push(' ');
        }
        found.push_str(token);
    }
    (!found.is_empty()).then_some(found)
}

fn sdk_token(token: &[u8]) -> Option<&str> {
    let token = std::str::from_utf8(token).ok()?;
    let (product, version) = token.split_once('/')?;
    let is_known = SDK_PRODUCTS.iter().any(|known| product.eq_ignore_ascii_case(known));
    if !is_known || version.len() > MAX_VERSION_BYTES {
        return None;
    }
    let kept = version_bytes(version)?;
    token.get(..product.len() + 1 + kept)
}

/// How much of a text is a version: numbers, and a stage before the release behind them. What else is there may be anything.
fn version_bytes(text: &str) -> Option<usize> {
    let is_digit = |byte: char| byte.is_ascii_digit();
    let rest = text.trim_start_matches(|byte| is_digit(byte) || byte == '.');
    let numbers = text.get(..text.len() - rest.len())?;
    if !numbers.starts_with(is_digit) {
        return None;
    }
    let stage = rest.trim_end_matches(is_digit).trim_matches(['.', '-']);
    if STAGES.iter().any(|known| stage.eq_ignore_ascii_case(known)) {
        return Some(text.len());
    }
    Some(numbers.trim_end_matches('.').len())
}

fn algorithm(value: &[u8]) -> Option<Signature> {
    if value.eq_ignore_ascii_case(b"AWS4-HMAC-SHA256") {
        Some(Signature::Sigv4)
    } else if value.eq_ignore_ascii_case(b"AWS4-ECDSA-P256-SHA256") {
        Some(Signature::Sigv4a)
    } else {
        None
    }
}

/// A region or service name; upper case or other bytes are not kept, as they may be anything.
fn scope_word(word: &[u8]) -> Option<String> {
    let is_word = word.len() <= MAX_SCOPE_BYTES
        && word.first().is_some_and(u8::is_ascii_lowercase)
        && word.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    if is_word { std::str::from_utf8(word).ok().map(ToOwned::to_owned) } else { None }
}

/// Undoes percent-encoding: what need not be encoded may be, and means the same [RFC 3986 sections 2.3 and 6.2.2.2].
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let encoded = match tail {
            [high, low, behind @ ..] if *first == b'%' => {
                digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low, behind))
            }
            _ => None,
        };
        let (byte, behind) = encoded.unwrap_or((*first, tail));
        decoded.push(byte);
        rest = behind;
    }
    Cow::Owned(decoded)
}
