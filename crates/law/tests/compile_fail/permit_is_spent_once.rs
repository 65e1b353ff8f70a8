//! Releasing consumes the permit.
fn twice(permit: law::Permit) {
    let _ = permit.release(vec![]);
    let _ = permit.release(vec![]);
}
fn main() {}
