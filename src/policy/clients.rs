//! Which SDK a client probably is, and where its TLS and endpoint settings are.
//!
//! A remedy that names the setting is worth more than one that says "update". Both tables can grow
//! without other changes; a client that is in neither gets the general remedy.

use crate::model::Record;

/// A client as the tables know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// For people.
    pub name: &'static str,
    /// Where its TLS version and suites come from.
    pub tls: &'static str,
    /// Where its endpoint URL is set.
    pub endpoint: &'static str,
}

/// User-Agent product (the part before the slash, lower case; the longest that begins it wins) → client.
/// Sources: the SDKs' own documentation of their configuration.
const BY_PRODUCT: &[(&str, Client)] = &[
    (
        "aws-cli",
        Client {
            name: "AWS CLI",
            tls: "the installer brings its own TLS library: update the AWS CLI",
            endpoint: "--endpoint-url, AWS_ENDPOINT_URL_DYNAMODB or endpoint_url in ~/.aws/config",
        },
    ),
    (
        "aws-sdk-cpp",
        Client {
            name: "AWS SDK for C++",
            tls: "the version of libcurl and OpenSSL it is built with",
            endpoint: "ClientConfiguration: scheme, endpointOverride",
        },
    ),
    (
        "aws-sdk-dotnet",
        Client {
            name: "AWS SDK for .NET",
            tls: "the .NET runtime and the operating system (.NET Framework before 4.6.2 does not offer TLS 1.2 by itself)",
            endpoint: "AmazonDynamoDBConfig: ServiceURL, UseHttp",
        },
    ),
    (
        "aws-sdk-go",
        Client {
            name: "AWS SDK for Go",
            tls: "the Go version it is built with, and MinVersion in the transport's tls.Config",
            endpoint: "BaseEndpoint (v2) or Endpoint and DisableSSL (v1)",
        },
    ),
    (
        "aws-sdk-java",
        Client {
            name: "AWS SDK for Java",
            tls: "the JDK: its version, jdk.tls.client.protocols and jdk.tls.disabledAlgorithms",
            endpoint: "endpointOverride (v2) or withEndpointConfiguration and withProtocol (v1)",
        },
    ),
    (
        "aws-sdk-js",
        Client {
            name: "AWS SDK for JavaScript",
            tls: "the Node.js version, --tls-min-v1.2 and the agent's secureProtocol",
            endpoint: "endpoint and tls (v3) or endpoint and sslEnabled (v2)",
        },
    ),
    (
        "aws-sdk-kotlin",
        Client {
            name: "AWS SDK for Kotlin",
            tls: "the HTTP engine's TLS settings and the JDK",
            endpoint: "endpointUrl of the client's configuration",
        },
    ),
    (
        "aws-sdk-nodejs",
        Client {
            name: "AWS SDK for JavaScript (v2)",
            tls: "the Node.js version, --tls-min-v1.2 and the agent's secureProtocol",
            endpoint: "endpoint and sslEnabled",
        },
    ),
    (
        "aws-sdk-php",
        Client {
            name: "AWS SDK for PHP",
            tls: "the libcurl and OpenSSL that PHP uses",
            endpoint: "endpoint and scheme of the client's configuration",
        },
    ),
    (
        "aws-sdk-ruby",
        Client {
            name: "AWS SDK for Ruby",
            tls: "the OpenSSL that Ruby is built with",
            endpoint: "endpoint of the client's configuration",
        },
    ),
    (
        "aws-sdk-rust",
        Client {
            name: "AWS SDK for Rust",
            tls: "the version of the SDK and the HTTP client it is given",
            endpoint: "endpoint_url of the client's configuration",
        },
    ),
    ("boto", PYTHON),
];

/// boto3 and botocore.
const PYTHON: Client = Client {
    name: "AWS SDK for Python (boto3)",
    tls: "the OpenSSL that Python is built with",
    endpoint: "endpoint_url and use_ssl of the client",
};

/// JA4 fingerprint → client. Only what was recorded from a known client goes in here.
const BY_JA4: &[(&str, Client)] = &[];

/// The client that made a flow, where its own words or its fingerprint tell.
#[must_use]
pub fn recognise(record: &Record) -> Option<&'static Client> {
    let by_product = record.http.as_ref().and_then(|http| http.sdk.as_deref()).and_then(by_product);
    let ja4 = record.tls.as_ref().and_then(|tls| tls.ja4.as_deref());
    by_product.or_else(|| BY_JA4.iter().find(|row| Some(row.0) == ja4).map(|row| &row.1))
}

fn by_product(token: &str) -> Option<&'static Client> {
    let product = token.split('/').next().unwrap_or(token).to_ascii_lowercase();
    BY_PRODUCT.iter().filter(|row| product.starts_with(row.0)).max_by_key(|row| row.0.len()).map(|row| &row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_clients_by_their_product() {
        for (token, name) in [
            ("aws-sdk-js/3.656.0", "AWS SDK for JavaScript"),
            ("aws-sdk-go-v2/1.30.0", "AWS SDK for Go"),
            ("aws-sdk-dotnet-coreclr/3.7", "AWS SDK for .NET"),
            ("Boto3/1.37.0", "AWS SDK for Python (boto3)"),
            ("Botocore/1.37.0", "AWS SDK for Python (boto3)"),
            ("aws-cli/2.25.0", "AWS CLI"),
        ] {
            assert_eq!(by_product(token).map(|client| client.name), Some(name), "{token}");
        }
        for token in ["curl/8.0", "", "/", "aws"] {
            assert_eq!(by_product(token), None, "{token}");
        }
    }
}
