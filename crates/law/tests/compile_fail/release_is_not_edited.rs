//! Who is told about cannot be changed after the release.
fn edit(mut release: law::Release, person: law::inquiry::ProvidedPerson) {
    release.persons.push(person);
}
fn main() {}
