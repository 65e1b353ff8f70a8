//! The wire as the operating system sees it: TLS 1.3 between pinned peers, sessions, the relay.
//! Not who may learn what (`law`) and not what may be said (`wire`): nothing here reads a message
//! beyond its kind.
//!
//! Who is trusted: the signed directory, handed in through [`Book`]. A certificate proves nothing
//! but the possession of a key; whose key it is stands in the directory.

pub mod alarm;
pub mod book;
pub mod client;
mod codec;
pub mod exchange;
pub mod https;
pub mod identity;
pub mod limits;
mod pool;
mod preamble;
pub mod server;
mod session;
pub mod tls;

pub use alarm::Alarms;
pub use book::{Book, PeerEntry, PeerIdentity, PeerState};
pub use client::{CallFailure, Caller, CallerOptions};
pub use exchange::Exchange;
pub use identity::{Identity, IdentityError};
pub use limits::SessionLimits;
pub use server::{Handler, Responder, ServeOptions, serve};
pub use tls::{Tls, TlsProfile};

/// The one application protocol of the network (S1: no HTTP, SMTP, FTP or Telnet).
pub const ALPN: &[u8] = b"jukinet/1";
