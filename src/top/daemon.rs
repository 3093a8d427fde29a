//! A running daemon, asked by its API: plain HTTP, few requests, limits on size and time.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Update;
use super::picture::{Picture, PictureError, Summary};
use crate::serve::MAX_FLOWS;

/// A daemon gives one mebibyte of flows, and less of anything else.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// For a connection, and for each answer; the daemon itself gives up after five seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// Between two attempts at a daemon that does not answer, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Letters of a foreign answer that are told.
const MAX_LETTERS: usize = 120;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// What is wrong with a URL.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("`{0}` is no URL such as http://127.0.0.1:9477")]
    NoUrl(String),
    #[error("ddbwatch serves plain HTTP: begin the URL with http://")]
    NotHttp,
    #[error("give the URL without a path: the API is below /api/v1/")]
    HasPath,
}

impl Address {
    /// From a URL: `http://HOST[:PORT][/]`.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let no_url = || AddressError::NoUrl(url.chars().take(MAX_LETTERS).collect());
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        match uri.scheme_str() {
            Some("http") => {}
            _ if url.contains("://") => return Err(AddressError::NotHttp),
            _ => return Err(no_url()),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(AddressError::HasPath);
        }
        let authority = uri.authority().ok_or_else(no_url)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(no_url());
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 80,
            Some(rest) => rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(no_url)?,
            None => return Err(no_url()),
        };
        Ok(Self { host: authority.host().to_owned(), port })
    }
}

impl Address {
    /// `HOST:PORT`, as in a request.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.host_and_port())
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("{address} cannot be reached ({error}): is `ddbwatch watch` running there?")]
    Unreachable { address: Address, error: io::Error },
    #[error("{address} does not answer within {} seconds", PATIENCE.as_secs())]
    Silent { address: Address },
    #[error("{address} answers {status}: {text}")]
    Refused { address: Address, status: StatusCode, text: String },
    #[error("{address} broke off ({error})")]
    BrokenOff { address: Address, error: hyper::Error },
    #[error("{address} answers with more than {} MiB, which ddbwatch never does", MAX_ANSWER_BYTES >> 20)]
    TooLarge { address: Address },
    #[error("{address}: {error}")]
    Foreign { address: Address, error: PictureError },
    #[error(transparent)]
    Runtime(#[from] io::Error),
}

/// Asks one daemon, again and again.
pub struct Daemon {
    address: Address,
    runtime: tokio::runtime::Runtime,
}

