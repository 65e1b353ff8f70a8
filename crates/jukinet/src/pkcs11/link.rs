//! The line to the device: module, token, login, session; lost and taken up again.
//! Not what is asked over it: signing and wrapping are the adapter's.
//!
//! Three steps within one call: as it is; over a new session (token pulled, server restarted);
//! after starting the module anew, because many go on saying that a device is gone once it was. A
//! module belongs to the whole process, so starting anew waits for every call in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use token::{KeyName, TokenError};

use super::shape::private_class;
use crate::clock;

/// Time between two fresh starts of a module: with a network device each costs connections.
const MODULE_RESTART_EVERY: Duration = Duration::from_secs(2);

/// Which token of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// By its label, which survives a reboot.
    Label(String),
    /// By slot number, which some modules renumber.
    Slot(u64),
}

/// How often modules were started anew in this process. A session of an earlier round is dead, and
/// its number may be another's by now, of another token even.
static ROUND: RwLock<Round> = RwLock::new(Round { number: 0, begun: None });

struct Round {
    number: u64,
    begun: Option<Instant>,
}

/// The way to one token.
pub(super) struct Line {
    module: Pkcs11,
    place: TokenPlace,
    pin: AuthPin,
    state: Mutex<State>,
}

struct State {
    door: Door,
    /// Keys that were there: that one of them is not found is the device's fault, not the
    /// ceremony's.
    had: BTreeSet<KeyName>,
}

/// Where the way into the device stands.
enum Door {
    Closed,
    Open(Link),
    /// The device refused the PIN: this process does not spend another of its few tries.
    Refused(TokenError),
}

/// One open session, and the keys already found and checked in it.
pub(super) struct Link {
    pub(super) session: Session,
    round: u64,
    keys: BTreeMap<KeyName, ObjectHandle>,
}

/// Whether trying once more over a new session can help.
pub(super) enum Fault {
    SessionLost(TokenError),
    Final(TokenError),
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        Self::Final(error)
    }
}

impl Line {
    /// Loads the module. Nothing is said to the token yet.
    pub(super) fn new(module: &Path, place: TokenPlace, pin: &str) -> Result<Self, TokenError> {
        let module: PathBuf = module.to_owned();
        let module = Pkcs11::new(module).map_err(|error| named("loading the module", &error))?;
        initialize(&module)?;
        let state = State { door: Door::Closed, had: BTreeSet::new() };
        Ok(Self { module, place, pin: AuthPin::from(pin), state: Mutex::new(state) })
    }

    pub(super) fn token_info(&self) -> Result<TokenInfo, TokenError> {
        self.module
            .get_token_info(find_slot(&self.module, &self.place)?)
            .map_err(|error| named("reading the token's description", &error))
    }

