//! `desk`: what people see. Server-rendered pages over loopback, in Japanese and English.
//!
//! Three page sets share one frame: the clerk's inquiry (T01, T03, T04), the resident's timeline at
//! a disclosure desk (R24) and the network map of the center (N20). The pages are HTML; the script
//! only adds comfort, and every page works without it.
//!
//! It is not a place of decisions: whether someone may ask is said by `law`, what was answered
//! comes through [`Backend`]. It keeps nothing: no clock, no disk, no randomness of its own, and
//! what an operator sees lives in memory until the session ends (C1). It trusts the browser with
//! nothing, see `guard`.

mod assets;
mod backend;
mod clock;
mod disclosure;
mod fault;
mod form;
mod guard;
mod help;
mod inquiry;
mod login;
mod map;
mod meter;
mod network;
mod page;
pub mod paper;
mod result;
mod sessions;
mod shown;
mod texts;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use backend::{
    AffairChoice, Backend, Fut, InquiryForm, InquiryResult, LedgerSeen, LinkState, LookKind,
    NetworkView, NodeState, NodeView, OperatorSession, PlaceInfo, PlaceKind, Refused, Timeline,
    TimelineRow,
};
pub use page::{Clock, DeskSettings, SharedDice};
pub use shown::Shown;
pub use texts::Lang;

use page::Desk;

/// The pages of one terminal. Which of them exist depends on the place (照会窓口, 開示窓口, 監視室):
/// a page that a place does not need is not there to be attacked.
pub fn router(backend: Arc<dyn Backend>, settings: DeskSettings) -> Router {
    open(backend, settings).0
}

/// The same, with a way to let a browser in again: a start token works once, so a kiosk browser
/// that was restarted needs a new one.
pub fn open(backend: Arc<dyn Backend>, settings: DeskSettings) -> (Router, Door) {
    let kind = backend.place().kind;
    let desk = Arc::new(Desk::new(backend, settings));
    let shared = Router::new()
        .route("/", get(login::front))
        .route("/login", post(login::login))
        .route("/logout", post(login::logout))
        .route("/card", get(login::card))
        .route("/refused/{rule}", get(guard::refused))
        .route("/help", get(help::help))
        .route("/assets/{name}", get(assets::asset));
    let pages = match kind {
        PlaceKind::Clerk => Router::new()
            .route("/inquiry", get(inquiry::form).post(inquiry::ask))
            .route("/inquiry/clear", post(inquiry::clear))
            .route("/meter", post(inquiry::meter))
            .route("/q/{handle}", get(result::result))
            .route("/q/{handle}/show", post(result::show_again)),
        PlaceKind::Disclosure => Router::new()
            .route("/disclosure", get(disclosure::form).post(disclosure::open))
            .route("/q/{handle}", get(result::result))
            .route("/q/{handle}/show", post(result::show_again)),
        PlaceKind::NetworkRoom => Router::new().route("/network", get(network::network)),
    };
    // The guard is the outermost layer, so that no page, not even a missing one, is outside it.
    let router = shared
        .merge(pages)
        .fallback(guard::nowhere)
        .layer(from_fn_with_state(Arc::clone(&desk), guard::guard))
        .with_state(Arc::clone(&desk));
    (router, Door { desk })
}

/// Lets browsers in.
#[derive(Clone)]
pub struct Door {
    desk: Arc<Desk>,
}

impl Door {
    /// Accepts `http://HOST/?t=TOKEN` once. At most a few tokens wait; the oldest lapses.
    pub fn admit(&self, start_token: String) {
        self.desk.sessions.mint(start_token, None);
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door(…)")
    }
}
