//! The values about a person that messages have in common, between schema and `law`. No rule about
//! them is here: `law`'s own `parse` is asked.

use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange, ProvidedPerson};
use law::people::{
    Address, BirthDate, FormerSurname, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
};
use law::time::Date;

use crate::error::DecodeError;
use crate::field::{At, mirrored};
use crate::generated as twin;
use crate::limits::{ADDRESS_BYTES_MAX, FORMER_SURNAME_BYTES_MAX, NAME_BYTES_MAX};

mirrored!(
    reason_to,
    reason_from,
    ChangeReason,
    twin::ChangeReason,
    [
        MovedIn,
        Born,
        EnteredExOfficio,
        MovedOut,
        Died,
        DeletedExOfficio,
        MovedWithin,
        CorrectedExOfficio,
        CodeChangedOnRequest,
        CodeEnteredExOfficio,
        MinorCorrection,
        MovedInFromAbroad,
        NaturalisationEntered,
        NationalityLossEntered,
        MovedOutAbroad,
        NaturalisationDeleted,
        NationalityLossDeleted,
        NumberChangedOnRequest,
        NumberCorrectedExOfficio,
        NumberEnteredExOfficio,
    ]
);
mirrored!(sex_to, sex_from, Sex, twin::Sex, [Male, Female]);

fn name(message: &'static str, text: &str) -> Result<Name, DecodeError> {
    At(message, "name").parsed(text, NAME_BYTES_MAX, Name::parse)
}

fn alternative(message: &'static str, text: Option<&str>) -> Result<Option<Name>, DecodeError> {
    let at = At(message, "alternative_name");
    text.map(|text| at.parsed(text, NAME_BYTES_MAX, Name::parse)).transpose()
}

fn former_surname(
    message: &'static str,
    text: Option<&str>,
) -> Result<Option<FormerSurname>, DecodeError> {
    let at = At(message, "former_surname");
    text.map(|text| at.parsed(text, FORMER_SURNAME_BYTES_MAX, FormerSurname::parse)).transpose()
}

fn kana(message: &'static str, text: &str) -> Result<Kana, DecodeError> {
    At(message, "kana").parsed(text, NAME_BYTES_MAX, Kana::parse)
}

fn address(message: &'static str, text: &str) -> Result<Address, DecodeError> {
    At(message, "address").parsed(text, ADDRESS_BYTES_MAX, Address::parse)
}

impl From<&IdentityInformation> for twin::IdentityInformation {
    fn from(value: &IdentityInformation) -> Self {
        Self {
            code: value.code.expose().to_owned(),
            name: value.items.name.expose().to_owned(),
            kana: value.items.kana.expose().to_owned(),
            address: value.items.address.expose().to_owned(),
            sex: sex_to(&value.items.sex),
            birth: value.items.birth.expose(),
            municipality: value.municipality.as_str().to_owned(),
            alternative_name: exposed(value.other_names.alternative.as_ref()),
            former_surname: value
                .other_names
                .former_surname
                .as_ref()
                .map(|surname| surname.expose().to_owned()),
        }
    }
}

fn exposed(name: Option<&Name>) -> Option<String> {
    name.map(|name| name.expose().to_owned())
}

/// The conversion itself; a function, because both types are foreign to this crate.
pub(crate) fn identity(
    value: &twin::IdentityInformation,
) -> Result<IdentityInformation, DecodeError> {
    const M: &str = "identity_information";
    Ok(IdentityInformation {
        code: At(M, "code").short(&value.code, RecordCode::parse)?,
        items: FourItems {
            name: name(M, &value.name)?,
            kana: kana(M, &value.kana)?,
            address: address(M, &value.address)?,
            sex: sex_from(At(M, "sex"), value.sex)?,
            birth: At(M, "birth").short(&value.birth, BirthDate::parse)?,
        },
        municipality: At(M, "municipality")
            .short(&value.municipality, LocalGovernmentCode::parse)?,
        other_names: OtherNames {
            alternative: alternative(M, value.alternative_name.as_deref())?,
            former_surname: former_surname(M, value.former_surname.as_deref())?,
        },
    })
}

impl From<&ChangeNotice> for twin::ChangeNotice {
    fn from(value: &ChangeNotice) -> Self {
        Self {
            reason: reason_to(&value.reason),
            changed_on: value.changed_on.to_string(),
            record: Some((&value.record).into()),
            previous_code: value.previous_code.map(|code| code.expose().to_owned()),
            foreign: value.foreign,
        }
    }
}

/// See [`identity`]. Whether the parts of a notice fit together is for `ChangeNotice::check`, row
/// by row, so that one wrong row does not refuse a whole batch.
pub(crate) fn notice(value: Option<twin::ChangeNotice>) -> Result<ChangeNotice, DecodeError> {
    const M: &str = "change_notice";
    let value = At(M, "").required(value)?;
    Ok(ChangeNotice {
        reason: reason_from(At(M, "reason"), value.reason)?,
        changed_on: At(M, "changed_on").short(&value.changed_on, Date::parse)?,
        record: identity(&At(M, "record").required(value.record)?)?,
        previous_code: At(M, "previous_code")
            .short_if(value.previous_code.as_deref(), RecordCode::parse)?,
        foreign: value.foreign,
    })
}

fn last_change_to(change: &LastChange) -> twin::LastChange {
    twin::LastChange {
        reason: reason_to(&change.reason),
        on: change.on.to_string(),
        foreign: change.foreign,
    }
}

fn last_change(change: &twin::LastChange) -> Result<LastChange, DecodeError> {
    Ok(LastChange {
        reason: reason_from(At("last_change", "reason"), change.reason)?,
        on: At("last_change", "on").short(&change.on, Date::parse)?,
        foreign: change.foreign,
    })
}

pub(crate) fn state_to(held: &Held) -> twin::PersonState {
    twin::PersonState {
        record: Some((&held.identity).into()),
        change: held.change.as_ref().map(last_change_to),
        removed: held.removed,
    }
}

/// See [`identity`].
pub(crate) fn state(value: &twin::PersonState) -> Result<Held, DecodeError> {
    let record = At("person_state", "record").required(value.record.as_ref())?;
    Ok(Held {
        identity: identity(record)?,
        change: value.change.as_ref().map(last_change).transpose()?,
        removed: value.removed,
    })
}

impl From<&ProvidedPerson> for twin::ProvidedPerson {
    fn from(value: &ProvidedPerson) -> Self {
        Self {
            code: value.code.map(|code| code.expose().to_owned()),
            name: value.name.expose().to_owned(),
            kana: value.kana.expose().to_owned(),
            address: value.address.expose().to_owned(),
            sex: sex_to(&value.sex),
            birth: value.birth.expose(),
            change: value.change.as_ref().map(last_change_to),
            alternative_name: exposed(value.alternative_name.as_ref()),
        }
    }
}

/// See [`identity`].
pub(crate) fn provided(value: &twin::ProvidedPerson) -> Result<ProvidedPerson, DecodeError> {
    const M: &str = "provided_person";
    let change = value.change.as_ref().map(last_change).transpose()?;
    Ok(ProvidedPerson::received(
        At(M, "code").short_if(value.code.as_deref(), RecordCode::parse)?,
        name(M, &value.name)?,
        kana(M, &value.kana)?,
        address(M, &value.address)?,
        sex_from(At(M, "sex"), value.sex)?,
        At(M, "birth").short(&value.birth, BirthDate::parse)?,
        change,
    )
    .also_called(alternative(M, value.alternative_name.as_deref())?))
}
