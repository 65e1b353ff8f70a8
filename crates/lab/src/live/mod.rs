//! The live side of the laboratory: a demonstration country of real processes, and clients that
//! speak with it as a terminal or a register system does.
//!
//! The one place of this crate that knows clock, dice, sockets, files and processes for the
//! benches. What is measured, and what the answers must be, is decided in `bench`.

pub(crate) mod accounts;
pub(crate) mod builder;
pub(crate) mod calibration;
pub(crate) mod clock;
pub(crate) mod confine;
pub(crate) mod country;
pub(crate) mod decree;
pub(crate) mod dice;
pub(crate) mod files;
pub(crate) mod fleet;
pub(crate) mod identity;
pub(crate) mod keeping;
pub(crate) mod line;
pub(crate) mod loading;
pub(crate) mod machine;
pub(crate) mod office;
pub(crate) mod operator;
pub(crate) mod packages;
pub(crate) mod place;
pub(crate) mod postgres;
pub(crate) mod results;
pub(crate) mod tool;
pub(crate) mod vault;
pub(crate) mod web;
pub(crate) mod workshop;

use std::path::{Path, PathBuf};

/// Why the live side could not do what a bench asked of it.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("{path} cannot be used: {source}", path = .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: {what}", path = .path.display())]
    Content { path: PathBuf, what: String },
    #[error("no jukinet binary beside this one; build it, or name it with --jukinet")]
    NoBinary,
    #[error("the country was not raised: {0}")]
    NotRaised(String),
    #[error("{0} ended before it was ready; see its log")]
    NotReady(String),
    #[error("nothing can be killed at a system call here: {0}")]
    NoTracing(String),
    #[error(transparent)]
    Token(#[from] token::TokenError),
    #[error(transparent)]
    Card(#[from] token::card::CardError),
    #[error("the certificate over the node key cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("{to} was not reached: {source}")]
    Unreachable { to: String, source: std::io::Error },
    #[error("the session ended before every reply came")]
    SessionEnded,
    #[error("a request cannot be sent: {0}")]
    Encode(#[from] wire::EncodeError),
    #[error("the terminal: {0}")]
    Terminal(#[from] node::terminal::TerminalFault),
    #[error("the peer: {0}")]
    Peer(String),
    #[error("the store of {node} cannot be read: {why}")]
    Store { node: String, why: String },
}

impl LiveError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }

    pub(crate) fn content(path: &Path, what: impl Into<String>) -> Self {
        Self::Content { path: path.to_path_buf(), what: what.into() }
    }
}
