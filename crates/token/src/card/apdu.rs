//! Command and response APDUs of ISO 7816-4, short form only.
//!
//! Everything the login says fits a short APDU, so chaining and extended lengths do not exist here:
//! what is not there cannot be parsed wrongly. Parsing is total: any bytes give a command or a
//! status.

use std::fmt;

/// Longest response: 256 bytes of data and the status.
pub const RESPONSE_BYTES_MAX: usize = 258;
/// Most data in a short command.
pub const COMMAND_DATA_BYTES_MAX: usize = 255;

/// Instruction bytes the operator card knows.
pub mod ins {
    /// VERIFY (reference data = PIN).
    pub const VERIFY: u8 = 0x20;
    /// CHANGE REFERENCE DATA.
    pub const CHANGE_REFERENCE_DATA: u8 = 0x24;
    /// PERFORM SECURITY OPERATION.
    pub const PERFORM_SECURITY_OPERATION: u8 = 0x2a;
    /// EXTERNAL AUTHENTICATE: the outside proves itself to the card.
    pub const EXTERNAL_AUTHENTICATE: u8 = 0x82;
    /// GET CHALLENGE.
    pub const GET_CHALLENGE: u8 = 0x84;
    /// INTERNAL AUTHENTICATE: the card proves itself to the outside.
    pub const INTERNAL_AUTHENTICATE: u8 = 0x88;
    /// SELECT.
    pub const SELECT: u8 = 0xa4;
    /// READ BINARY.
    pub const READ_BINARY: u8 = 0xb0;
}

/// A status word (SW1 SW2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

impl Status {
    /// Done.
    pub const OK: Self = Self(0x9000);
    /// Authentication failed: the terminal's proof is not right.
    pub const AUTHENTICATION_FAILED: Self = Self(0x6300);
    /// The card's own data are damaged, or its entropy is useless.
    pub const MEMORY_FAILURE: Self = Self(0x6581);
    /// Wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// Command chaining is not offered.
    pub const CHAINING_UNSUPPORTED: Self = Self(0x6884);
    /// An earlier step is missing.
    pub const SECURITY_STATUS: Self = Self(0x6982);
    /// No tries left.
    pub const BLOCKED: Self = Self(0x6983);
    /// The command does not fit the moment, e.g. no challenge is open.
    pub const CONDITIONS: Self = Self(0x6985);
    /// The data field is not what it should be.
    pub const WRONG_DATA: Self = Self(0x6a80);
    /// No such file or application.
    pub const NOT_FOUND: Self = Self(0x6a82);
    /// P1 and P2 are not what they should be.
    pub const WRONG_P1_P2: Self = Self(0x6a86);
    /// The offset lies beyond the end of the file.
    pub const WRONG_OFFSET: Self = Self(0x6b00);
    /// Unknown instruction.
    pub const UNKNOWN_INSTRUCTION: Self = Self(0x6d00);
    /// Unknown class.
    pub const UNKNOWN_CLASS: Self = Self(0x6e00);

    /// `63Cx`: a wrong PIN, x tries left.
    #[must_use]
    pub const fn tries_left(left: u8) -> Self {
        Self(0x63c0 | (left & 0x0f) as u16)
    }

    /// The x of `63Cx`.
    #[must_use]
    pub const fn as_tries_left(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        if high == 0x63 && low & 0xf0 == 0xc0 { Some(low & 0x0f) } else { None }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}

/// A parsed command. `Debug` omits the data: it may be a PIN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data, empty when there is none.
    pub data: &'a [u8],
    /// Expected response length, `None` when none is asked for; 256 for Le = 00.
    pub expected: Option<usize>,
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ins, p1, p2, data, .. } = self;
        write!(f, "Command({ins:02X} {p1:02X} {p2:02X}, {} bytes)", data.len())
    }
}

impl<'a> Command<'a> {
    /// A command to be encoded.
    #[must_use]
    pub const fn new(ins: u8, p1: u8, p2: u8, data: &'a [u8], expected: Option<usize>) -> Self {
        Self { ins, p1, p2, data, expected }
    }

