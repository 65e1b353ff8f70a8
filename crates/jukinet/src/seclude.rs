//! Keeping other processes of the same user out of this one's memory: keys and residents are in it.
//! Not a sandbox: what this process itself may touch is not limited here.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// No debugger of the same user attaches, `/proc/PID/mem` is closed, and no core file is written.
///
/// # Errors
/// With words for the operator: a process that cannot be secluded does not start.
pub fn seclude() -> Result<(), String> {
    let refused = |error: nix::Error| format!("this process cannot be kept from others: {error}");
    set_dumpable(false).map_err(refused)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(refused)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_secluded_process_is_not_dumpable_and_leaves_no_core() {
        super::seclude().unwrap();
        assert!(!nix::sys::prctl::get_dumpable().unwrap());
        let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE);
        assert_eq!(limit.unwrap(), (0, 0));
    }
}
