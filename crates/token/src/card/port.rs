//! How a reader reaches a card, and a port for a card that lives in this process.
//!
//! PC/SC readers are another adapter of the same trait, in `jukinet`.

use std::fmt;

use crate::card::OperatorCard;

/// Why bytes did not reach the card, or its answer did not come back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardPortError {
    /// The card left the reader.
    #[error("the card is not in the reader; insert it and log in again")]
    Gone,
    /// The card's memory could not be kept, so its answer is withheld.
    #[error(
        "the card image could not be saved, so the card does not answer; check disk and rights"
    )]
    NotPersisted,
    /// Anything else.
    #[error("the card reader failed while {attempt}: {cause}")]
    Failed {
        /// What was being attempted.
        attempt: &'static str,
        /// The reader's own words.
        cause: String,
    },
}

/// A way to a card.
pub trait CardPort {
    /// Sends one command and returns the response, status included.
    ///
    /// # Errors
    /// When the card is gone or the reader fails.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardPortError>;
}

/// A card in this process: `dice` is its entropy, `persist` keeps its image.
///
/// The image is kept *before* the answer leaves, so nobody learns whether a PIN was right without
/// the spent try being on disk.
pub struct ImagePort<D, P> {
    card: OperatorCard,
    dice: D,
    persist: P,
}

impl<D, P> fmt::Debug for ImagePort<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImagePort(…)")
    }
}

impl<D, P> ImagePort<D, P>
where
    D: FnMut(&mut [u8]),
    P: FnMut(&[u8]) -> Result<(), CardPortError>,
{
    /// A card put into the reader: powered up, no session.
    pub fn new(mut card: OperatorCard, dice: D, persist: P) -> Self {
        card.reset();
        Self { card, dice, persist }
    }

    /// Cuts the card's power for a moment: its session is gone.
    pub fn reset(&mut self) {
        self.card.reset();
    }

    /// Takes the card out.
    pub fn eject(mut self) -> OperatorCard {
        self.card.reset();
        self.card
    }
}

impl<D, P> CardPort for ImagePort<D, P>
where
    D: FnMut(&mut [u8]),
    P: FnMut(&[u8]) -> Result<(), CardPortError>,
{
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardPortError> {
        let response = self.card.transmit(command, &mut self.dice);
        if self.card.image_changed() {
            if let Err(error) = (self.persist)(&self.card.image()) {
                self.card.reset();
                return Err(error);
            }
            self.card.image_kept();
        }
        Ok(response)
    }
}
