//! A terminal's process: the desk's pages over loopback, with this terminal's card and server
//! behind them. Keeps nothing: what the pages show lives in the desk's memory until the card's
//! session ends.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use desk::{
    AffairChoice, Backend, DeskSettings, Fut, InquiryForm, InquiryResult, LinkState, NetworkView,
    OperatorSession, PlaceInfo, PlaceKind, Refused, Timeline,
};
use law::affair::{self, AffairId, Epoch};
use law::code::RecordCode;
use law::inquiry::Denial;
use law::organ::Organ;
use law::recipient;
use law::time::Timestamp;
use node::terminal::Outcome;
use tokio::net::TcpListener;
use tokio::sync::watch;
use wire::{Purpose, Refusal, Role};

use super::process::ProcessError;
use super::shown;
use super::terminal::{Signed, TerminalError, Workplace};
use crate::command::operator::{Stopped, stopped};
use crate::config::{CardReader, TerminalConfig};
use crate::{card_file, clock, dice};

/// The desk's backend: one workplace, one operator at a time.
struct Station {
    workplace: Arc<Mutex<Workplace>>,
    config: TerminalConfig,
    link: Arc<Mutex<(bool, Timestamp)>>,
    /// An operator signed in and has not left: a card that comes back does not continue the
    /// session.
    entered: Arc<AtomicBool>,
}

