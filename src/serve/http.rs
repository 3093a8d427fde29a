//! The HTTP server: few routes, and limits on everything a stranger controls.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::page::content_security_policy;
use super::picture::MAX_FLOWS;

/// An answer of the capture that does not come within this time is given up, with 503.
pub const ANSWER_TIME: Duration = Duration::from_secs(5);

/// An answer is given again to all who ask within this time; however often that is, the engine is disturbed
/// no more than so.
const FRESH: Duration = Duration::from_millis(100);

/// Flows given where nobody says how many.
const DEFAULT_FLOWS: usize = 100;

/// What the head of a request may take; browsers send one to two kilobytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// After an accept that failed (no file descriptor is left), this long nothing is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Whether the engine answers at all.
    Alive,
    Page,
    Metrics,
    Flows,
    Violations,
    Summary,
}

/// Who has the answers.
pub trait Answers: Send + Sync + 'static {
    /// The body for a view; `None` where none can be had.
    fn answer(&self, view: View) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send + '_>>;

    /// Whether packets are captured; else why not.
    ///
    /// # Errors
    /// A sentence for people.
    fn readiness(&self) -> Result<String, String>;
}

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// At once. One more, and the oldest that asks for nothing is closed.
    pub connections: usize,
    /// For the head of a request, and between two requests.
    pub head: Duration,
    /// For a connection in all, with everything that is asked over it.
    pub lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // A few Prometheus servers and a few people; each connection takes some 20 kB.
        Self { connections: 128, head: Duration::from_secs(5), lifetime: Duration::from_secs(60) }
    }
}

/// The server.
pub struct Server {
    answers: Arc<dyn Answers>,
    limits: Limits,
    security_policy: HeaderValue,
    fresh: BTreeMap<View, tokio::sync::Mutex<Option<(Instant, Bytes)>>>,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    newest: u64,
    open: BTreeMap<u64, Connection>,
}

struct Connection {
    task: AbortHandle,
    /// A request was read and its answer is being made.
    is_busy: Arc<AtomicBool>,
}

type Answer = Response<Full<Bytes>>;

impl Server {
    /// A server that is not listening yet.
    #[must_use]
    pub fn new(answers: Arc<dyn Answers>, limits: Limits) -> Arc<Self> {
        let views = [View::Alive, View::Page, View::Metrics, View::Flows, View::Violations, View::Summary];
        Arc::new(Self {
            answers,
            limits,
            security_policy: HeaderValue::from_str(&content_security_policy())
                .unwrap_or(HeaderValue::from_static("default-src 'none'")),
            fresh: views.into_iter().map(|view| (view, tokio::sync::Mutex::default())).collect(),
            connections: Mutex::default(),
        })
    }

    /// Accepts connections until the future is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        // A page of somebody else must not read ours through a name that it lets point here.
        let must_be_named = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.admit(stream, must_be_named),
                Err(error) if is_about_one_connection(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// Connections that are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        lock(&self.connections).open.len()
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, must_be_named: bool) {
        let mut connections = lock(&self.connections);
        if connections.open.len() >= self.limits.connections {
            let idle = connections.open.iter().find(|(_, open)| !open.is_busy.load(Ordering::Relaxed));
            let Some(oldest) = idle.map(|(number, _)| *number) else { return };
            if let Some(oldest) = connections.open.remove(&oldest) {
                oldest.task.abort();
            }
        }
        connections.newest += 1;
        let number = connections.newest;
        let is_busy = Arc::new(AtomicBool::new(false));
        let (server, busy) = (Arc::clone(self), Arc::clone(&is_busy));
        let task = tokio::spawn(async move {
            let talk = server.talk(stream, &busy, must_be_named);
            let _ = tokio::time::timeout(server.limits.lifetime, talk).await;
            lock(&server.connections).open.remove(&number);
        });
        connections.open.insert(number, Connection { task: task.abort_handle(), is_busy });
    }

