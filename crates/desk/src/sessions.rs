//! The one browser session of a terminal, and inside it the one operator session.
//!
//! What a page shows about a person is held here, in memory, under an opaque handle, and is dropped
//! with the operator's session (C1). A kiosk has one user at a time: a new start ends the old one.
//! Nothing here knows the time or draws a number; both are handed in.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use law::time::Timestamp;
use subtle::ConstantTimeEq;

use crate::backend::{InquiryResult, OperatorSession, Refused, Timeline};
use crate::inquiry::Draft;
use crate::login::End;

/// A start token waits for the kiosk browser; every end of a session mints the next one.
pub(crate) const START_TOKENS_MAX: usize = 4;
/// Results a clerk may go back to within a session; the oldest goes first.
pub(crate) const RESULTS_HELD_MAX: usize = 16;
/// S1 asks that a screen left alone ends; ten minutes is one long conversation at a counter.
pub(crate) const OPERATOR_IDLE_MS_MAX: u64 = 10 * 60 * 1000;
/// Values of a person leave the screen after a minute (T04).
pub(crate) const RESULT_SHOWN_MS_MAX: u64 = 60 * 1000;
/// A resident reads the own timeline without hurry; it holds none of the four items.
pub(crate) const TIMELINE_SHOWN_MS_MAX: u64 = 10 * 60 * 1000;

/// What a handle stands for.
#[derive(Debug)]
pub(crate) enum Held {
    /// An answered inquiry and what it was about.
    Answer { result: InquiryResult, affair: String, case_number: String },
    /// A refused one.
    Refused(Refused),
    /// A resident's records; `code` is the record code as typed.
    Timeline { timeline: Timeline, code: String },
}

impl Held {
    fn shown_ms_max(&self) -> u64 {
        match self {
            Self::Answer { .. } | Self::Refused(_) => RESULT_SHOWN_MS_MAX,
            Self::Timeline { .. } => TIMELINE_SHOWN_MS_MAX,
        }
    }
}

/// A held value as it may be looked at now.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) held: Arc<Held>,
    /// Milliseconds until it must leave the screen; `None` once the time is over.
    pub(crate) left_ms: Option<u64>,
}

/// What the guard and the pages may know about the browser's session.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) csrf: String,
    pub(crate) operator: Option<Arc<OperatorSession>>,
    pub(crate) idle: bool,
    pub(crate) after: Option<End>,
}

struct Keep {
    handle: String,
    once: String,
    held: Arc<Held>,
    shown_at: Option<Timestamp>,
}

struct Operator {
    session: Arc<OperatorSession>,
    kept: VecDeque<Keep>,
    draft: Draft,
    active_at: Timestamp,
}

struct Browser {
    id: String,
    csrf: String,
    /// Why the session before this one ended.
    after: Option<End>,
    /// A refusal to show on the next page, once.
    notice: Option<Refused>,
    operator: Option<Operator>,
}

struct Inner {
    /// Each with the reason why the session before it ended.
    start_tokens: VecDeque<(String, Option<End>)>,
    browser: Option<Browser>,
}

/// All of it behind one lock; nothing inside waits.
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
}

