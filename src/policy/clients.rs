//! Which SDK a client probably is, and where its TLS and endpoint settings are.
//!
//! A remedy that names the setting is worth more than one that says "update". Both tables can grow
//! without other changes; a client that is in neither gets the general remedy.

use std::collections::BTreeSet;

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
    ("aws-sdk-go", GO),
    ("aws-sdk-java", JAVA),
    ("aws-sdk-js", JAVASCRIPT),
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
        Client { name: "AWS SDK for JavaScript (v2)", endpoint: "endpoint and sslEnabled", ..JAVASCRIPT },
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
    ("aws-sdk-rust", RUST),
    ("boto", PYTHON),
];

/// boto3 and botocore.
const PYTHON: Client = Client {
    name: "AWS SDK for Python (boto3)",
    tls: "the OpenSSL that Python is built with",
    endpoint: "endpoint_url and use_ssl of the client",
};

const GO: Client = Client {
    name: "AWS SDK for Go",
    tls: "the Go version it is built with, and MinVersion in the transport's tls.Config",
    endpoint: "BaseEndpoint (v2) or Endpoint and DisableSSL (v1)",
};

const JAVA: Client = Client {
    name: "AWS SDK for Java",
    tls: "the JDK: its version, jdk.tls.client.protocols and jdk.tls.disabledAlgorithms",
    endpoint: "endpointOverride (v2) or withEndpointConfiguration and withProtocol (v1)",
};

const JAVASCRIPT: Client = Client {
    name: "AWS SDK for JavaScript",
    tls: "the Node.js version, --tls-min-v1.2 and the agent's secureProtocol",
    endpoint: "endpoint and tls (v3) or endpoint and sslEnabled (v2)",
};

const RUST: Client = Client {
    name: "AWS SDK for Rust",
    tls: "the version of the SDK and the HTTP client it is given",
    endpoint: "endpoint_url of the client's configuration",
};

/// A fingerprint that was recorded from a known program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub ja4: &'static str,
    /// The shipped capture it was read from, where a test reads it again.
    pub capture: &'static str,
    /// A fingerprint is a library's and its settings', so where many programs share one the name says so.
    pub client: Client,
}

/// What was recorded, and nothing else: fingerprints change with every version of a library.
pub const FINGERPRINTS: &[Fingerprint] = &[
    Fingerprint {
        ja4: "t13d1812h1_85036bcba153_b26ce05bbdd6",
        capture: "boto3-tls.pcap",
        client: Client {
            name: "AWS SDK for Python (boto3), or another program on Python's urllib3",
            ..PYTHON
        },
    },
    Fingerprint {
        ja4: "t13d521100_b262b3658495_8e6e362c5eac",
        capture: "sdk-js-tls.pcap",
        client: Client { name: "AWS SDK for JavaScript, or another program on Node.js 24", ..JAVASCRIPT },
    },
    Fingerprint {
        ja4: "t13d5911h1_a33745022dd6_1f22a2ca17c4",
        capture: "node-tls13.pcap",
        client: Client {
            name: "a program on Node.js 20",
            tls: "the Node.js version and --tls-min-v1.2",
            endpoint: "the program's own configuration",
        },
    },
    Fingerprint {
        ja4: "t13d1910h2_9dc949149365_97f8aa674fd9",
        capture: "go-tls13.pcap",
        client: Client { name: "a program in Go 1.19, such as one with the AWS SDK for Go", ..GO },
    },
    Fingerprint {
        ja4: "t12d1609h2_8cdfa2d4673b_ac0d2f4ec206",
        capture: "go-tls12.pcap",
        client: Client {
            name: "a program in Go 1.19 that is held to TLS 1.2",
            tls: "MaxVersion in the transport's tls.Config",
            ..GO
        },
    },
    Fingerprint {
        ja4: "t13d1011h1_61a7ad8aa9b6_0d308c48d2a3",
        capture: "rustls-x25519mlkem768.pcap",
        client: Client {
            name: "a program in Rust on rustls and aws-lc, such as one with the AWS SDK for Rust",
            tls: "the version of rustls and the crypto provider it is given",
            ..RUST
        },
    },
    Fingerprint {
        ja4: "t12d1009h1_61a7ad8aa9b6_d711469814ef",
        capture: "rustls-tls12.pcap",
        client: Client {
            name: "a program in Rust on rustls that is held to TLS 1.2",
            tls: "the protocol versions of its rustls configuration",
            ..RUST
        },
    },
    Fingerprint {
        ja4: "t13d181100_85036bcba153_d41ae481755e",
        capture: "python-tls13.pcap",
        client: Client {
            name: "a Python program on the ssl module",
            tls: "the OpenSSL that Python is built with, and its SSLContext",
            endpoint: "the program's own configuration",
        },
    },
    Fingerprint {
        ja4: "t13d311000_e8f1e7e78f70_5ac7197df9d2",
        capture: "dax-tls.pcap",
        client: Client {
            name: "openssl s_client, or another program with the defaults of OpenSSL 3",
            tls: "OpenSSL's configuration: MinProtocol and CipherString",
            endpoint: "the program's own configuration",
        },
    },
    Fingerprint {
        ja4: "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6",
        capture: "curl-connect.pcap",
        client: Client {
            name: "curl, or another program on libcurl with OpenSSL 3",
            tls: "--tlsv1.2, --ciphers and OpenSSL's configuration",
            endpoint: "the URL it is given",
        },
    },
    Fingerprint {
        ja4: "t13d371200_db35923f8641_7c76daad20ec",
        capture: "java-tls13.pcap",
        client: Client { name: "a program on Java 17, such as one with the AWS SDK for Java", ..JAVA },
    },
    Fingerprint {
        ja4: "t12d341000_0ca14b6c4d46_1f7ae294493e",
        capture: "java-tls12.pcap",
        client: Client { name: "a program on Java 17 that is held to TLS 1.2", ..JAVA },
    },
];