    async fn talk(&self, stream: TcpStream, is_busy: &AtomicBool, must_be_named: bool) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request: Request<Incoming>| async move {
            is_busy.store(true, Ordering::Relaxed);
            let mut answer = self.route(&request, must_be_named).await;
            self.secure(answer.headers_mut());
            is_busy.store(false, Ordering::Relaxed);
            Ok::<_, Infallible>(answer)
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS);
        // Whatever goes wrong with one connection is nobody else's business.
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn route(&self, request: &Request<Incoming>, must_be_named: bool) -> Answer {
        if must_be_named && !is_own_name(request) {
            return text(
                StatusCode::MISDIRECTED_REQUEST,
                "This is ddbwatch of this host alone: ask for an address or for localhost.\n",
            );
        }
        // One that another part of the way would read otherwise [RFC 9112 section 3.2].
        let names = request.headers().get_all(header::HOST).iter().count();
        if names > 1 || names == 0 && request.version() == Version::HTTP_11 {
            return text(StatusCode::BAD_REQUEST, "A request has one Host.\n");
        }
        let path = request.uri().path();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let (view, media_type) = match path {
            "/" => (View::Page, "text/html; charset=utf-8"),
            "/metrics" => (View::Metrics, "text/plain; version=0.0.4; charset=utf-8"),
            "/healthz" => (View::Alive, "text/plain; charset=utf-8"),
            "/readyz" => {
                return match self.answers.readiness() {
                    Ok(sentence) => text(StatusCode::OK, sentence + "\n"),
                    Err(sentence) => text(StatusCode::SERVICE_UNAVAILABLE, sentence + "\n"),
                };
            }
            "/api/v1/flows" => (View::Flows, "application/json"),
            "/api/v1/violations" => (View::Violations, "application/json"),
            "/api/v1/summary" => (View::Summary, "application/json"),
            _ => return text(StatusCode::NOT_FOUND, "There is nothing here; / has links to all there is.\n"),
        };
        let limit = if view == View::Flows {
            match limit(request.uri()) {
                Ok(limit) => Some(limit),
                Err(sentence) => return text(StatusCode::BAD_REQUEST, sentence),
            }
        } else {
            None
        };
        let Some(body) = self.fresh(view).await else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "The engine does not answer.\n");
        };
        let body = limit.map_or(body.clone(), |limit| first_flows(&body, limit));
        answer(StatusCode::OK, media_type, body)
    }

    /// The body of a view, at most [`FRESH`] old. Those who ask at the same time wait for the same answer.
    async fn fresh(&self, view: View) -> Option<Bytes> {
        let mut kept = self.fresh.get(&view)?.lock().await;
        if let Some((made, body)) = &*kept
            && made.elapsed() < FRESH
        {
            return Some(body.clone());
        }
        let body = tokio::time::timeout(ANSWER_TIME, self.answers.answer(view)).await.ok().flatten()?;
        *kept = Some((Instant::now(), body.clone()));
        Some(body)
    }

    fn secure(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_SECURITY_POLICY, self.security_policy.clone());
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
            (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, "text/plain; charset=utf-8", body.into())
}

fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// How many flows are asked for.
fn limit(uri: &Uri) -> Result<usize, String> {
    for pair in uri.query().unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key == "limit" {
            let number = value.parse::<u64>().map_err(|_| {
                format!("`limit` is a whole number; at most {MAX_FLOWS} of the newest flows are given.\n")
            })?;
            return Ok(usize::try_from(number).unwrap_or(MAX_FLOWS).min(MAX_FLOWS));
        }
    }
    Ok(DEFAULT_FLOWS)
}

/// The first elements of an array that was written one to a line.
fn first_flows(body: &Bytes, limit: usize) -> Bytes {
    // The opening bracket, so many lines, and what follows.
    let Some(end) = memchr::memchr_iter(b'\n', body).nth(limit) else { return body.clone() };
    // No element stands behind the closing bracket, nor in front of it beyond the last.
    if end + b"\n]\n".len() >= body.len() {
        return body.clone();
    }
    let head = body.get(..end).unwrap_or_default();
    let mut cut = Vec::with_capacity(end + 4);
    cut.extend_from_slice(head.strip_suffix(b",").unwrap_or(head));
    cut.extend_from_slice(b"\n]\n");
    Bytes::from(cut)
}

/// Whether a request names this host as something that no foreign page can be served under.
fn is_own_name(request: &Request<Incoming>) -> bool {
    let Some(host) = request.headers().get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    is_address_or_localhost(host)
}

fn is_address_or_localhost(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => return address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

/// Errors of `accept` that say nothing of the listener.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