fn same(a: &str, b: &str) -> bool {
    !a.is_empty() && bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

impl Sessions {
    pub(crate) fn new(start_token: String) -> Self {
        let inner = Inner { start_tokens: VecDeque::from([(start_token, None)]), browser: None };
        Self { inner: Mutex::new(inner) }
    }

    /// A page that panicked while holding the lock has changed nothing halfway: every method below
    /// ends its change in one assignment.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a one-time start token; the oldest one lapses.
    pub(crate) fn mint(&self, token: String, after: Option<End>) {
        let mut inner = self.lock();
        if inner.start_tokens.len() >= START_TOKENS_MAX {
            inner.start_tokens.pop_front();
        }
        inner.start_tokens.push_back((token, after));
    }

    /// Spends a start token for a browser session. A session that existed ends.
    pub(crate) fn start(&self, token: &str, id: String, csrf: String) -> bool {
        let mut inner = self.lock();
        let Some(at) = inner.start_tokens.iter().position(|(known, _)| same(known, token)) else {
            return false;
        };
        let after = inner.start_tokens.remove(at).and_then(|(_, after)| after);
        inner.browser = Some(Browser { id, csrf, after, notice: None, operator: None });
        true
    }

    /// The session that a cookie names.
    pub(crate) fn visit(&self, id: &str, now: Timestamp) -> Option<Visit> {
        let inner = self.lock();
        let browser = inner.browser.as_ref().filter(|browser| same(&browser.id, id))?;
        let operator = browser.operator.as_ref();
        Some(Visit {
            csrf: browser.csrf.clone(),
            after: browser.after,
            operator: operator.map(|operator| Arc::clone(&operator.session)),
            idle: operator.is_some_and(|operator| {
                now.0.saturating_sub(operator.active_at.0) >= OPERATOR_IDLE_MS_MAX
            }),
        })
    }

    /// An operator has signed in: new cookie, new form token, so that nothing known before counts.
    pub(crate) fn enter(&self, id: String, csrf: String, session: OperatorSession, now: Timestamp) {
        let operator = Operator {
            session: Arc::new(session),
            kept: VecDeque::new(),
            draft: Draft::default(),
            active_at: now,
        };
        self.lock().browser =
            Some(Browser { id, csrf, after: None, notice: None, operator: Some(operator) });
    }

    /// Ends everything; the cookie names nothing any more.
    pub(crate) fn end(&self) {
        self.lock().browser = None;
    }

    fn operator<T>(&self, id: &str, then: impl FnOnce(&mut Operator) -> T) -> Option<T> {
        let mut inner = self.lock();
        let browser = inner.browser.as_mut().filter(|browser| same(&browser.id, id))?;
        browser.operator.as_mut().map(then)
    }

    /// A person did something. The card watcher does not count.
    pub(crate) fn touch(&self, id: &str, now: Timestamp) {
        self.operator(id, |operator| operator.active_at = now);
    }

    /// Keeps a value under `handle`; `once` is the idempotency key of the form that made it.
    pub(crate) fn keep(&self, id: &str, once: &str, handle: String, held: Held) -> bool {
        let keep = Keep { handle, once: once.to_owned(), held: Arc::new(held), shown_at: None };
        self.operator(id, |operator| {
            if operator.kept.len() >= RESULTS_HELD_MAX {
                operator.kept.pop_front();
            }
            operator.kept.push_back(keep);
        })
        .is_some()
    }

    /// The handle that a form sent before has already led to.
    pub(crate) fn by_once(&self, id: &str, once: &str) -> Option<String> {
        self.operator(id, |operator| {
            operator.kept.iter().find(|keep| same(&keep.once, once)).map(|keep| keep.handle.clone())
        })
        .flatten()
    }

    /// Looks at a held value; the first look starts its time.
    pub(crate) fn look(&self, id: &str, handle: &str, now: Timestamp) -> Option<Look> {
        self.operator(id, |operator| {
            let keep = operator.kept.iter_mut().find(|keep| same(&keep.handle, handle))?;
            let since = keep.shown_at.get_or_insert(now);
            let shown = now.0.saturating_sub(since.0);
            let left_ms = keep.held.shown_ms_max().checked_sub(shown).filter(|left| *left > 0);
            Some(Look { held: Arc::clone(&keep.held), left_ms })
        })
        .flatten()
    }

    /// The operator asks for it once more.
    pub(crate) fn show_again(&self, id: &str, handle: &str) {
        self.operator(id, |operator| {
            if let Some(keep) = operator.kept.iter_mut().find(|keep| same(&keep.handle, handle)) {
                keep.shown_at = None;
            }
        });
    }

    /// Leaves a refusal for the next page.
    pub(crate) fn set_notice(&self, id: &str, refused: Refused) {
        let mut inner = self.lock();
        if let Some(browser) = inner.browser.as_mut().filter(|browser| same(&browser.id, id)) {
            browser.notice = Some(refused);
        }
    }

    /// Takes it.
    pub(crate) fn take_notice(&self, id: &str) -> Option<Refused> {
        let mut inner = self.lock();
        inner.browser.as_mut().filter(|browser| same(&browser.id, id))?.notice.take()
    }

    /// What was typed last, so that going back loses nothing.
    pub(crate) fn draft(&self, id: &str) -> Draft {
        self.operator(id, |operator| operator.draft.clone()).unwrap_or_default()
    }

    pub(crate) fn set_draft(&self, id: &str, draft: Draft) {
        self.operator(id, |operator| operator.draft = draft);
    }
}

#[cfg(test)]
mod tests {
    use law::organ::CardClass;

    use super::*;

    fn operator() -> OperatorSession {
        OperatorSession { card: "K-1".into(), class: CardClass::InquiryOnly, affairs: Vec::new() }
    }

    fn refused() -> Held {
        Held::Refused(Refused {
            rule: "more-than-50".into(),
            law: "S1".into(),
            hint: "絞る".into(),
            hint_en: "narrow".into(),
            left: None,
        })
    }

    fn entered() -> Sessions {
        let sessions = Sessions::new("t0".into());
        sessions.enter("id".into(), "csrf".into(), operator(), Timestamp(0));
        sessions
    }

    #[test]
    fn a_start_token_works_once() {
        let sessions = Sessions::new("t0".into());
        assert!(!sessions.start("", "a".into(), "c".into()));
        assert!(!sessions.start("t1", "a".into(), "c".into()));
        assert!(sessions.start("t0", "a".into(), "c".into()));
        assert!(!sessions.start("t0", "b".into(), "c".into()));
        assert!(sessions.visit("a", Timestamp(0)).is_some());
        assert!(sessions.visit("b", Timestamp(0)).is_none());
    }

    #[test]
    fn start_tokens_are_bounded() {
        let sessions = Sessions::new("t0".into());
        (1..=START_TOKENS_MAX).for_each(|i| sessions.mint(format!("t{i}"), None));
        assert!(!sessions.start("t0", "a".into(), "c".into()));
        assert!(sessions.start("t1", "a".into(), "c".into()));
    }

    #[test]
    fn a_value_leaves_the_screen_after_its_time_and_can_be_asked_for_again() {
        let sessions = entered();
        assert!(sessions.keep("id", "o", "h".into(), refused()));
        let look = |now| sessions.look("id", "h", Timestamp(now)).map(|look| look.left_ms);
        assert_eq!(look(1_000), Some(Some(RESULT_SHOWN_MS_MAX)));
        assert_eq!(look(1_001), Some(Some(RESULT_SHOWN_MS_MAX - 1)));
        assert_eq!(look(1_000 + RESULT_SHOWN_MS_MAX), Some(None));
        sessions.show_again("id", "h");
        assert_eq!(look(99_000), Some(Some(RESULT_SHOWN_MS_MAX)));
    }

    #[test]
    fn handles_die_with_the_session() {
        let sessions = entered();
        sessions.keep("id", "o", "h".into(), refused());
        sessions.end();
        assert!(sessions.look("id", "h", Timestamp(0)).is_none());
        sessions.enter("id2".into(), "csrf".into(), operator(), Timestamp(0));
        assert!(sessions.look("id2", "h", Timestamp(0)).is_none());
        assert!(sessions.look("id", "h", Timestamp(0)).is_none());
    }

    #[test]
    fn results_are_bounded() {
        let sessions = entered();
        for i in 0..=RESULTS_HELD_MAX {
            sessions.keep("id", &format!("o{i}"), format!("h{i}"), refused());
        }
        assert!(sessions.look("id", "h0", Timestamp(0)).is_none());
        assert!(sessions.look("id", "h1", Timestamp(0)).is_some());
        assert_eq!(sessions.by_once("id", "o1"), Some("h1".into()));
        assert_eq!(sessions.by_once("id", ""), None);
    }

    #[test]
    fn idleness_is_noticed() {
        let sessions = entered();
        let idle = |now| sessions.visit("id", Timestamp(now)).map(|visit| visit.idle);
        assert_eq!(idle(OPERATOR_IDLE_MS_MAX - 1), Some(false));
        assert_eq!(idle(OPERATOR_IDLE_MS_MAX), Some(true));
        sessions.touch("id", Timestamp(OPERATOR_IDLE_MS_MAX));
        assert_eq!(idle(OPERATOR_IDLE_MS_MAX), Some(false));
    }
}
