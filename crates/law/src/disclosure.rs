//! Who may show a resident's provision records, and who may look at the state of the network.
//!
//! Not provision of identity information (`inquiry`): a view shows who got what, a look at the
//! network shows machines. Both need a card of the right class, fresh and signed, and both are
//! recorded.

use crate::code::PrefectureCode;
use crate::denial::Denial;
use crate::inquiry::ASKED_AT_SKEW_MS_MAX;
use crate::organ::{self, CardFunction, OperatorStanding, Organ};
use crate::time::Timestamp;

/// How the resident was identified at the counter, in the clerk's words, characters.
pub const IDENTIFIED_BY_CHARS_MAX: usize = 40;

/// A request to open a resident's provision records (S1: 本人確認情報提供状況の開示), made at the
/// disclosure desk of a prefecture for the resident who stands there.
#[derive(Debug)]
pub struct ViewRequest {
    /// The organ of the session and of the signed request.
    pub asker: Organ,
    /// The prefecture that keeps the records.
    pub prefecture: PrefectureCode,
    pub operator: Option<OperatorStanding>,
    /// What the resident was identified by (法30条の37: the person concerned alone may ask).
    pub identified_by: String,
    pub asked_at: Timestamp,
    pub now: Timestamp,
    pub replayed: bool,
}

/// A request to see the state of the network, from the center's own room.
#[derive(Debug)]
pub struct ObservationRequest {
    pub asker: Organ,
    pub operator: Option<OperatorStanding>,
    pub asked_at: Timestamp,
    pub now: Timestamp,
    pub replayed: bool,
}

/// Proof that a resident's provision records may be shown. Made by [`open_view`] alone.
#[derive(Debug)]
pub struct ViewPermit {
    _made_here: (),
}

/// Proof that the state of the network may be shown. Made by [`observe`] alone.
#[derive(Debug)]
pub struct ObservationPermit {
    _made_here: (),
}

/// Decide on a view.
///
/// # Errors
/// The first rule broken, in the order of [`Denial`].
pub fn open_view(request: ViewRequest) -> Result<ViewPermit, Denial> {
    let times = (request.asked_at, request.now);
    let own = Organ::Prefecture(request.prefecture);
    card_may(request.operator.as_ref(), (request.asker, own), times, request.replayed)?
        .may(CardFunction::Disclose)?;
    let words = request.identified_by.trim();
    // Without a word on how the resident was identified there is no case to answer for.
    if words.is_empty() || words.chars().count() > IDENTIFIED_BY_CHARS_MAX {
        return Err(Denial::CaseNumberMissing);
    }
    Ok(ViewPermit { _made_here: () })
}

/// Decide on a look at the network.
///
/// # Errors
/// The first rule broken, in the order of [`Denial`].
pub fn observe(request: ObservationRequest) -> Result<ObservationPermit, Denial> {
    let times = (request.asked_at, request.now);
    card_may(request.operator.as_ref(), (request.asker, Organ::Center), times, request.replayed)?
        .may(CardFunction::Observe)?;
    Ok(ObservationPermit { _made_here: () })
}

struct Stands<'a>(&'a OperatorStanding);

impl Stands<'_> {
    fn may(&self, function: CardFunction) -> Result<(), Denial> {
        if organ::may(self.0.class, function) { Ok(()) } else { Err(Denial::CardClass) }
    }
}

/// S1 (操作者識別カード認証によるアクセス制御): the card is in force, of the organ whose records these
/// are, and signed this request just now, once.
fn card_may(
    operator: Option<&OperatorStanding>,
    (asker, keeper): (Organ, Organ),
    (asked_at, now): (Timestamp, Timestamp),
    replayed: bool,
) -> Result<Stands<'_>, Denial> {
    let operator = operator.ok_or(Denial::OperatorUnknown)?;
    let today = now.date_in_japan();
    if operator.revoked {
        return Err(Denial::CardRevoked);
    }
    if today < operator.from || operator.to < today {
        return Err(Denial::CardExpired);
    }
    if operator.organ != asker || asker != keeper {
        return Err(Denial::CardOfAnotherOrgan);
    }
    if !operator.signature_valid {
        return Err(Denial::SignatureInvalid);
    }
    if asked_at.distance_ms(now) > ASKED_AT_SKEW_MS_MAX {
        return Err(Denial::RequestStale);
    }
    if replayed {
        return Err(Denial::RequestReplayed);
    }
    Ok(Stands(operator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organ::{CardClass, CardId};
    use crate::time::Date;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn request() -> ViewRequest {
        let prefecture = PrefectureCode::new(13).unwrap();
        let day = NOW.date_in_japan();
        ViewRequest {
            asker: Organ::Prefecture(prefecture),
            prefecture,
            operator: Some(OperatorStanding {
                card: CardId::parse("card-1").unwrap(),
                organ: Organ::Prefecture(prefecture),
                class: CardClass::Disclosure,
                affairs: Vec::new(),
                revoked: false,
                signature_valid: true,
                from: day,
                to: day,
            }),
            identified_by: "旅券".to_owned(),
            asked_at: NOW,
            now: NOW,
            replayed: false,
        }
    }

    fn broken(step: usize) -> ViewRequest {
        let mut request = request();
        let operator = request.operator.as_mut().unwrap();
        let other = Organ::Prefecture(PrefectureCode::new(20).unwrap());
        // Each row breaks its rule and every later one, so that precedence is tested as well.
        if step <= 8 {
            request.identified_by = " ".to_owned();
        }
        if step <= 7 {
            operator.class = CardClass::InquiryOnly;
        }
        if step <= 6 {
            request.replayed = true;
        }
        if step <= 5 {
            request.asked_at = Timestamp(NOW.0 - ASKED_AT_SKEW_MS_MAX - 1);
        }
        if step <= 4 {
            operator.signature_valid = false;
        }
        if step <= 3 {
            operator.organ = other;
        }
        if step <= 2 {
            operator.to = Date::parse("2000-01-01").unwrap();
        }
        if step <= 1 {
            operator.revoked = true;
        }
        if step == 0 {
            request.operator = None;
        }
        request
    }

    #[test]
    fn the_ladder_of_a_view_names_the_first_rule_broken() {
        let ladder = [
            Denial::OperatorUnknown,
            Denial::CardRevoked,
            Denial::CardExpired,
            Denial::CardOfAnotherOrgan,
            Denial::SignatureInvalid,
            Denial::RequestStale,
            Denial::RequestReplayed,
            Denial::CardClass,
            Denial::CaseNumberMissing,
        ];
        for (step, denial) in ladder.into_iter().enumerate() {
            assert_eq!(open_view(broken(step)).unwrap_err(), denial);
        }
        assert!(open_view(request()).is_ok());
    }

    #[test]
    fn another_prefectures_desk_opens_nothing() {
        let other = PrefectureCode::new(20).unwrap();
        let request = ViewRequest { prefecture: other, ..request() };
        assert_eq!(open_view(request).unwrap_err(), Denial::CardOfAnotherOrgan);
    }

    #[test]
    fn only_observing_classes_of_the_center_see_the_network() {
        for class in CardClass::ALL {
            let mut operator = request().operator.unwrap();
            operator.organ = Organ::Center;
            operator.class = class;
            let request = ObservationRequest {
                asker: Organ::Center,
                operator: Some(operator),
                asked_at: NOW,
                now: NOW,
                replayed: false,
            };
            assert_eq!(observe(request).is_ok(), organ::may(class, CardFunction::Observe));
        }
    }
}
