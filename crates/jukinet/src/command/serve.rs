//! `jukinet ROLE serve`: one role, one process, until SIGTERM or Ctrl-C.

use std::io::IsTerminal;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;
use wire::Role;

use crate::config;
use crate::runner::process::{self, ProcessError};
use crate::runner::station;
use crate::seclude::seclude;
use crate::talk::{Exit, Talk};

/// Threads that move bytes; the machine has its own.
const EDGE_THREADS_COUNT: usize = 2;

/// Serves `role` with this configuration until SIGTERM.
pub fn run(role: Role, config: &Path, talk: Talk) -> Exit {
    start_log();
    if let Err(why) = seclude() {
        talk.fail(why);
        return Exit::Failed;
    }
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(why) => {
            talk.fail(why);
            return Exit::Failed;
        }
    };
    if role == Role::Terminal {
        terminal(config, &runtime, talk)
    } else {
        node(role, config, &runtime, talk)
    }
}

/// The threads that move bytes.
pub(super) fn edge_runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(EDGE_THREADS_COUNT)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(|error| format!("the operating system gave no event loop: {error}"))
}

fn node(role: Role, file: &Path, runtime: &tokio::runtime::Runtime, talk: Talk) -> Exit {
    let config = match config::load_node(file) {
        Ok(config) if config.role == role => config,
        Ok(config) => {
            let found = config.role;
            talk.fail(format!("{}: configures a {found}, not a {role}", file.display()));
            return Exit::Usage;
        }
        Err(error) => {
            talk.fail(error);
            return Exit::Usage;
        }
    };
    let line = format!("ready {} {}", config.node, config.listen);
    let served = runtime.block_on(async move {
        let stop = stop_on_signal()?;
        process::serve(config, stop, move || ready(talk, &line)).await
    });
    ended(served, talk)
}

fn terminal(file: &Path, runtime: &tokio::runtime::Runtime, talk: Talk) -> Exit {
    let config = match config::load_terminal(file) {
        Ok(config) => config,
        Err(error) => {
            talk.fail(error);
            return Exit::Usage;
        }
    };
    let served = runtime.block_on(async move {
        let stop = stop_on_signal()?;
        station::serve(config, stop, move |line| ready(talk, &line)).await
    });
    ended(served, talk)
}

fn ended<E: std::fmt::Display>(served: Result<(), E>, talk: Talk) -> Exit {
    match served {
        Ok(()) => Exit::Ok,
        Err(error) => {
            tracing::error!(event = "stopped", %error);
            talk.fail(error);
            Exit::Failed
        }
    }
}

/// Say so to whoever started us: one line on stdout, and the service manager if there is one.
pub(super) fn ready(talk: Talk, line: &str) {
    // The line may hold a desk's start token: it goes to who started us, never to the log.
    tracing::info!(event = "ready");
    talk.data(line);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// A switch that turns true at the first SIGTERM or SIGINT.
pub(super) fn stop_on_signal() -> Result<watch::Receiver<bool>, ProcessError> {
    let (turn, stop) = watch::channel(false);
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(event = "stopping", "finishing what was accepted");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let _ = turn.send(true);
    });
    Ok(stop)
}

/// Logs go to stderr, as JSON lines when nobody is looking; JUKINET_LOG sets the filter. Types that
/// hold personal data have no printable form, so none can get there.
pub(super) fn start_log() {
    let filter = EnvFilter::try_from_env("JUKINET_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
}
