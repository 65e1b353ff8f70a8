//! The vendor gateway: the existing register system (既存住基システム) of a vendor hands changes over as
//! JSON, and the gateway is the feed of the communication server for it. It keeps nothing: no file,
//! no queue, no memory of a batch; who sends is answered when the server has answered.
//!
//! Who is trusted: clients whose key the configuration pins, for what `law` and the server let a
//! register system say. HTTP ends here, on the municipal LAN; behind it is jukinet/1.

mod codes;
pub mod openapi;
mod refusal;
mod rows;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use law::character::CharacterTable;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use wire::{FeedBatch, FeedOutcome, FeedVerdict, NodeId, Reply, Request, Role};

use crate::character_file::{self, CharacterFileError};
use crate::clock;
use crate::config::GatewayConfig;
use crate::feed::RowFault;
use crate::net::https::{self, ClientName, HttpsOptions, PinnedName};
use crate::net::{Book, CallFailure, Caller, Identity, IdentityError};
use crate::runner::terminal::lan_caller;
use crate::token_file::{self, TokenOpenError};
use refusal::Refusal;
use rows::{Batch, Whole};

/// A batch of the greatest rows, every character escaped.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A body comes over a LAN.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long one call may take: what it asks is durable at the CS when it is answered.
const CALL_PATIENCE: Duration = Duration::from_secs(30);
/// Whether the server can be reached shows at once or not at all.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error(transparent)]
    Token(#[from] TokenOpenError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Characters(#[from] CharacterFileError),
    #[error("cannot serve on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
}

/// What the handlers share. Nothing of a batch is in it.
struct Gateway {
    caller: Caller,
    server: NodeId,
    characters: Option<Arc<CharacterTable>>,
    /// One place for each client: its next batch waits for the answer to the one before.
    places: Vec<(Arc<str>, Arc<Semaphore>)>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway(to {})", self.server.as_str())
    }
}

/// Serve until `stop` turns true. `ready` is called once requests are accepted.
pub async fn serve(
    config: GatewayConfig,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), GatewayError> {
    let identity = identity(&config)?;
    let certified = identity.certified_for(config.names.clone())?;
    let characters = config.characters.as_deref().map(character_file::read).transpose()?;
    let book = Book::new(Vec::new(), vec![config.server.entry()], clock::now);
    let caller = lan_caller(Role::Feed, identity, book, config.tls_profile);
    let clients: Arc<[PinnedName]> = config
        .clients
        .iter()
        .map(|client| PinnedName { name: client.name.clone(), pin: client.pin })
        .collect();
    let place = |client: &PinnedName| (client.name.as_str().into(), Arc::new(Semaphore::new(1)));
    let places = clients.iter().map(place).collect();
    let server = config.server.node.clone();
    let gateway = Arc::new(Gateway { caller, server, characters, places });
    let options = HttpsOptions { profile: config.tls_profile, certified, clients };
    let address = config.listen;
    https::serve(address, options, router(gateway), stop, ready)
        .await
        .map_err(|source| GatewayError::Listen { address, source })
}

/// The feed's own face, towards the server and towards clients.
pub fn identity(config: &GatewayConfig) -> Result<Identity, GatewayError> {
    let token = token_file::open(&config.token)?;
    Ok(Identity::new(config.node.clone(), token)?)
}

fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/change-batches", post(change_batches))
        .route("/v1/record-codes", post(record_codes))
        .route("/v1/health", get(health))
        .route("/openapi.json", get(document))
        .fallback(|| async { sealed(Refusal::NoSuchPath.response(&[])) })
        .with_state(gateway)
}

/// No cache between here and the client keeps an answer.
fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn document() -> Response {
    sealed(refusal::json(StatusCode::OK, &openapi::document()))
}

async fn change_batches(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<ClientName>,
    request: HttpRequest,
) -> Response {
    let answered = gateway.batch(&client, request).await;
    sealed(answered.unwrap_or_else(|whole| refused(&client, whole)))
}

async fn record_codes(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<ClientName>,
    request: HttpRequest,
) -> Response {
    let answered = gateway.record_code(&client, request).await;
    sealed(answered.unwrap_or_else(|whole| refused(&client, whole)))
}

