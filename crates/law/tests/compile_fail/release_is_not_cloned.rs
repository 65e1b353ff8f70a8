//! One release, one answer.
fn twice(release: law::Release) -> (law::Release, law::Release) {
    (release.clone(), release)
}
fn main() {}