impl Daemon {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// Where the system has no means to wait for a socket.
    pub fn new(address: Address) -> Result<Self, DaemonError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { address, runtime })
    }

    /// The picture of now.
    ///
    /// # Errors
    /// Where it is not there, does not answer in time, or is not ddbwatch.
    pub fn ask(&self) -> Result<Picture, DaemonError> {
        let foreign = |error| DaemonError::Foreign { address: self.address.clone(), error };
        let summary = self.runtime.block_on(self.get("/api/v1/summary"))?;
        let summary = Summary::read(&summary).map_err(foreign)?;
        let flows = self.runtime.block_on(self.get(&format!("/api/v1/flows?limit={MAX_FLOWS}")))?;
        Picture::read(summary, &flows).map_err(foreign)
    }

    /// Asks every `interval`, less often while there is no answer, and at once whenever something comes from
    /// `wake`. Ends when nobody listens any more.
    pub fn follow(self, interval: Duration, updates: &SyncSender<Update>, wake: &Receiver<()>) {
        let mut pause = interval;
        loop {
            match wake.recv_timeout(pause) {
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            }
            let update = match self.ask() {
                Ok(picture) => {
                    pause = interval;
                    Update::Picture(Box::new(picture))
                }
                Err(error) => {
                    pause = (pause * 2).min(LONGEST_PAUSE.max(interval));
                    Update::Trouble(error.to_string())
                }
            };
            // A screen that is behind gets the next one.
            if let Err(TrySendError::Disconnected(_)) = updates.try_send(update) {
                return;
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, DaemonError> {
        let address = || self.address.clone();
        let unreachable = |error| DaemonError::Unreachable { address: address(), error };
        let host = self.address.host.trim_matches(['[', ']']);
        let connecting = TcpStream::connect((host, self.address.port));
        let stream = tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(|_| DaemonError::Silent { address: address() })?
            .map_err(unreachable)?;
        let (requests, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| DaemonError::BrokenOff { address: address(), error })?;
        // What goes wrong with the connection is told to whoever waits for an answer.
        self.runtime.spawn(connection);
        Ok(requests)
    }

    /// Each question has a connection of its own: nothing has to be known of who closes it, and when.
    async fn get(&self, path: &str) -> Result<Bytes, DaemonError> {
        let mut connection = self.connect().await?;
        let address = || self.address.clone();
        let broken_off = |error| DaemonError::BrokenOff { address: address(), error };
        let host = self.address.host_and_port();
        let request = Request::get(path)
            .header(header::HOST, host)
            .body(Empty::new())
            .map_err(|error| DaemonError::Runtime(io::Error::other(error)))?;
        let exchange = async {
            let answer = connection.send_request(request).await.map_err(broken_off)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => broken_off(*error),
                Err(error) if error.is::<LengthLimitError>() => DaemonError::TooLarge { address: address() },
                Err(error) => DaemonError::Runtime(io::Error::other(error)),
            })?;
            Ok::<_, DaemonError>((status, body.to_bytes()))
        };
        let (status, body) = tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| DaemonError::Silent { address: address() })??;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(body.get(..body.len().min(1_000)).unwrap_or_default());
        let line = text.lines().next().unwrap_or_default().chars().take(MAX_LETTERS).collect();
        Err(DaemonError::Refused { address: address(), status, text: line })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn takes_what_the_daemon_serves_and_nothing_else() {
        for (url, text) in [
            ("http://127.0.0.1:9477", "http://127.0.0.1:9477"),
            ("http://[::1]:9477/", "http://[::1]:9477"),
            ("HTTP://gateway.example", "http://gateway.example:80"),
        ] {
            assert_eq!(Address::parse(url).unwrap().to_string(), text);
        }
        assert!(matches!(Address::parse("https://127.0.0.1:9477"), Err(AddressError::NotHttp)));
        assert!(matches!(
            Address::parse("file:///etc/passwd"),
            Err(AddressError::NotHttp | AddressError::NoUrl(_))
        ));
        assert!(matches!(Address::parse("http://127.0.0.1:9477/metrics"), Err(AddressError::HasPath)));
        for url in ["", "127.0.0.1:9477", "localhost", "http://", "http://u:p@h/", "http://h:99999", "a b"] {
            assert!(matches!(Address::parse(url), Err(AddressError::NoUrl(_))), "{url}");
        }
    }

    /// A server that gives `answer` to one connection.
    fn ask_a_server_that_says(answer: impl Into<Vec<u8>>) -> Result<Picture, DaemonError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = answer.into();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(&answer);
        });
        Daemon::new(Address::parse(&url).unwrap()).unwrap().ask()
    }

    #[test]
    fn says_what_is_wrong_with_whoever_answers() {
        let foreign = ask_a_server_that_says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        assert!(matches!(foreign, Err(DaemonError::Foreign { .. })), "{foreign:?}");
        let refused = ask_a_server_that_says("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nno\x1b\n");
        assert!(refused.unwrap_err().to_string().contains("404"));
        assert!(matches!(ask_a_server_that_says("220 mail\r\n"), Err(DaemonError::BrokenOff { .. })));
        assert!(matches!(ask_a_server_that_says(""), Err(DaemonError::BrokenOff { .. })));
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; MAX_ANSWER_BYTES + 1]].concat();
        assert!(matches!(ask_a_server_that_says(endless), Err(DaemonError::TooLarge { .. })));
        let nobody = Daemon::new(Address::parse("http://127.0.0.1:1").unwrap()).unwrap().ask();
        assert!(matches!(nobody, Err(DaemonError::Unreachable { .. })));
    }
}
