//! Compiles `schema/` into Rust with protox and prost: no external compiler is needed.

use std::error::Error;

/// One file per topic; `frame.proto` imports the others.
const SCHEMA: [&str; 9] = [
    "frame.proto",
    "notice.proto",
    "inquiry.proto",
    "disclosure.proto",
    "directory.proto",
    "desk.proto",
    "kept.proto",
    "pool.proto",
    "compare.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=schema");
    let files = protox::compile(SCHEMA, ["schema"])?;
    let mut config = prost_build::Config::new();
    // Most messages hold personal data, and a derived Debug would print it.
    config.skip_debug(["."]);
    config.compile_fds(files)?;
    Ok(())
}
