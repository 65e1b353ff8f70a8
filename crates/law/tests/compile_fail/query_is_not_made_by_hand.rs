//! A query below the minimum cannot be written down: only `Query::parse` makes one.
fn main() {
    let _ = law::query::Query { prefix: true, form: loop {} };
}
