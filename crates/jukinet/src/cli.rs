//! The command line: names, options, help and the dispatch. Not the commands themselves.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command;
use crate::talk::{Exit, Talk};

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 1 failed, 2 usage or bad configuration, 3 verification found a defect,
4 refused by rule, 5 not reachable, 6 partial (some rows rejected).
Data goes to stdout, talk to stderr. NO_COLOR is honoured. Secrets are never options: use a file.

Examples:
  jukinet demo --once
  jukinet code check 12345678901
  jukinet law affairs --json
  jukinet ledger verify ./country/nodes/center/ledger";

/// A resident-registry network in which every look at a person leaves a record that she can verify.
#[derive(Debug, Parser)]
#[command(name = "jukinet", version, about, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    /// Say nothing on stderr but errors
    #[arg(long, global = true)]
    quiet: bool,
    /// Never ask a question; fail instead
    #[arg(long, global = true)]
    no_input: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the national center (指定情報処理機関)
    Center(Role),
    /// Run a prefecture server (都道府県サーバ)
    Prefecture(Role),
    /// Run a municipality's communication server (CS)
    Municipality(Role),
    /// Run a national agency's server (国の機関等)
    Agency(Role),
    /// Run a dedicated exchange (専用交換装置)
    Exchange(Role),
    /// Run a terminal and its desk on loopback (端末)
    Terminal(Role),
    /// Raise a whole country on loopback and tell its story
    Demo(command::demo::DemoArgs),
    /// Check or show a configuration file
    Config(command::config::ConfigArgs),
    /// Juki-net unified characters (住基ネット統一文字): load, check, look up
    Characters(command::characters::CharactersArgs),
    /// Check or draw resident record codes (住民票コード)
    Code(command::code::CodeArgs),
    /// The appended tables (別表), and what they allow
    Law(command::law::LawArgs),
    /// Ask for identity confirmation information from a terminal, signed by an operator card
    Inquire(command::inquire::InquireArgs),
    /// Send change notices of the existing register from a CSV file
    Notice(command::notice::NoticeArgs),
    /// Load the register of a stopped node for the first time, from a residents' CSV
    Import(command::import::ImportArgs),
    /// The existing resident register of one municipality (既存住基)
    Register(command::register::RegisterArgs),
    /// The vendor gateway: changes of the existing register over HTTPS with mutual TLS
    Gateway(command::gateway::GatewayArgs),
    /// What a resident is shown about her own record
    Resident(command::resident::ResidentArgs),
    /// Backups that two custodians open together: make, list, restore, drill
    Backup(command::backup::BackupArgs),
    /// Erase what has reached the end of its term (保存期間)
    Retention(command::retention::RetentionArgs),
    /// The rules of a machine's firewall, from the conversation table and the directory
    Firewall(command::firewall::FirewallArgs),
    /// Moves that wait and notices that could not be applied
    SetAside(command::set_aside::SetAsideArgs),
    /// A node's store as a whole: its digest, and moving it between SQLite and PostgreSQL
    Store(command::store::StoreArgs),
    /// Verify a ledger, a checkpoint or a resident's file, offline
    Ledger(command::ledger_verify::LedgerArgs),
    /// Check store, ledger, keys and their cross-references of a node
    Fsck(command::fsck::FsckArgs),
    /// What is wrong with a node and what to do about it
    Doctor(command::doctor::DoctorArgs),
}

#[derive(Debug, Args)]
struct Role {
    #[command(subcommand)]
    verb: RoleVerb,
}

#[derive(Debug, Subcommand)]
enum RoleVerb {
    /// Serve until SIGTERM
    #[command(after_help = "Example:\n  jukinet center serve --config center.toml")]
    Serve {
        /// The role's configuration (TOML; unknown fields are errors)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Parses the arguments and runs the command.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => dispatch(&cli.command, Talk { quiet: cli.quiet, no_input: cli.no_input }),
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Ok }
        }
    }
}

fn dispatch(command: &Command, talk: Talk) -> Exit {
    use wire::Role as R;
    let serve = |role: R, args: &Role| {
        let RoleVerb::Serve { config } = &args.verb;
        command::serve::run(role, config, talk)
    };
    match command {
        Command::Center(args) => serve(R::Center, args),
        Command::Prefecture(args) => serve(R::Prefecture, args),
        Command::Municipality(args) => serve(R::Municipality, args),
        Command::Agency(args) => serve(R::Agency, args),
        Command::Exchange(args) => serve(R::Exchange, args),
        Command::Terminal(args) => serve(R::Terminal, args),
        Command::Demo(args) => command::demo::run(args, talk),
        Command::Config(args) => command::config::run(args, talk),
        Command::Characters(args) => command::characters::run(args, talk),
        Command::Code(args) => command::code::run(args, talk),
        Command::Law(args) => command::law::run(args, talk),
        Command::Inquire(args) => command::inquire::run(args, talk),
        Command::Notice(args) => command::notice::run(args, talk),
        Command::Import(args) => command::import::run(args, talk),
        Command::Register(args) => command::register::run(args, talk),
        Command::Gateway(args) => command::gateway::run(args, talk),
        Command::Resident(args) => command::resident::run(args, talk),
        Command::Backup(args) => command::backup::run(args, talk),
        Command::Retention(args) => command::retention::run(args, talk),
        Command::Firewall(args) => command::firewall::run(args, talk),
        Command::SetAside(args) => command::set_aside::run(args, talk),
        Command::Store(args) => command::store::run(args, talk),
        Command::Ledger(args) => command::ledger_verify::run(args, talk),
        Command::Fsck(args) => command::fsck::run(args, talk),
        Command::Doctor(args) => command::doctor::run(args, talk),
    }
}

/// The long help of a command path, for the golden test.
#[must_use]
pub fn help(path: &[&str]) -> String {
    let mut command = <Cli as clap::CommandFactory>::command().term_width(100);
    command.build();
    let mut at = &mut command;
    for name in path {
        match at.find_subcommand_mut(name) {
            Some(next) => at = next,
            None => return format!("no command {name}"),
        }
    }
    at.render_long_help().to_string()
}

/// Every command path, outermost first.
#[must_use]
pub fn paths() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, here: &[String], all: &mut Vec<Vec<String>>) {
        all.push(here.to_vec());
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let mut next = here.to_vec();
            next.push(sub.get_name().to_owned());
            walk(sub, &next, all);
        }
    }
    let mut all = Vec::new();
    walk(&<Cli as clap::CommandFactory>::command(), &[], &mut all);
    all
}