    /// Runs one operation in the open session, as the head of this file says.
    pub(super) fn call<T>(
        &self,
        work: impl Fn(&mut Link) -> Result<T, Fault>,
    ) -> Result<T, TokenError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lost = None;
        for step in 0..3 {
            if step == 2 && !self.restart_module() {
                break;
            }
            match self.attempt(&mut state, &work) {
                Ok(value) => return Ok(value),
                Err(Fault::Final(error)) => return Err(error),
                // The lost session is dropped before the new one is opened: a module may give the
                // new one the same number, and closing the old would close it.
                Err(Fault::SessionLost(error)) => {
                    state.door = Door::Closed;
                    lost = Some(error);
                }
            }
        }
        Err(lost.unwrap_or_else(|| device("opening a session", "it stayed closed")))
    }

    fn attempt<T>(
        &self,
        state: &mut State,
        work: impl Fn(&mut Link) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let round = ROUND.read().unwrap_or_else(PoisonError::into_inner);
        let stale = matches!(&state.door, Door::Open(link) if link.round != round.number);
        if stale && let Door::Open(link) = std::mem::replace(&mut state.door, Door::Closed) {
            // Closing it would close whichever session has its number now.
            std::mem::forget(link.session);
        }
        if matches!(state.door, Door::Closed) {
            state.door = match self.connect(round.number) {
                Ok(link) => Door::Open(link),
                Err(Fault::Final(refused @ (TokenError::PinWrong | TokenError::PinLocked))) => {
                    Door::Refused(refused)
                }
                Err(fault) => return Err(fault),
            };
        }
        let link = match &mut state.door {
            Door::Open(link) => link,
            Door::Refused(refused) => return Err(refused.clone().into()),
            Door::Closed => return Err(device("opening a session", "it stayed closed").into()),
        };
        let done = work(link);
        state.had.extend(link.keys.keys());
        match done {
            Err(Fault::Final(error @ TokenError::KeyMissing { key }))
                if state.had.contains(&key) =>
            {
                Err(Fault::SessionLost(error))
            }
            done => done,
        }
    }

    fn connect(&self, round: u64) -> Result<Link, Fault> {
        let lost = |attempt| move |error| Fault::SessionLost(named(attempt, &error));
        initialize(&self.module).map_err(Fault::SessionLost)?;
        let info = self.token_info().map_err(Fault::SessionLost)?;
        spare_the_last_try(info.user_pin_final_try())?;
        let slot = find_slot(&self.module, &self.place).map_err(Fault::SessionLost)?;
        let session = self.module.open_rw_session(slot).map_err(lost("opening a session"))?;
        match session.login(UserType::User, Some(&self.pin)) {
            // Login is per process and token: another session of this process did it.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange, _)) => {
                return Err(TokenError::PinWrong.into());
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => return Err(TokenError::PinLocked.into()),
            Err(error) => return Err(fault("logging in", error)),
        }
        Ok(Link { session, round, keys: BTreeMap::new() })
    }

    /// Whether there is something new to try. Called without a session of our own.
    fn restart_module(&self) -> bool {
        let mut round = ROUND.write().unwrap_or_else(PoisonError::into_inner);
        let now = clock::monotonic();
        if round.begun.is_some_and(|begun| now.duration_since(begun) < MODULE_RESTART_EVERY) {
            return false;
        }
        tracing::warn!(
            event = "token-module",
            "the device does not answer: its module starts anew"
        );
        // A module that was never initialized says so; then initializing it is what is missing.
        let _ = self.module.clone().finalize();
        *round = Round { number: round.number.wrapping_add(1), begun: Some(now) };
        true
    }

    pub(super) fn require(
        &self,
        mechanism: (MechanismType, &'static str),
    ) -> Result<(), TokenError> {
        let slot = find_slot(&self.module, &self.place)?;
        let offered = self
            .module
            .get_mechanism_list(slot)
            .map_err(|error| named("reading the token's mechanisms", &error))?;
        if offered.contains(&mechanism.0) {
            return Ok(());
        }
        Err(TokenError::MechanismMissing { mechanism: mechanism.1 })
    }
}

impl Link {
    /// The private or secret key of this name, once it is known that it cannot leave the device.
    pub(super) fn key(&mut self, key: KeyName) -> Result<ObjectHandle, Fault> {
        if let Some(handle) = self.keys.get(&key) {
            return Ok(*handle);
        }
        let handle = match self.find(key, private_class(key))?.as_slice() {
            [] => return Err(TokenError::KeyMissing { key }.into()),
            [handle] => *handle,
            // Two keys of one name: which one was certified cannot be known.
            [_, _, ..] => return Err(TokenError::Malformed { what: "set of key labels" }.into()),
        };
        stays_inside(&self.session, key, handle)?;
        self.keys.insert(key, handle);
        Ok(handle)
    }

    /// The public half. A pair whose private key is not in the device is no key.
    pub(super) fn public(&mut self, key: KeyName) -> Result<ObjectHandle, Fault> {
        self.key(key)?;
        match self.find(key, ObjectClass::PUBLIC_KEY)?.as_slice() {
            [handle] => Ok(*handle),
            _ => Err(TokenError::KeyMissing { key }.into()),
        }
    }

    pub(super) fn find(
        &self,
        key: KeyName,
        class: ObjectClass,
    ) -> Result<Vec<ObjectHandle>, Fault> {
        let template = [
            Attribute::Token(true),
            Attribute::Class(class),
            Attribute::Label(key.key().as_bytes().to_vec()),
        ];
        self.session.find_objects(&template).map_err(|error| fault("looking for a key", error))
    }
}

