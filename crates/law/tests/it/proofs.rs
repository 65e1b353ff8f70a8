//! A permit or a release made, copied or spent twice outside `law` must not compile.

#[test]
fn forged_proofs_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
