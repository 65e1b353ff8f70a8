//! A permit has private fields: only `authorize` makes one.
fn main() {
    let _ = law::Permit { ..loop {} };
}
