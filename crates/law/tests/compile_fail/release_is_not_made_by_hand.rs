//! A release has private fields: only a permit makes one.
fn main() {
    let _ = law::Release { persons: vec![], subjects: vec![], ..loop {} };
}
