//! One decision, one permit.
fn twice(permit: law::Permit) -> (law::Permit, law::Permit) {
    (permit.clone(), permit)
}
fn main() {}
