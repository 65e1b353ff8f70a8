//! The terminal: no card, no request; and a reply is shown only if it is one to this very request.

use law::organ::{CardClass, CardId, Organ};
use node::terminal::{
    InquiryForm, Outcome, Prepared, SESSION_IDLE_MS_MAX, Terminal, TerminalFault,
};
use wire::{Answer, InquiryBody, NetworkStatus, Purpose, Refusal, Reply, Request, ResidentView};

use crate::fixture::{KUNITACHI, NOW, affair, agency, area, by_birth, by_code, code, id, town};

fn terminal(organ: Organ) -> Terminal {
    let mut terminal = Terminal::new(id("terminal-1"), organ);
    terminal.card_entered(NOW, CardId::parse("card").unwrap(), CardClass::InquiryOnly);
    terminal
}

fn form(affair: String) -> InquiryForm {
    let query = by_birth("住基 花子", "1985-04-01", false);
    InquiryForm { affair, case_number: "1".to_owned(), query }
}

fn inquiry(request: u8) -> Prepared {
    let affair = affair(1, &agency()).to_string();
    terminal(agency()).inquiry(NOW, [request; 16], form(affair)).unwrap()
}

fn view_of(number: u64) -> Prepared {
    let purpose = Purpose::ResidentView { code: code(number), identified_by: "旅券".to_owned() };
    terminal(Organ::Prefecture(area(13))).query(NOW, [1; 16], purpose).unwrap()
}

fn answer(digest: [u8; 32]) -> Reply {
    Reply::Answer(Answer { digest, ledger: "l".to_owned(), index: 0, persons: Vec::new() })
}

fn refusal(digest: [u8; 32]) -> Reply {
    Reply::Refusal(Refusal::new(digest, &law::Denial::MoreThan50.public()))
}

fn view(number: u64) -> Reply {
    let day = NOW.date_in_japan();
    Reply::View(ResidentView {
        code: code(number),
        period_from: day,
        period_to: day,
        ledgers: Vec::new(),
        rows: Vec::new(),
    })
}

#[test]
fn only_the_reply_to_this_request_is_taken() {
    let ours = *inquiry(1).digest();
    let theirs = *inquiry(2).digest();
    assert!(matches!(inquiry(1).accept(answer(ours)), Ok(Outcome::Answered(_))));
    assert!(matches!(inquiry(1).accept(refusal(ours)), Ok(Outcome::Refused(_))));
    // Yokohama, 2023-03-27: another's answer.
    assert_eq!(inquiry(1).accept(answer(theirs)).unwrap_err(), TerminalFault::OtherRequest);
    assert_eq!(inquiry(1).accept(refusal(theirs)).unwrap_err(), TerminalFault::OtherRequest);
    assert_eq!(inquiry(1).accept(answer([0; 32])).unwrap_err(), TerminalFault::OtherRequest);
    assert_eq!(inquiry(1).accept(refusal([0; 32])).unwrap_err(), TerminalFault::OtherRequest);
    let silent = Reply::Unavailable { reason: "later".to_owned() };
    assert!(matches!(inquiry(1).accept(silent), Ok(Outcome::Unavailable(_))));
}

#[test]
fn another_residents_list_is_not_shown() {
    assert!(matches!(view_of(1).accept(view(1)), Ok(Outcome::View(_))));
    assert_eq!(view_of(1).accept(view(2)).unwrap_err(), TerminalFault::OtherRequest);
    let theirs = *inquiry(2).digest();
    assert_eq!(view_of(1).accept(refusal(theirs)).unwrap_err(), TerminalFault::OtherRequest);
}

#[test]
fn a_reply_of_another_kind_is_not_taken() {
    let status = || Reply::Status(NetworkStatus { at: NOW, nodes: Vec::new() });
    let ours = *inquiry(1).digest();
    assert_eq!(inquiry(1).accept(view(1)).unwrap_err(), TerminalFault::OtherKind);
    assert_eq!(inquiry(1).accept(status()).unwrap_err(), TerminalFault::OtherKind);
    assert_eq!(view_of(1).accept(status()).unwrap_err(), TerminalFault::OtherKind);
    assert_eq!(view_of(1).accept(answer(ours)).unwrap_err(), TerminalFault::OtherKind);
    assert_eq!(inquiry(1).accept(Reply::HeartbeatAck).unwrap_err(), TerminalFault::OtherKind);
}

#[test]
fn no_card_no_request() {
    let affair = affair(1, &agency()).to_string();
    let mut empty = Terminal::new(id("terminal-1"), agency());
    let none = empty.inquiry(NOW, [1; 16], form(affair.clone())).unwrap_err();
    assert_eq!(none, TerminalFault::NoSession);
    let mut left = terminal(agency());
    left.card_left();
    assert!(left.inquiry(NOW, [1; 16], form(affair)).is_err());
    assert!(left.query(NOW, [1; 16], Purpose::NetworkStatus).is_err());
}

#[test]
fn an_idle_session_ends_and_use_prolongs_it() {
    let mut used = terminal(agency());
    let mut now = NOW;
    for _ in 0..5 {
        now = now.plus_ms(SESSION_IDLE_MS_MAX);
        assert!(used.session(now).is_ok());
    }
    now = now.plus_ms(SESSION_IDLE_MS_MAX + 1);
    assert_eq!(used.session(now).unwrap_err(), TerminalFault::NoSession);
    assert!(used.session(now).is_err(), "it does not come back");
    assert!(used.session(NOW).is_err(), "also not when the clock is set back");
}

#[test]
fn the_request_names_card_organ_and_the_server_of_its_table() {
    let body_of = |prepared: &Prepared| {
        let Request::Inquiry(signed) = prepared.request(&[0; 64]) else { panic!("an inquiry") };
        assert_eq!(wire::inquiry_digest(&signed.body), *prepared.digest());
        InquiryBody::decode(&signed.body).unwrap()
    };
    let kunitachi = Organ::Municipality(town(KUNITACHI));
    let tokyo = Organ::Prefecture(area(13));
    for (organ, table, responder) in [
        (agency(), 1, Organ::Center),
        (kunitachi, 2, tokyo),
        (kunitachi, 4, Organ::Center),
        (tokyo, 3, Organ::Center),
        (tokyo, 5, tokyo),
    ] {
        let form = form(affair(table, &organ).to_string());
        let prepared = terminal(organ).inquiry(NOW, [1; 16], form).unwrap();
        let body = body_of(&prepared);
        assert_eq!((body.organ, body.responder), (organ, responder), "table {table}");
        assert_eq!(body.card.as_str(), "card");
    }
    let nonsense = terminal(kunitachi).inquiry(NOW, [1; 16], form("x".to_owned())).unwrap();
    assert_eq!(body_of(&nonsense).responder, Organ::Center);
}

#[test]
fn nothing_that_was_typed_can_be_printed() {
    let mut form = form("1-1-1".to_owned());
    form.query = by_code(1);
    let code = code(1).expose().to_owned();
    let printed = format!("{form:?}");
    let prepared = terminal(agency()).inquiry(NOW, [1; 16], form).unwrap();
    let printed = format!("{printed} {prepared:?} {:?}", prepared.request(&[0; 64]));
    assert!(!printed.contains(&code));
    let as_numbers = format!("{:?}", code.as_bytes());
    assert!(!printed.contains(as_numbers.trim_matches(['[', ']'])));
}