/// The client that made a flow, where its own words or its fingerprint tell.
#[must_use]
pub fn recognise(record: &Record) -> Option<&'static Client> {
    let by_product = record.http.as_ref().and_then(|http| http.sdk.as_deref()).and_then(by_product);
    let ja4 = record.tls.as_ref().and_then(|tls| tls.ja4.as_deref());
    by_product.or_else(|| FINGERPRINTS.iter().find(|row| Some(row.ja4) == ja4).map(|row| &row.client))
}

fn by_product(token: &str) -> Option<&'static Client> {
    let product = token.split('/').next().unwrap_or(token).to_ascii_lowercase();
    BY_PRODUCT.iter().filter(|row| product.starts_with(row.0)).max_by_key(|row| row.0.len()).map(|row| &row.1)
}

/// Programs recognised in several flows, of one address for example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    names: BTreeSet<&'static str>,
    has_others: bool,
}

impl Programs {
    /// Names shown; more are counted.
    const SHOWN: usize = 3;

    /// Adds that of one flow.
    pub fn add(&mut self, record: &Record) {
        match recognise(record) {
            Some(client) => {
                self.names.insert(client.name);
            }
            None => self.has_others = true,
        }
    }

    /// For people: all of them, because one alone would be blamed for the others. `None` where none is known.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let mut words: Vec<String> = self.names.iter().take(Self::SHOWN).map(ToString::to_string).collect();
        let more = self.names.len().saturating_sub(Self::SHOWN);
        match (more, self.has_others) {
            _ if words.is_empty() => return None,
            (0, false) => {}
            (0, true) => words.push("and others, not recognised".to_owned()),
            (more, false) => words.push(format!("and {more} more")),
            (more, true) => words.push(format!("and {more} more; others not recognised")),
        }
        Some(words.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HttpFacts;
    use crate::policy::evaluation::tests::good;

    /// A flow whose request names this product.
    fn sample_of(sdk: Option<&str>) -> Record {
        let http = HttpFacts { sdk: sdk.map(str::to_owned), ..HttpFacts::default() };
        Record { tls: None, http: Some(Box::new(http)), ..good() }
    }

    #[test]
    fn no_program_is_named_for_the_flows_of_others() {
        let mut programs = Programs::default();
        programs.add(&sample_of(None));
        assert_eq!(programs.words(), None);
        programs.add(&sample_of(Some("aws-sdk-js/3.656.0")));
        let one = programs.words().unwrap();
        assert!(one.contains("JavaScript") && one.ends_with("; and others, not recognised"), "{one}");
        programs.add(&sample_of(Some("aws-sdk-go-v2/1.30.0")));
        let two = programs.words().unwrap();
        assert!(two.contains("JavaScript") && two.contains("Go"), "{two}");
    }

    #[test]
    fn lists_no_fingerprint_twice() {
        for (number, row) in FINGERPRINTS.iter().enumerate() {
            assert!(FINGERPRINTS.iter().skip(number + 1).all(|other| other.ja4 != row.ja4), "{}", row.ja4);
        }
    }

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
