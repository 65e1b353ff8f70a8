//! Record codes (住民票コード) on their way: from the center's designation (法30条の7) to the pool of a
//! municipality, and from the pool to the existing register system, one by one.
//!
//! How many a municipality gets and how they are drawn is `law`'s ([`law::pool`]).

use std::fmt;

use law::code::RecordCode;

use crate::error::{DecodeError, DecodeRule};
use crate::field::At;
use crate::generated as twin;
use crate::limits::{POOL_CODES_COUNT_MAX, SHORT_TEXT_BYTES_MAX};

/// A municipality asks for codes (規則14条2項).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRequest {
    /// The same request brings the same codes again: the first answer may have been lost.
    pub request: [u8; 16],
    pub count: u32,
}

/// The codes designated for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pool {
    pub request: [u8; 16],
    pub codes: Vec<RecordCode>,
}

/// The existing register system takes one code for a resident who has none (法30条の2第2項).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeCode {
    /// The same request brings the same code again.
    pub request: [u8; 16],
}

#[derive(Clone, PartialEq, Eq)]
pub struct CodeTaken {
    pub request: [u8; 16],
    pub code: RecordCode,
}

impl From<&PoolRequest> for twin::PoolRequest {
    fn from(value: &PoolRequest) -> Self {
        Self { request: value.request.to_vec(), count: value.count }
    }
}

impl TryFrom<twin::PoolRequest> for PoolRequest {
    type Error = DecodeError;

    fn try_from(value: twin::PoolRequest) -> Result<Self, DecodeError> {
        const M: &str = "pool_request";
        let at = At(M, "count");
        let count = usize::try_from(value.count).unwrap_or(usize::MAX);
        if count == 0 {
            return Err(at.error(DecodeRule::Missing));
        }
        if count > POOL_CODES_COUNT_MAX {
            return Err(at.error(DecodeRule::TooMany { max: POOL_CODES_COUNT_MAX }));
        }
        Ok(Self { request: At(M, "request").fixed(&value.request)?, count: value.count })
    }
}

impl From<&Pool> for twin::Pool {
    fn from(value: &Pool) -> Self {
        let codes = value.codes.iter().map(|code| code.expose().to_owned()).collect();
        Self { request: value.request.to_vec(), codes }
    }
}

impl TryFrom<twin::Pool> for Pool {
    type Error = DecodeError;

    fn try_from(value: twin::Pool) -> Result<Self, DecodeError> {
        const M: &str = "pool";
        let at = At(M, "codes");
        if value.codes.is_empty() {
            return Err(at.error(DecodeRule::Missing));
        }
        if value.codes.len() > POOL_CODES_COUNT_MAX {
            return Err(at.error(DecodeRule::TooMany { max: POOL_CODES_COUNT_MAX }));
        }
        let parse = |code: &String| at.parsed(code, SHORT_TEXT_BYTES_MAX, RecordCode::parse);
        Ok(Self {
            request: At(M, "request").fixed(&value.request)?,
            codes: value.codes.iter().map(parse).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&TakeCode> for twin::TakeCode {
    fn from(value: &TakeCode) -> Self {
        Self { request: value.request.to_vec() }
    }
}

impl TryFrom<twin::TakeCode> for TakeCode {
    type Error = DecodeError;

    fn try_from(value: twin::TakeCode) -> Result<Self, DecodeError> {
        Ok(Self { request: At("take_code", "request").fixed(&value.request)? })
    }
}

impl From<&CodeTaken> for twin::CodeTaken {
    fn from(value: &CodeTaken) -> Self {
        Self { request: value.request.to_vec(), code: value.code.expose().to_owned() }
    }
}

impl TryFrom<twin::CodeTaken> for CodeTaken {
    type Error = DecodeError;

    fn try_from(value: twin::CodeTaken) -> Result<Self, DecodeError> {
        const M: &str = "code_taken";
        Ok(Self {
            request: At(M, "request").fixed(&value.request)?,
            code: At(M, "code").short(&value.code, RecordCode::parse)?,
        })
    }
}

macro_rules! redacted_debug {
    ($($t:ident),*) => {$(
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($t), "(…)"))
            }
        }
    )*};
}
redacted_debug!(Pool, CodeTaken);