/// Serve the desk until `stop` turns true. `ready` gets the line with the address to open.
pub async fn serve(
    config: TerminalConfig,
    mut stop: watch::Receiver<bool>,
    ready: impl FnOnce(String),
) -> Result<(), ProcessError> {
    let workplace = Workplace::open(config.clone())
        .map_err(|error| ProcessError::System(std::io::Error::other(error.to_string())))?;
    let address = config.desk_listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ProcessError::Listen { address: address.to_string(), source })?;
    let token = hex(&dice::array::<16>());
    let station = Arc::new(Station {
        workplace: Arc::new(Mutex::new(workplace)),
        config,
        link: Arc::new(Mutex::new((true, clock::now()))),
        entered: Arc::new(AtomicBool::new(false)),
    });
    let settings = DeskSettings {
        host_allowed: vec![address.to_string()],
        start_token: token.clone(),
        clock: Arc::new(clock::now),
        dice: Arc::new(dice::fill),
    };
    let place = station.config.place.clone();
    let router = desk::router(station, settings);
    ready(format!("ready {place} http://{address}/?t={token}"));
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Station {
    /// The card that lies in this place's reader.
    fn card_file(&self) -> Option<PathBuf> {
        let CardReader::File { folder } = &self.config.card_reader;
        card_file::in_reader(folder, &self.config.place)
    }

    fn affairs(&self) -> Vec<AffairChoice> {
        choices(self.config.epoch, &self.config.organ)
    }

    /// Sign under the terminal's lock, send without it.
    fn act(
        &self,
        sign: impl FnOnce(&mut Workplace) -> Result<Signed, TerminalError>,
    ) -> Fut<Result<Outcome, Refused>> {
        let signed = {
            let mut workplace = lock(&self.workplace);
            sign(&mut workplace).map(|signed| (signed, workplace.sender()))
        };
        let link = Arc::clone(&self.link);
        Box::pin(async move {
            let sent = match signed {
                Ok((signed, sender)) => sender.send(signed).await,
                Err(error) => Err(error),
            };
            let reached = !matches!(sent, Err(TerminalError::Call(_)));
            *lock(&link) = (reached, clock::now());
            match sent {
                Ok(Outcome::Refused(refusal)) => Err(refused(refusal)),
                Ok(Outcome::Unavailable(_)) => Err(Denial::Unavailable.public().into()),
                Ok(outcome) => Ok(outcome),
                Err(error) => Err(not_done(&error)),
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Station {
    fn place(&self) -> PlaceInfo {
        let kind = match self.config.server.role {
            Role::Prefecture => PlaceKind::Disclosure,
            Role::Center => PlaceKind::NetworkRoom,
            _ => PlaceKind::Clerk,
        };
        let (up, at) = *lock(&self.link);
        let server = self.config.server.node.to_string();
        PlaceInfo {
            node: self.config.node.to_string(),
            organ_name: shown::organ_name(&self.config.organ),
            kind,
            lang: desk::Lang::Ja,
            links: vec![LinkState { label: (format!("サーバ {server}"), server), up, at }],
        }
    }

    fn card_present(&self) -> bool {
        if self.entered.load(Ordering::SeqCst) {
            // The card of the session, and no other, must still lie in the reader.
            let here = self.card_file();
            let mut workplace = lock(&self.workplace);
            let same = workplace.inserted().map(std::path::Path::to_path_buf) == here;
            if !same {
                workplace.log_out();
            }
            workplace.session().is_some()
        } else {
            self.card_file().is_some()
        }
    }

    fn login(&self, pin: String) -> Fut<Result<OperatorSession, Refused>> {
        let (workplace, entered) = (Arc::clone(&self.workplace), Arc::clone(&self.entered));
        let (card, affairs) = (self.card_file(), self.affairs());
        Box::pin(async move {
            // The card's key derivation takes a moment: not on the pages' threads.
            let entered = tokio::task::spawn_blocking(move || {
                let card = card.ok_or_else(no_card)?;
                let mut workplace = lock(&workplace);
                let session = workplace.log_in(&card, &pin).map_err(|error| not_done(&error))?;
                entered.store(true, Ordering::SeqCst);
                Ok(OperatorSession {
                    card: session.card.to_string(),
                    class: session.class,
                    affairs,
                })
            });
            entered.await.unwrap_or_else(|_| Err(Denial::Unavailable.public().into()))
        })
    }

    fn logout(&self) {
        lock(&self.workplace).log_out();
        self.entered.store(false, Ordering::SeqCst);
    }

    fn inquire(&self, form: InquiryForm) -> Fut<Result<InquiryResult, Refused>> {
        let form = node::terminal::InquiryForm {
            affair: form.affair,
            case_number: form.case_number,
            query: form.draft,
        };
        let acted = self.act(|workplace| workplace.sign_inquiry(form));
        Box::pin(async move {
            match acted.await? {
                Outcome::Answered(answer) => Ok(InquiryResult {
                    receipt_ledger: answer.ledger,
                    receipt_index: answer.index,
                    persons: answer.persons,
                }),
                _ => Err(Denial::Unavailable.public().into()),
            }
        })
    }

    fn timeline(&self, code: String, identified_by: String) -> Fut<Result<Timeline, Refused>> {
        let Ok(code) = RecordCode::parse(code.trim()) else {
            return Box::pin(async { Err(Denial::QueryShape.public().into()) });
        };
        let purpose = Purpose::ResidentView { code, identified_by };
        let acted = self.act(|workplace| workplace.sign_query(purpose));
        let (keys, epoch) = (self.config.ledgers.clone(), self.config.epoch);
        Box::pin(async move {
            match acted.await? {
                Outcome::View(view) => Ok(shown::timeline(&view, &keys, epoch)),
                _ => Err(Denial::Unavailable.public().into()),
            }
        })
    }

    fn network(&self) -> Fut<Result<NetworkView, Refused>> {
        let acted = self.act(|workplace| workplace.sign_query(Purpose::NetworkStatus));
        Box::pin(async move {
            match acted.await? {
                Outcome::Status(status) => Ok(shown::network(&status)),
                _ => Err(Denial::Unavailable.public().into()),
            }
        })
    }
}

/// The affairs an organ may name at its own desk, as the tables have them.
#[must_use]
pub fn affair_ids(epoch: Epoch, organ: &Organ) -> Vec<AffairId> {
    choices_of(epoch, organ).map(|affair| affair.id).collect()
}

fn choices(epoch: Epoch, organ: &Organ) -> Vec<AffairChoice> {
    choices_of(epoch, organ)
        .map(|affair| AffairChoice {
            id: affair.id.to_string(),
            recipient: affair.recipient.to_owned(),
            text: affair.text.to_owned(),
        })
        .collect()
}

fn choices_of(epoch: Epoch, organ: &Organ) -> impl Iterator<Item = &'static affair::Affair> {
    let organ = *organ;
    let area = match organ {
        Organ::Municipality(code) => Some(Organ::Prefecture(code.prefecture())),
        Organ::Prefecture(code) => Some(Organ::Prefecture(code)),
        Organ::Center | Organ::Agency(_) => None,
    };
    let responders: Vec<Organ> = area.into_iter().chain([Organ::Center]).collect();
    affair::affairs(epoch).iter().filter(move |affair| {
        let table = affair.id.table();
        let answers = |to: &Organ| recipient::tables(epoch, &organ, to).contains(&table);
        responders.iter().any(answers) && recipient::names(affair, &organ)
    })
}

fn refused(refusal: Refusal) -> Refused {
    let Refusal { rule, law, hint, hint_en, .. } = refusal;
    Refused { rule, law, hint, hint_en, left: None }
}

fn no_card() -> Refused {
    Refused {
        rule: "no-card".to_owned(),
        law: "S1: 操作者識別カード認証によるアクセス制御".to_owned(),
        hint: "操作者識別カードを挿入してください。".to_owned(),
        hint_en: "Insert an operator card.".to_owned(),
        left: None,
    }
}

fn not_done(error: &TerminalError) -> Refused {
    tracing::warn!(event = "terminal", %error, "not done");
    let left = match error {
        TerminalError::Card(token::card::CardError::PinWrong { left }) => Some(*left),
        _ => None,
    };
    match stopped(error) {
        Stopped::Refused { rule, law, hint, hint_en } => Refused { rule, law, hint, hint_en, left },
        _ => Denial::Unavailable.public().into(),
    }
}
