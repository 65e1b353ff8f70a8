//! Record codes (V12): the check digit by its own formula (規則1条), none designated twice or after it
//! was somebody's, and none given to a register but out of its municipality's own pool, once.

use std::collections::{BTreeMap, BTreeSet};

use wire::{CodeTaken, Pool};

use super::super::country::Place;
use super::super::nation::Nation;
use super::{Checker, Violation};

/// Eleven digits of which the last one checks the others: P_n the n-th from the right of ten, Q_n =
/// n + 1 up to the sixth and n - 5 from there, r the sum of the products modulo 11; 0 for r of 0
/// and 1, else 11 - r.
pub(super) fn is_code(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
    let Some((check, ten)) = digits.as_deref().and_then(|all| all.split_last()) else {
        return false;
    };
    if ten.len() != 10 {
        return false;
    }
    let weighted = |(n, digit): (u32, &u32)| digit * if n <= 6 { n + 1 } else { n - 5 };
    let sum: u32 = (1..).zip(ten.iter().rev()).map(weighted).sum();
    let wanted = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    *check == wanted
}

/// What is known of the pools.
#[derive(Clone, Debug, Default)]
pub(super) struct Pools {
    /// To whom each code was designated, in which request.
    designated: BTreeMap<String, (Place, [u8; 16])>,
    /// What a request brought.
    brought: BTreeMap<(Place, [u8; 16]), BTreeSet<String>>,
    /// Codes taken by a register: under which request.
    taken: BTreeMap<String, (Place, [u8; 16])>,
    /// What each request took.
    by_request: BTreeMap<(Place, [u8; 16]), String>,
}

impl Checker {
    /// The center designates codes for the municipality at `to`.
    pub(super) fn designates(
        &mut self,
        to: Place,
        pool: &Pool,
        nation: &Nation,
    ) -> Result<(), Violation> {
        let wrong =
            |what: &str| Err(Violation::new("codes", format!("designated for place {to}: {what}")));
        let codes: Vec<String> = pool.codes.iter().map(|c| c.expose().to_owned()).collect();
        let all: BTreeSet<String> = codes.iter().cloned().collect();
        if all.len() != codes.len() {
            return wrong("a code twice");
        }
        let request = (to, pool.request);
        if let Some(before) = self.pools.brought.get(&request) {
            return if *before == all { Ok(()) } else { wrong("other codes for one request") };
        }
        for code in &codes {
            if !is_code(code) {
                return wrong("a code whose check digit is not its own");
            }
            if self.pools.designated.contains_key(code) {
                return wrong("a code that was designated before");
            }
            if nation.was_somebodys(code) {
                return wrong("a code that is or was somebody's");
            }
            self.pools.designated.insert(code.clone(), request);
        }
        self.pools.brought.insert(request, all);
        Ok(())
    }

    /// A register takes one code out of the pool of its municipality.
    pub(super) fn code_taken(&mut self, place: Place, taken: &CodeTaken) -> Result<(), Violation> {
        let wrong =
            |what: &str| Err(Violation::new("codes", format!("taken at place {place}: {what}")));
        let code = taken.code.expose().to_owned();
        let request = (place, taken.request);
        if let Some(before) = self.pools.by_request.get(&request) {
            return if *before == code { Ok(()) } else { wrong("another code for one request") };
        }
        match self.pools.designated.get(&code) {
            None => return wrong("a code that was never designated"),
            Some((of, _)) if *of != place => return wrong("a code of another's pool"),
            Some(_) => {}
        }
        if self.pools.taken.insert(code.clone(), request).is_some() {
            return wrong("a code that was taken before");
        }
        self.pools.by_request.insert(request, code);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use law::code::RecordCode;

    fn nobody() -> Nation {
        Nation::empty().unwrap()
    }

    fn codes(numbers: &[u64]) -> Vec<RecordCode> {
        numbers.iter().map(|n| RecordCode::from_ten_digits(*n).unwrap()).collect()
    }

    fn pool(request: u8, numbers: &[u64]) -> Pool {
        Pool { request: [request; 16], codes: codes(numbers) }
    }

    #[test]
    fn the_check_digit_is_that_of_the_published_vectors() {
        for code in ["12345678903", "01234567892", "31415926530", "27182818289", "99999999995"] {
            assert!(is_code(code), "{code}");
            let (ten, check) = code.split_at(10);
            let other = (check.parse::<u8>().unwrap() + 1) % 10;
            assert!(!is_code(&format!("{ten}{other}")));
        }
        assert!(!is_code("1234567890") && !is_code("1234567890x") && !is_code(""));
    }

    #[test]
    fn a_code_designated_twice_or_again_is_found() {
        let mut checker = Checker::default();
        assert_eq!(checker.designates(3, &pool(1, &[1, 2]), &nobody()), Ok(()));
        assert_eq!(checker.designates(3, &pool(1, &[1, 2]), &nobody()), Ok(()));
        for (to, request, numbers) in
            [(3, 1, [1, 3]), (3, 2, [2, 5]), (4, 1, [2, 6]), (4, 3, [7, 7])]
        {
            let found = checker.designates(to, &pool(request, &numbers), &nobody()).unwrap_err();
            assert_eq!(found.rule, "codes");
        }
    }

    #[test]
    fn a_code_of_nobody_of_another_pool_or_taken_before_is_found() {
        let mut checker = Checker::default();
        checker.designates(3, &pool(1, &[1, 2]), &nobody()).unwrap();
        checker.designates(4, &pool(1, &[3]), &nobody()).unwrap();
        let taken =
            |request: u8, number| CodeTaken { request: [request; 16], code: codes(&[number])[0] };
        assert_eq!(checker.code_taken(3, &taken(1, 1)), Ok(()));
        assert_eq!(checker.code_taken(3, &taken(1, 1)), Ok(()));
        for (request, number) in [(1, 2), (2, 1), (3, 3), (4, 9)] {
            let found = checker.code_taken(3, &taken(request, number)).unwrap_err();
            assert_eq!(found.rule, "codes", "{request} {number}");
        }
    }
}
