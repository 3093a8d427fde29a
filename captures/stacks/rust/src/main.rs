//! Client and server with rustls and aws-lc.
//!
//! `rustls-peer client ADDRESS PORT NAME CA_FILE [OPTION]...` prints what rustls says of each handshake as JSON.
//! `rustls-peer server ADDRESS PORT CERTIFICATE KEY [OPTION]...` answers each line with `gnip`.
//! Options: `groups=A,B` (the first is the client's key share), `tls12`, `twice` (resume), `ech-grease`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::client::{EchGreaseConfig, EchMode};
use rustls::crypto::aws_lc_rs::{self, hpke, kx_group};
use rustls::crypto::hpke::Hpke;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned, version,
};

type Outcome = Result<(), Box<dyn Error>>;

const GROUPS: [(&str, &dyn SupportedKxGroup); 6] = [
    ("X25519MLKEM768", kx_group::X25519MLKEM768),
    ("SECP256R1MLKEM768", kx_group::SECP256R1MLKEM768),
    ("MLKEM1024", kx_group::MLKEM1024),
    ("X25519", kx_group::X25519),
    ("SECP256R1", kx_group::SECP256R1),
    ("SECP384R1", kx_group::SECP384R1),
];

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, address, port, first, second, options @ ..] = arguments.as_slice() else {
        return Err("see the source for the arguments".into());
    };
    let place = format!("{address}:{port}");
    match role.as_str() {
        "client" => client(&place, first, second, options),
        _ => server(&place, first, second, options),
    }
}

fn has(options: &[String], name: &str) -> bool {
    options.iter().any(|option| option == name)
}

fn provider(options: &[String]) -> Result<Arc<CryptoProvider>, Box<dyn Error>> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(list) = options.iter().find_map(|option| option.strip_prefix("groups=")) {
        provider.kx_groups.clear();
        for name in list.split(',') {
            let group = GROUPS.iter().find(|(known, _)| *known == name).ok_or("unknown group")?;
            provider.kx_groups.push(group.1);
        }
    }
    Ok(Arc::new(provider))
}

fn client(place: &str, name: &str, authority: &str, options: &[String]) -> Outcome {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let builder = ClientConfig::builder_with_provider(provider(options)?);
    let builder = if has(options, "ech-grease") {
        let suite = hpke::DH_KEM_X25519_HKDF_SHA256_AES_128;
        let (key, _) = suite.generate_key_pair()?;
        builder.with_ech(EchMode::Grease(EchGreaseConfig::new(suite, key)))?
    } else if has(options, "tls12") {
        builder.with_protocol_versions(&[&version::TLS12])?
    } else {
        builder.with_safe_default_protocol_versions()?
    };
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    for _ in 0..if has(options, "twice") { 2 } else { 1 } {
        let plain = TcpStream::connect(place)?;
        let port = plain.local_addr()?.port();
        let connection = ClientConnection::new(config.clone(), ServerName::try_from(name.to_owned())?)?;
        let mut stream = StreamOwned::new(connection, plain);
        stream.write_all(b"ping\n")?;
        stream.read_exact(&mut [0; 5])?;
        let state = &stream.conn;
        println!(
            r#"{{"port": {port}, "version": "{:?}", "cipher": "{:?}", "group": "{}", "kind": "{:?}"}}"#,
            state.protocol_version().ok_or("no version")?,
            state.negotiated_cipher_suite().ok_or("no suite")?.suite(),
            state
                .negotiated_key_exchange_group()
                .map_or(String::new(), |group| format!("{:?}", group.name())),
            state.handshake_kind().ok_or("no kind")?,
        );
        stream.conn.send_close_notify();
        stream.flush()?;
    }
    Ok(())
}

fn server(place: &str, certificate: &str, key: &str, options: &[String]) -> Outcome {
    let mut config = ServerConfig::builder_with_provider(provider(options)?)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certificate)?],
            PrivateKeyDer::from_pem_file(key)?,
        )?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    for plain in TcpListener::bind(place)?.incoming() {
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone())?, plain?);
        let mut buffer = [0; 100];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            if stream.write_all(b"gnip\n").is_err() || length == 0 {
                break;
            }
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
    Ok(())
}
