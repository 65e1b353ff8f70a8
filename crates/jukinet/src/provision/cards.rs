//! Operator identification cards (操作者識別カード) of the demonstration, with two that must not work.
//! Not card issuing in service: that is the center's, by two persons, onto real cards.

use std::path::Path;

use law::affair::{self, AffairId, Epoch};
use law::organ::{CardClass, CardId, Organ};
use law::recipient;
use law::time::Date;
use token::Dice;
use token::card::{CardProfile, OperatorCard};
use wire::OperatorCardRow;

use super::plan::{Layout, Plan};
use super::{CenterKeys, Made, ProvisionError, ProvisionedCard, digits};
use crate::disk;

/// Digits of a demonstration card's PIN.
const CARD_PIN_DIGITS: usize = 6;

/// The last day of the expired card lies this many days before the ceremony.
const EXPIRED_DAYS: i64 = 30;

/// The cards that were made, by place, and their rows in the directory.
pub(super) struct Issued {
    cards: Vec<(String, ProvisionedCard)>,
    pub(super) rows: Vec<OperatorCardRow>,
}

impl Issued {
    pub(super) fn of(&self, place: &str) -> Vec<ProvisionedCard> {
        let here = self.cards.iter().filter(|(at, _)| at == place);
        here.map(|(_, card)| card.clone()).collect()
    }
}

/// One card to be made.
struct Wanted {
    place: String,
    operator: &'static str,
    organ: Organ,
    class: CardClass,
    from: Date,
    to: Date,
}

pub(super) fn issue(
    dir: &Path,
    plan: &Plan,
    layout: &Layout,
    center: &Made,
    keys: &CenterKeys,
    dice: Dice<'_>,
) -> Result<Issued, ProvisionError> {
    let mut issued = Issued { cards: Vec::new(), rows: Vec::new() };
    for wanted in wanted(plan, layout)? {
        let Wanted { place, operator, organ, class, from, to } = wanted;
        let name = format!("{place}-{operator}");
        let card = CardId::parse(&name)?;
        let affairs = affairs_of(plan.epoch, organ, class);
        let pin = digits(CARD_PIN_DIGITS, dice);
        let profile =
            CardProfile { card: card.clone(), organ, class, label: operator.to_owned(), from, to };
        let authority = &keys.terminal_authority;
        let chip =
            OperatorCard::personalize(profile, &pin, center.token.as_ref(), authority, dice)?;
        let file = dir.join("cards").join(format!("{name}.card"));
        let pin_file = dir.join("cards").join(format!("{name}.pin"));
        disk::write_private(&file, &chip.image())?;
        disk::write_private(&pin_file, format!("{}\n", *pin).as_bytes())?;
        issued.rows.push(OperatorCardRow {
            card: card.clone(),
            organ,
            class,
            public_key: chip.certificate().sign_public,
            affairs: affairs.clone(),
            revoked: false,
            from,
            to,
        });
        let made = ProvisionedCard { file, pin: pin_file, operator, card, organ, class, affairs };
        issued.cards.push((place, made));
    }
    Ok(issued)
}

/// The first card of each place is the one its operator ordinarily uses.
fn wanted(plan: &Plan, layout: &Layout) -> Result<Vec<Wanted>, ProvisionError> {
    let (from, to) = plan.term()?;
    let mut list = Vec::new();
    for terminal in &layout.terminals {
        let operators: &[(&'static str, CardClass)] = match terminal.organ {
            Organ::Center => &[
                ("observer", CardClass::Observer),
                ("administrator", CardClass::SystemAdministration),
            ],
            Organ::Prefecture(_) => {
                &[("disclosure", CardClass::Disclosure), ("clerk", CardClass::InquiryOnly)]
            }
            Organ::Municipality(_) => &[("clerk", CardClass::RegisterBusiness)],
            Organ::Agency(_) => &[("clerk", CardClass::InquiryOnly)],
        };
        for (operator, class) in operators.iter().copied() {
            let (place, organ) = (terminal.place.clone(), terminal.organ);
            list.push(Wanted { place, operator, organ, class, from, to });
        }
    }
    let [first, second, ..] = plan.agencies.as_slice() else { return Ok(list) };
    let class = CardClass::InquiryOnly;
    // A genuine card of another organ: every signature on it is right and it must not work here.
    list.push(Wanted {
        place: first.name.clone(),
        operator: "wrong",
        organ: Organ::Agency(second.code),
        class,
        from,
        to,
    });
    let today = plan.now.date_in_japan();
    list.push(Wanted {
        place: first.name.clone(),
        operator: "expired",
        organ: Organ::Agency(first.code),
        class,
        from: today.add_days(-365 - EXPIRED_DAYS)?,
        to: today.add_days(-EXPIRED_DAYS)?,
    });
    Ok(list)
}

/// All affairs the tables give this organ, towards the center or its own prefecture. A card that
/// may not inquire carries none.
fn affairs_of(epoch: Epoch, organ: Organ, class: CardClass) -> Vec<AffairId> {
    if !law::organ::may(class, law::organ::CardFunction::Inquire) {
        return Vec::new();
    }
    let mut tables = recipient::tables(epoch, &organ, &Organ::Center).to_vec();
    let own = match organ {
        Organ::Municipality(code) => Some(Organ::Prefecture(code.prefecture())),
        Organ::Prefecture(_) => Some(organ),
        Organ::Center | Organ::Agency(_) => None,
    };
    if let Some(own) = own {
        tables.extend(recipient::tables(epoch, &organ, &own));
    }
    affair::affairs(epoch)
        .iter()
        .filter(|row| tables.contains(&row.id.table()) && recipient::names(row, &organ))
        .map(|row| row.id)
        .collect()
}