/// A key that could leave the device is not used at all. The value is asked for through the
/// attribute-info call: the ordinary call silently leaves a sensitive attribute out, which would
/// look the same as a key without a value.
fn stays_inside(session: &Session, key: KeyName, handle: ObjectHandle) -> Result<(), Fault> {
    stays_inside_as(session, handle, TokenError::KeyExtractable { key })
}

/// The same for any key, with the error for one that could leave.
pub(super) fn stays_inside_as(
    session: &Session,
    handle: ObjectHandle,
    extractable: TokenError,
) -> Result<(), Fault> {
    const ATTEMPT: &str = "checking that a key stays inside";
    let flags = session
        .get_attributes(handle, &[AttributeType::Sensitive, AttributeType::Extractable])
        .map_err(|error| fault(ATTEMPT, error))?;
    let bound = flags.contains(&Attribute::Sensitive(true))
        && flags.contains(&Attribute::Extractable(false));
    let value = session
        .get_attribute_info(handle, &[AttributeType::Value])
        .map_err(|error| fault(ATTEMPT, error))?;
    if bound && matches!(value.as_slice(), [AttributeInfo::Sensitive]) {
        return Ok(());
    }
    Err(extractable.into())
}

/// Initializing twice is no error: the module belongs to the whole process.
fn initialize(module: &Pkcs11) -> Result<(), TokenError> {
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(named("initializing the module", &error)),
    }
}

/// A service manager starts a node again and again; each start with a wrong PIN spends one try, and
/// a device that locks itself takes the node down for days. The last try belongs to a person.
fn spare_the_last_try(final_try: bool) -> Result<(), TokenError> {
    if final_try {
        let cause = "one PIN try is left and is not spent; check the PIN file, then log in once by \
                     hand with the maker's tool";
        return Err(device("logging in", cause));
    }
    Ok(())
}

fn find_slot(module: &Pkcs11, place: &TokenPlace) -> Result<Slot, TokenError> {
    const ATTEMPT: &str = "looking for the token";
    let slots =
        module.get_slots_with_initialized_token().map_err(|error| named(ATTEMPT, &error))?;
    let mut found = slots.into_iter().filter(|slot| match place {
        TokenPlace::Slot(number) => slot.id() == *number,
        TokenPlace::Label(label) => {
            module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == label)
        }
    });
    match (found.next(), found.next()) {
        (Some(slot), None) => Ok(slot),
        (None, _) => Err(device(ATTEMPT, "no token by that label or slot")),
        (Some(_), Some(_)) => Err(device(ATTEMPT, "several tokens have that label")),
    }
}

/// Sorts a module's error into "the session is gone" and the rest.
pub(super) fn fault(attempt: &'static str, error: Error) -> Fault {
    let lost = matches!(
        error,
        Error::Pkcs11(
            RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::FunctionFailed
                | RvError::GeneralError
                | RvError::TokenNotPresent
                | RvError::UserNotLoggedIn
                | RvError::CryptokiNotInitialized
                | RvError::KeyHandleInvalid
                | RvError::ObjectHandleInvalid,
            _
        )
    );
    let error = named(attempt, &error);
    if lost { Fault::SessionLost(error) } else { Fault::Final(error) }
}

pub(super) fn fault_of_mechanism(
    attempt: &'static str,
    mechanism: &'static str,
    error: Error,
) -> Fault {
    match error {
        Error::Pkcs11(RvError::MechanismInvalid, _) => {
            Fault::Final(TokenError::MechanismMissing { mechanism })
        }
        error => fault(attempt, error),
    }
}

/// The error's name, not the standard's paragraph about it.
pub(super) fn named(attempt: &'static str, error: &Error) -> TokenError {
    match error {
        Error::Pkcs11(code, _) => device(attempt, &format!("{code:?}")),
        other => device(attempt, &other.to_string()),
    }
}

fn device(attempt: &'static str, cause: &str) -> TokenError {
    TokenError::Device { attempt, cause: cause.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pin_try_is_left_to_a_person() {
        assert_eq!(spare_the_last_try(false), Ok(()));
        let Err(TokenError::Device { attempt: "logging in", cause }) = spare_the_last_try(true)
        else {
            panic!("a last try was spent")
        };
        assert!(cause.starts_with("one PIN try is left"), "{cause}");
    }
}
