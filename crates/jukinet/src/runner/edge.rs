//! The engine's way out: calls through the network, signatures through the token, a new directory
//! into the book of peers. Replies come back as events of the same machine.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use node::machine::CallFailure;
use node::outbox::{OutgoingCall, SignRequest};
use token::Token;
use tokio::runtime::Handle;
use wire::directory::Directory;

use super::engine::{Edge, Event};
use crate::net;

/// The edge of a node process.
pub struct NodeEdge {
    pub handle: Handle,
    pub caller: net::Caller,
    pub book: Arc<net::Book>,
    pub token: Arc<dyn Token>,
}

impl std::fmt::Debug for NodeEdge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeEdge({:?})", self.caller)
    }
}

impl Edge for NodeEdge {
    fn call(&self, generation: u64, call: OutgoingCall, events: &SyncSender<Event>) {
        let caller = self.caller.clone();
        let events = events.clone();
        self.handle.spawn(async move {
            let OutgoingCall { call, to, request, patience_ms } = call;
            let limit = Duration::from_millis(patience_ms);
            let outcome = caller.call(&to, request, limit).await.map_err(|failure| {
                tracing::debug!(event = "call-failed", to = to.as_str(), %failure);
                known_as(&failure)
            });
            send(&events, Event::Reply { generation, call, outcome }).await;
        });
    }

    fn sign(&self, generation: u64, request: SignRequest, events: &SyncSender<Event>) {
        let token = Arc::clone(&self.token);
        let events = events.clone();
        self.handle.spawn(async move {
            let SignRequest { sign, key, message } = request;
            let signed = tokio::task::spawn_blocking(move || token.sign(key, &message)).await;
            let signature = match signed {
                Ok(Ok(signature)) => Some(signature),
                Ok(Err(error)) => {
                    tracing::error!(event = "token", %error, "the token did not sign");
                    None
                }
                Err(_) => None,
            };
            send(&events, Event::Signed { generation, sign, signature }).await;
        });
    }

    fn adopt(&self, directory: &Directory) {
        self.book.install(directory);
    }
}

/// Hand an event over without blocking the network's threads; the engine drains its inbox in
/// groups, so a full inbox is a matter of milliseconds.
async fn send(events: &SyncSender<Event>, mut event: Event) {
    use std::sync::mpsc::TrySendError;
    loop {
        match events.try_send(event) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            Err(TrySendError::Full(back)) => {
                event = back;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

fn known_as(failure: &net::CallFailure) -> CallFailure {
    match failure {
        net::CallFailure::Timeout(_) => CallFailure::Timeout,
        net::CallFailure::Malformed(_) => CallFailure::Malformed,
        net::CallFailure::NotReachable { .. } => CallFailure::NotReachable,
        net::CallFailure::Unknown(_)
        | net::CallFailure::NotActive(_)
        | net::CallFailure::NotAllowed(_)
        | net::CallFailure::RefusedByPeer(_)
        | net::CallFailure::RefusedByExchange(_)
        | net::CallFailure::PeerWrong(_) => CallFailure::Refused,
    }
}