fn refused(client: &ClientName, whole: Whole) -> Response {
    tracing::info!(event = "refused", client = %client.0, rule = whole.refusal.rule());
    let mut place: Vec<(&'static str, Value)> = Vec::new();
    place.extend(whole.row.map(|row| ("row", json!(row))));
    place.extend(whole.field.map(|field| ("field", json!(field))));
    whole.refusal.response(&place)
}

async fn health(State(gateway): State<Arc<Gateway>>) -> Response {
    let server = &gateway.server;
    sealed(match gateway.caller.reaches(server, HEALTH_PATIENCE).await {
        Ok(()) => {
            let body = json!({"status": "ok", "server": server.as_str()});
            refusal::json(StatusCode::OK, &body)
        }
        Err(failure) => of_failure(&failure).response(&[]),
    })
}

impl Gateway {
    /// The body of a request, and the client's one place while it is answered.
    async fn enter(
        &self,
        client: &ClientName,
        request: HttpRequest,
        bytes_max: usize,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Whole> {
        let place = self.places.iter().find(|(name, _)| *name == client.0);
        let place = place.map(|(_, place)| Arc::clone(place)).ok_or(Refusal::Busy)?;
        let turn = place.try_acquire_owned().map_err(|_| Refusal::Busy)?;
        if !is_json(request.headers()) {
            return Err(Refusal::NotJson.into());
        }
        match timeout(BODY_TIMEOUT, to_bytes(request.into_body(), bytes_max)).await {
            Ok(Ok(bytes)) => Ok((bytes, turn)),
            Ok(Err(_)) => Err(Refusal::TooLarge.into()),
            Err(_) => Err(Refusal::TooSlow.into()),
        }
    }

    async fn record_code(
        &self,
        client: &ClientName,
        request: HttpRequest,
    ) -> Result<Response, Whole> {
        let (body, _turn) = self.enter(client, request, codes::BODY_BYTES_MAX).await?;
        let asked = codes::read(&body)?;
        let number = asked.request;
        match self.call(Request::TakeCode(asked)).await? {
            Reply::CodeTaken(taken) if taken.request == number => {
                tracing::info!(event = "code-taken", client = %client.0);
                Ok(refusal::json(StatusCode::OK, &codes::answer(&taken)))
            }
            Reply::Unavailable { reason } if reason == "pool-empty" => {
                Err(Refusal::PoolEmpty.into())
            }
            Reply::Unavailable { .. } => Err(Refusal::ServerUnavailable.into()),
            _ => Err(Refusal::ServerRefuses.into()),
        }
    }

    async fn call(&self, request: Request) -> Result<Reply, Whole> {
        self.caller.call(&self.server, request, CALL_PATIENCE).await.map_err(|failure| {
            tracing::warn!(event = "server-failed", %failure);
            of_failure(&failure).into()
        })
    }

    async fn batch(&self, client: &ClientName, request: HttpRequest) -> Result<Response, Whole> {
        let (body, _turn) = self.enter(client, request, BODY_BYTES_MAX).await?;
        let batch = rows::read(&body, self.characters.as_deref())?;
        drop(body);
        let Batch { id, numbers, rows, faults } = batch;
        let verdicts = self.send(rows).await?;
        let mut all: Vec<(u32, FeedVerdict)> =
            faults.into_iter().map(|(row, fault)| (row, rejected(fault))).collect();
        all.extend(verdicts);
        all.sort_by_key(|(row, _)| *row);
        let count = |of: &str| all.iter().filter(|(_, verdict)| word(verdict) == of).count();
        let (recorded, waiting, rejected) =
            (count("recorded"), count("waiting"), count("rejected"));
        tracing::info!(event = "batch", client = %client.0, recorded, waiting, rejected);
        let rows: Vec<Value> = all
            .iter()
            .zip(&numbers)
            .map(|((row, verdict), number)| outcome(*row, *number, verdict))
            .collect();
        let body = json!({
            "batch": id, "recorded": recorded, "waiting": waiting, "rejected": rejected,
            "rows": rows,
        });
        Ok(refusal::json(StatusCode::OK, &body))
    }

    async fn send(
        &self,
        rows: Vec<wire::FeedRow>,
    ) -> Result<impl Iterator<Item = (u32, FeedVerdict)>, Whole> {
        let sent = rows.len();
        let reply = if rows.is_empty() {
            Reply::FeedResult(Vec::new())
        } else {
            self.call(Request::Feed(FeedBatch { rows })).await?
        };
        match reply {
            Reply::FeedResult(outcomes) if outcomes.len() == sent => {
                Ok(outcomes.into_iter().map(|FeedOutcome { row, outcome }| (row, outcome)))
            }
            Reply::Unavailable { .. } => Err(Refusal::ServerUnavailable.into()),
            _ => Err(Refusal::ServerRefuses.into()),
        }
    }
}

/// Transient: the client may send the same batch again later. A reply that did not come leaves the
/// outcome open, which the same batch again makes known.
fn of_failure(failure: &CallFailure) -> Refusal {
    match failure {
        CallFailure::Timeout(_) => Refusal::OutcomeUnknown,
        CallFailure::RefusedByPeer(_) | CallFailure::PeerWrong(_) => Refusal::ServerRefuses,
        failure if failure.is_transient() => Refusal::ServerUnavailable,
        _ => Refusal::ServerRefuses,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = text.and_then(|text| text.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn rejected(fault: RowFault) -> FeedVerdict {
    let RowFault { column, rule, remedy } = fault;
    FeedVerdict::Rejected { column, rule, remedy }
}

/// A row taken now and a row taken before are the same to who sends: recorded.
const fn word(verdict: &FeedVerdict) -> &'static str {
    match verdict {
        FeedVerdict::Accepted { .. } | FeedVerdict::Duplicate => "recorded",
        FeedVerdict::Waiting => "waiting",
        FeedVerdict::Rejected { .. } => "rejected",
    }
}

fn outcome(row: u32, sequence: Option<u64>, verdict: &FeedVerdict) -> Value {
    let outcome = word(verdict);
    match verdict {
        FeedVerdict::Rejected { column, rule, remedy } => json!({
            "row": row, "sequence": sequence, "outcome": outcome,
            "column": column, "rule": rule, "remedy": remedy,
        }),
        _ => json!({ "row": row, "sequence": sequence, "outcome": outcome }),
    }
}