    /// Parses the four short cases of ISO 7816-3.
    ///
    /// # Errors
    /// The status the card answers with.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Status> {
        let (header, body) = bytes.split_first_chunk::<4>().ok_or(Status::WRONG_LENGTH)?;
        let [class, ins, p1, p2] = *header;
        match class {
            0x00 => {}
            0x10 => return Err(Status::CHAINING_UNSUPPORTED),
            _ => return Err(Status::UNKNOWN_CLASS),
        }
        let (data, expected) = match body.split_first() {
            None => (&[][..], None),
            Some((&length, [])) => (&[][..], Some(expected_bytes(length))),
            Some((&length, rest)) => {
                let (data, tail) =
                    rest.split_at_checked(usize::from(length)).ok_or(Status::WRONG_LENGTH)?;
                match tail {
                    // Lc = 00 opens an extended length, which this card does not speak.
                    _ if data.is_empty() => return Err(Status::WRONG_LENGTH),
                    [] => (data, None),
                    [expected] => (data, Some(expected_bytes(*expected))),
                    _ => return Err(Status::WRONG_LENGTH),
                }
            }
        };
        Ok(Self { ins, p1, p2, data, expected })
    }

    /// The bytes to send. `None` when the data or the expected length do not fit a short APDU.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0x00, self.ins, self.p1, self.p2];
        if !self.data.is_empty() {
            bytes.push(u8::try_from(self.data.len()).ok()?);
            bytes.extend_from_slice(self.data);
        }
        match self.expected {
            None => {}
            Some(256) => bytes.push(0),
            Some(0) => return None,
            Some(expected) => bytes.push(u8::try_from(expected).ok()?),
        }
        Some(bytes)
    }
}

const fn expected_bytes(le: u8) -> usize {
    if le == 0 { 256 } else { le as usize }
}

/// The bytes of a response.
#[must_use]
pub fn respond(data: &[u8], status: Status) -> Vec<u8> {
    [data, &status.0.to_be_bytes()].concat()
}

/// Splits a response into data and status. `None` when it is shorter than a status or too long.
#[must_use]
pub fn split_response(bytes: &[u8]) -> Option<(&[u8], Status)> {
    if bytes.len() > RESPONSE_BYTES_MAX {
        return None;
    }
    let (data, status) = bytes.split_last_chunk::<2>()?;
    Some((data, Status(u16::from_be_bytes(*status))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_short_cases_go_there_and_back() {
        for bytes in [
            &[0x00, 0x20, 0x00, 0x01][..],
            &[0x00, 0x84, 0x00, 0x00, 0x10],
            &[0x00, 0xa4, 0x04, 0x00, 0x02, 0xaa, 0xbb],
            &[0x00, 0x88, 0x00, 0x00, 0x02, 0xaa, 0xbb, 0x00],
        ] {
            let command = Command::parse(bytes).unwrap();
            assert_eq!(command.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn everything_else_is_a_status() {
        for (bytes, status) in [
            (&[][..], Status::WRONG_LENGTH),
            (&[0x00, 0x20, 0x00], Status::WRONG_LENGTH),
            (&[0x80, 0x20, 0x00, 0x01], Status::UNKNOWN_CLASS),
            (&[0x10, 0x20, 0x00, 0x01], Status::CHAINING_UNSUPPORTED),
            (&[0x00, 0x20, 0x00, 0x01, 0x03, 0x31], Status::WRONG_LENGTH),
            (&[0x00, 0x20, 0x00, 0x01, 0x01, 0x31, 0x00, 0x00], Status::WRONG_LENGTH),
            (&[0x00, 0x20, 0x00, 0x01, 0x00, 0x00, 0x01, 0x31], Status::WRONG_LENGTH),
        ] {
            assert_eq!(Command::parse(bytes), Err(status), "{bytes:02x?}");
        }
        assert_eq!(split_response(&[0x90]), None);
        assert_eq!(split_response(&[0; 259]), None);
        assert_eq!(Status::tries_left(2).as_tries_left(), Some(2));
        assert_eq!(Status::AUTHENTICATION_FAILED.as_tries_left(), None);
    }
}
